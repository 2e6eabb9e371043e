//! `GET /views/book`: the order book of a symbol as the log has it, and the place from which a stream goes on.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::json;
use streamforge_bus::{Bus, Error, StoredRecord, TopicDescription, partition_for_key};
use streamforge_events::{
    Decimal, DepthBatch, DepthSnapshot, EventType, FeedInterrupted, GapState, Millis, Symbol, Topic,
};
use streamforge_function::{
    api::{Problem, success},
    axum::{
        extract::{RawQuery, State},
        http::StatusCode,
        response::Response,
    },
};
use streamforge_message::{Message, Places};

use crate::{Views, asked::Asked};

const RECORDS_PER_READ: u64 = 200;
const BYTES_PER_READ: usize = 4 << 20;

/// How far back a whole book is looked for: a feed publishes one now and then.
const MOST_BYTES: usize = 64 << 20;

type Level = (Decimal, Decimal);

/// How far the levels can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Trust {
    /// Since a whole book, without a break.
    Whole,
    /// Of the changes alone: what did not change is missing.
    Partial,
    /// A gap was told of, and no whole book since.
    Broken,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Book {
    last_update_id: u64,
    /// The highest first.
    bids: Vec<Level>,
    /// The lowest first.
    asks: Vec<Level>,
    trust: Trust,
    /// When the last change was published.
    at: Millis,
}

pub(crate) async fn show(State(views): State<Arc<Views>>, RawQuery(text): RawQuery) -> Result<Response, Problem> {
    let symbol: Symbol = Asked::new(text, &["symbol"])?.required("symbol")?;
    let topic = views.topic(Topic::MarketData.as_str()).await?;
    let told = told(views.bus.as_ref(), &topic, &symbol).await.map_err(|error| Problem::unavailable(&error))?;
    let resume = Places(topic.offsets.iter().map(|held| held.end).collect());
    let data = json!({"book": folded(told), "resume": resume.to_string()});
    Ok(success(StatusCode::OK, "order book", &data))
}

/// What the log has of a book.
#[derive(Debug, Default)]
struct Told {
    /// Newest first, back to one with a whole book if it is reached.
    batches: Vec<DepthBatch>,
    at: Millis,
    /// Whether a gap was told of after the newest batch.
    is_broken: bool,
}

impl Told {
    /// Takes an event of the symbol; events come newest first.
    fn take(&mut self, event: &Message, at: Millis) {
        let is_of = |kind: EventType| event.attribute("type") == Some(kind.as_str());
        if is_of(EventType::DepthUpdated) {
            // Others may publish what they like on a topic; what is no batch changes no book.
            if let Ok(batch) = serde_json::from_slice::<DepthBatch>(event.body()) {
                self.at = self.at.max(at);
                self.batches.push(batch);
            }
        } else if self.batches.is_empty() && is_of(EventType::FeedInterrupted) {
            let gap = serde_json::from_slice::<FeedInterrupted>(event.body());
            self.is_broken |= gap.is_ok_and(|gap| gap.stream == "depth" && gap.state == GapState::Open);
        }
    }

    fn is_whole(&self) -> bool {
        self.batches.last().is_some_and(|batch| batch.snapshot.is_some())
    }
}

/// Reads backwards until the whole book is there, or too much was read.
async fn told(bus: &dyn Bus, topic: &TopicDescription, symbol: &Symbol) -> Result<Told, Error> {
    let partition = partition_for_key(symbol.as_str().as_bytes(), topic.offsets.len().try_into().unwrap_or(u32::MAX));
    let Some(held) = topic.offsets.get(partition as usize) else { return Ok(Told::default()) };
    let (mut told, mut end, mut bytes) = (Told::default(), held.end, 0);
    while end > held.start && bytes < MOST_BYTES && !told.is_whole() {
        let start = end.saturating_sub(RECORDS_PER_READ).max(held.start);
        let mut records = Vec::new();
        let mut next = start;
        while next < end {
            let wanted = usize::try_from(end - next).unwrap_or(usize::MAX);
            let read = bus.read(&topic.name, partition, next, wanted, BYTES_PER_READ).await?;
            let Some(last) = read.last() else { break };
            next = last.offset + 1;
            bytes += read.iter().map(|stored| stored.record.size()).sum::<usize>();
            records.extend(read.into_iter().filter(|stored| stored.offset < end && is_of(stored, symbol)));
        }
        for stored in records.into_iter().rev() {
            let at = stored.record.timestamp;
            if let Ok(event) = Message::from_record(stored.record) {
                told.take(&event, at);
            }
            if told.is_whole() {
                break;
            }
        }
        end = start;
    }
    Ok(told)
}

/// Whether a record has the key of the symbol, which is cheaper to see than what is in it.
fn is_of(stored: &StoredRecord, symbol: &Symbol) -> bool {
    stored.record.key.as_deref() == Some(symbol.as_str().as_bytes())
}

/// The book after all that was told; none if nothing was.
fn folded(told: Told) -> Option<Book> {
    let trust = match (told.is_broken, told.is_whole()) {
        (true, _) => Trust::Broken,
        (false, true) => Trust::Whole,
        (false, false) => Trust::Partial,
    };
    let (at, last) = (told.at, told.batches.first()?);
    let best = last.best;
    let (mut bids, mut asks, mut last_update_id) = (BTreeMap::new(), BTreeMap::new(), 0);
    for DepthBatch { snapshot, updates, .. } in told.batches.into_iter().rev() {
        if let Some(DepthSnapshot { last_update_id: last, bids: all_bids, asks: all_asks }) = snapshot {
            (bids, asks, last_update_id) = (all_bids.into_iter().collect(), all_asks.into_iter().collect(), last);
        }
        for update in updates {
            if update.last > last_update_id {
                set(&mut bids, update.bids);
                set(&mut asks, update.asks);
                last_update_id = update.last;
            }
        }
    }
    if let Some([(bid, _), (ask, _)]) = best {
        // Of changes alone, levels may be left that the price has gone past.
        bids.retain(|price, _| *price <= bid);
        asks.retain(|price, _| *price >= ask);
    }
    Some(Book { last_update_id, bids: bids.into_iter().rev().collect(), asks: asks.into_iter().collect(), trust, at })
}

fn set(side: &mut BTreeMap<Decimal, Decimal>, levels: Vec<Level>) {
    for (price, quantity) in levels {
        if quantity.is_zero() {
            side.remove(&price);
        } else {
            side.insert(price, quantity);
        }
    }
}
