//! The loop around the desk: frames in, questions out, and what came in parcels.

use std::time::Duration;

use streamforge_events::{Event, FeedInterrupted, GapState, Symbol};
use streamforge_exchange::{
    Client,
    stream::{Feed, FeedConfig, FeedEvent, Silence},
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::{
    answers::{self, Answer, Answers, Effect},
    assignment::{Assignment, Kind},
    desk::{Checkpoint, Desk, Tally},
    outgoing::events,
    output::{Output, Question},
    playing::Playing,
};

/// How often what came is handed out.
const PARCEL_EVERY: Duration = Duration::from_millis(250);
/// Each symbol is compared with the exchange once in this time, one after another.
const AUDIT_ROUND: Duration = Duration::from_mins(2);
const SHORTEST_AUDIT: Duration = Duration::from_millis(250);
/// A question that failed for now is asked again after so long.
const AGAIN: Duration = Duration::from_secs(2);
/// A connection that stands for so long is not the reason of a gap any more.
const CALM: Duration = Duration::from_secs(10);

/// What is to be listened to, and with what.
pub struct Listening {
    /// For what REST has to answer.
    pub client: Client,
    /// The feed; its streams are those of the assignment.
    pub feed: FeedConfig,
    /// The streams.
    pub assignment: Assignment,
    /// Where an earlier process left off.
    pub checkpoint: Checkpoint,
    /// Each symbol is compared with the exchange once in this time.
    pub audit_round: Duration,
}

/// Events to publish, and what is certain once they are.
#[derive(Debug)]
pub struct Parcel {
    /// The events.
    pub events: Vec<Event>,
    /// Up to where everything is published then.
    pub checkpoint: Checkpoint,
    /// What came so far.
    pub tally: Tally,
    /// Whether a connection stands.
    pub is_connected: bool,
    /// How many books are up to date.
    pub synced_books: usize,
    /// Whether the exchange played a recording, and all of it is in this parcel and those before.
    pub is_over: bool,
}

impl Listening {
    /// The usual settings.
    #[must_use]
    pub fn new(client: Client, base_url: &str, assignment: Assignment, checkpoint: Checkpoint) -> Self {
        let feed = FeedConfig::new(base_url, assignment.streams());
        Self { client, feed, assignment, checkpoint, audit_round: AUDIT_ROUND }
    }

    /// The settings for an exchange that plays a recording.
    ///
    /// Everything that is known comes as a frame, snapshots too: nothing is asked for, and what did not come by the end
    /// stays missing. So the same is published at any speed.
    #[must_use]
    pub fn to_recording(client: Client, base_url: &str, assignment: Assignment, checkpoint: Checkpoint) -> Self {
        let streams = assignment.streams().into_iter().chain(assignment.snapshots());
        let feed = FeedConfig::of_recording(base_url, streams.collect());
        Self { client, feed, assignment, checkpoint, audit_round: AUDIT_ROUND }
    }

    /// Listens until nobody takes the parcels any more.
    pub async fn run(self, parcels: mpsc::Sender<Parcel>) {
        let Self { client, feed: config, assignment, checkpoint, audit_round } = self;
        let mut desk = Desk::new(&assignment, &checkpoint);
        let books = if assignment.kinds.contains(&Kind::Depth) { assignment.symbols.len() } else { 0 };
        let mut answers = Answers::new(client, books);
        let mut feed = Feed::start(config.clone());
        let mut pack = interval(PARCEL_EVERY);
        let count = u32::try_from(assignment.symbols.len()).unwrap_or(u32::MAX).max(1);
        let mut audits = interval((audit_round / count).max(SHORTEST_AUDIT));
        for timer in [&mut pack, &mut audits] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let mut audited = assignment.symbols.iter().cycle();
        let mut connected: Option<Instant> = None;
        let mut failed: Vec<(Instant, Question)> = Vec::new();
        let mut playing = config.is_recording.then(Playing::default);
        loop {
            let again = failed.first().map(|(due, _)| *due);
            tokio::select! {
                Some(event) = feed.next() => match (&mut playing, event) {
                    (Some(playing), FeedEvent::Over) => playing.end(&mut desk),
                    (_, event) => note(&mut desk, &mut connected, event, &assignment),
                },
                (question, answer) = answers.next() => match answer {
                    Ok(answer) => match answers::take(&mut desk, &question, answer) {
                        Effect::Nothing => {}
                        Effect::Later(question) => failed.push((Instant::now() + AGAIN, question)),
                        Effect::Distrust => {
                            // Its ids are not the exchange's, and what is still on its way is of no use.
                            feed = Feed::start(config.clone());
                            connected = None;
                        }
                    },
                    Err(error) if error.is_permanent() => {
                        tracing::warn!(%error, ?question, "the exchange refuses to answer");
                        give_up(&mut desk, &question);
                    }
                    Err(error) => {
                        tracing::warn!(%error, ?question, "asked again in a while");
                        failed.push((Instant::now() + AGAIN, question));
                    }
                },
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {
                    let now = Instant::now();
                    let due = failed.extract_if(.., |(due, _)| *due <= now).map(|(_, question)| question);
                    answers.ask(due.collect());
                }
                _ = audits.tick(), if playing.is_none() => {
                    if let Some(symbol) = audited.next() {
                        let questions = desk.audit(symbol);
                        answers.ask(questions);
                    }
                }
                _ = pack.tick() => {
                    if connected.is_some_and(|since| since.elapsed() > CALM) {
                        desk.calm();
                    }
                    if playing.is_none() {
                        desk.tick();
                    }
                    let Ok(events) = events(desk.outputs()).inspect_err(|error| tracing::error!(%error, "lost")) else {
                        continue;
                    };
                    let parcel = Parcel {
                        events,
                        checkpoint: desk.checkpoint(),
                        tally: desk.tally(),
                        is_connected: connected.is_some(),
                        synced_books: desk.synced_books(),
                        is_over: playing.as_ref().is_some_and(Playing::is_over),
                    };
                    // Who takes parcels may be slow: frames wait in the feed meanwhile, or are dropped and counted.
                    if parcels.send(parcel).await.is_err() {
                        return;
                    }
                }
            }
            match &mut playing {
                Some(playing) => playing.go_on(&mut desk),
                None => answers.ask(desk.questions()),
            }
        }
    }
}

fn note(desk: &mut Desk, connected: &mut Option<Instant>, event: FeedEvent, assignment: &Assignment) {
    match event {
        FeedEvent::Frame { receipt, text } => desk.frame(&text, receipt),
        FeedEvent::Connected => {
            connected.get_or_insert_with(Instant::now);
        }
        FeedEvent::Disconnected { reason } => {
            tracing::warn!(reason, "the feed is interrupted");
            *connected = None;
            desk.suspect(reason);
        }
        FeedEvent::Overrun { frames } => {
            desk.suspect(format!("{frames} frames were dropped: the log was too slow"));
        }
        FeedEvent::Over => {}
        FeedEvent::Silent { stream, silence } => {
            let why = match silence {
                Silence::FromTheBeginning => format!("{stream} never said anything: it may not exist"),
                Silence::Since => format!("{stream} fell silent"),
            };
            tracing::warn!(why, "a stream is silent");
            let symbol =
                assignment.symbols.iter().find(|symbol| stream.starts_with(&format!("{}@", symbol.to_lower())));
            if let Some(symbol) = symbol {
                desk.tell(silent(symbol, &stream, why, desk.now()));
            }
        }
    }
}

/// A stream that says nothing lacks nobody knows what.
fn silent(symbol: &Symbol, stream: &str, why: String, since: i64) -> Output {
    let stream = stream.split_once('@').map_or(stream, |(_, kind)| kind).to_owned();
    Output::Gap(FeedInterrupted { symbol: symbol.clone(), stream, from: 0, to: 0, state: GapState::Open, why, since })
}

/// What the exchange will never answer stays missing.
pub(crate) fn give_up(desk: &mut Desk, question: &Question) {
    let read_at = desk.now();
    match question {
        Question::Trades { .. } => {
            answers::take(desk, question, Answer::Trades { rows: Vec::new(), read_at });
        }
        Question::Bars { to, .. } => {
            let page = streamforge_exchange::Page { rows: Vec::new(), read_at, complete_until: *to };
            answers::take(desk, question, Answer::Bars(page));
        }
        Question::Snapshot { symbol } => {
            if let Some((book, ..)) = desk.book(symbol) {
                book.no_snapshot();
            }
        }
        Question::Proof { .. } => {}
    }
}
