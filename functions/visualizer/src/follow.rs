//! `GET /views/topics/{topic}/events`: what is published from a place of a topic on, without gap or repetition.
//!
//! The id of each event holds the place after it in every partition, so that whoever comes back with it goes on there.
//! An event without data comes first, and where the filter has passed over records, for the id that it holds.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::stream;
use serde_json::json;
use streamforge_bus::{Bus, Error, TopicDescription};
use streamforge_function::{
    api::{PathName, Problem, name_in_path},
    axum::{
        extract::{RawQuery, State},
        http::HeaderMap,
        response::{Response, sse::Event},
    },
};
use streamforge_message::{Places, shown};
use tokio::{sync::watch, time::Instant};

use crate::{
    Views,
    asked::Asked,
    filter::{FILTERS, Filter},
    topics::{message, public},
};

/// What a look takes of each partition, one after another: what all of them hold may be much at once.
const RECORDS_PER_LOOK: usize = 100;
const BYTES_PER_LOOK: usize = 64 << 10;

/// What waits for a slow client beside what its connection buffers; partitions beyond it are read again later.
const MOST_READY: usize = 128 << 10;

/// The shortest time between two looks of a stream that has seen all: two thousand of them share one log.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) async fn events(
    State(views): State<Arc<Views>>,
    path: PathName,
    RawQuery(text): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let name = name_in_path(path)?;
    let asked = Asked::repeatable(text, &["from", "type", "subject"], &FILTERS)?;
    let topic = views.topic(public(&name)?).await?;
    let from = match last_event_id(&headers)? {
        Some(places) => Some(places),
        None => asked.optional("from")?,
    };
    let follower = Follower::new(Arc::clone(&views.bus), &topic, from.as_ref(), Filter::asked(&asked)?);
    views.stream(stream::unfold(follower, async |mut follower| Some((follower.next().await?, follower))))
}

/// What a browser says when it comes back after a break.
///
/// # Source
/// <https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header>
pub(crate) fn last_event_id<T: std::str::FromStr<Err: std::fmt::Display>>(
    headers: &HeaderMap,
) -> Result<Option<T>, Problem> {
    let Some(value) = headers.get("last-event-id").filter(|value| !value.is_empty()) else { return Ok(None) };
    let unfit = |reason: String| Problem::field("invalid_field", "Last-Event-ID", reason);
    let text = value.to_str().map_err(|_| unfit("write the id of an event of this stream".to_owned()))?;
    text.parse().map(Some).map_err(|error: T::Err| unfit(error.to_string()))
}

/// One reader of a topic.
struct Follower {
    bus: Arc<dyn Bus>,
    topic: String,
    filter: Filter,
    /// Up to where everything is among `ready` or was sent.
    places: Places,
    ready: VecDeque<Event>,
    /// The partition that the next look begins with.
    first: usize,
    appended: watch::Receiver<u64>,
    looked_at: Option<Instant>,
}

impl Follower {
    /// A reader from these places on; those beyond the end, and of a topic without a word on it, are the end.
    fn new(bus: Arc<dyn Bus>, topic: &TopicDescription, from: Option<&Places>, filter: Filter) -> Self {
        let place = |(number, end): (usize, u64)| {
            // A partition that was not there when the places were noted has been read by nobody.
            from.map_or(end, |places| places.0.get(number).copied().unwrap_or(0).min(end))
        };
        let places = Places(topic.offsets.iter().map(|held| held.end).enumerate().map(place).collect());
        let ready = VecDeque::from([Event::default().id(places.to_string())]);
        let appended = bus.appended();
        Self { bus, topic: topic.name.clone(), filter, places, ready, first: 0, appended, looked_at: None }
    }

    /// The next event; none when the log is gone, after which the client comes back.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            self.appended.borrow_and_update();
            if let Some(looked_at) = self.looked_at {
                tokio::time::sleep_until(looked_at + PAUSE).await;
            }
            let has_moved = match self.look().await {
                Ok(has_moved) => has_moved,
                Err(error) => {
                    tracing::warn!(topic = self.topic, %error, "stream ended");
                    return None;
                }
            };
            self.looked_at = (!has_moved).then(Instant::now);
            if !has_moved {
                self.appended.changed().await.ok()?;
            }
        }
    }

    /// Takes what was appended; answers whether there was anything.
    async fn look(&mut self) -> Result<bool, Error> {
        let ends = self.bus.end_offsets(&self.topic).await?;
        let (mut has_moved, mut is_noted, mut bytes) = (false, true, 0);
        self.places.0.resize(ends.len().max(self.places.0.len()), 0);
        let count = ends.len();
        let mut ends: Vec<_> = ends.into_iter().enumerate().collect();
        // Each in turn, so that a busy partition keeps none of the others waiting.
        ends.rotate_left(self.first.min(count));
        for (number, end) in ends {
            if bytes >= MOST_READY {
                self.first = number;
                break;
            }
            let place = self.places.0[number];
            if end <= place {
                continue;
            }
            let partition = u32::try_from(number).unwrap_or(u32::MAX);
            let records = match self.bus.fetch(&self.topic, partition, place, RECORDS_PER_LOOK, BYTES_PER_LOOK).await {
                Ok(records) => records,
                Err(Error::RecordsGone { partition, from, resume, .. }) if resume > from => {
                    self.places.0[number] = resume;
                    (has_moved, is_noted) = (true, true);
                    let gone = json!({"partition": partition, "from": from, "to": resume});
                    self.push(Event::default().event("gone").data(gone.to_string()));
                    continue;
                }
                Err(error) => return Err(error),
            };
            for stored in records {
                self.places.0[number] = stored.offset + 1;
                has_moved = true;
                is_noted = self.filter.takes(&stored);
                if is_noted {
                    bytes += stored.record.size();
                    self.push(Event::default().data(message(&stored, &shown(&stored.record)).to_string()));
                }
            }
        }
        if !is_noted {
            self.push(Event::default());
        }
        Ok(has_moved)
    }

    fn push(&mut self, event: Event) {
        self.ready.push_back(event.id(self.places.to_string()));
    }
}
