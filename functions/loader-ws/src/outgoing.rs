//! The events of what came: batches by symbol, in the order in which they came.

use std::collections::BTreeMap;

use serde::Serialize;
use streamforge_events::{
    Clocks, DepthBatch, Envelope, Error, Event, EventType, FeedInterrupted, GapState, Interval, Kline, KlineBatch,
    Millis, Symbol, Trade, TradeBatch, data, event_type,
};

use crate::{NAME, output::Output};

/// Most rows of one batch.
const MOST_ROWS: usize = 1_000;

/// Rows of one symbol that came in the same way.
struct Rows<Row> {
    taken: Vec<Row>,
    clocks: Vec<Clocks>,
    read_at: Millis,
}

/// Where a row came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Live,
    Filled,
}

/// The events of outputs; ids follow from what is in them.
///
/// # Errors
/// If one has no form on the wire.
pub(crate) fn events(outputs: Vec<Output>) -> Result<Vec<Event>, Error> {
    let mut trades: BTreeMap<(Symbol, Way), Rows<Trade>> = BTreeMap::new();
    let mut bars: BTreeMap<(Symbol, Interval, Way), Rows<Kline>> = BTreeMap::new();
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for output in outputs {
        match output {
            Output::Trade { symbol, row, clocks, read_at } => {
                trades.entry((symbol, way(clocks))).or_default().add(row, clocks, read_at);
            }
            Output::Bar { symbol, interval, row, clocks, read_at } => {
                bars.entry((symbol, interval, way(clocks))).or_default().add(row, clocks, read_at);
            }
            Output::Depth(batch) => {
                let (first, last) = (batch.updates.first(), batch.updates.last());
                let from = first.map_or(0, |update| update.first);
                let to = last.map_or(0, |update| update.last);
                let time = last.map_or(0, |update| update.clocks.event_time);
                let begins = if batch.snapshot.is_some() { "/begins" } else { "" };
                let id = format!("{}/depth/{from}-{to}{begins}", batch.symbol);
                others.push(event(EventType::DepthUpdated, id, &batch.symbol.clone(), time, Vec::new(), &batch)?);
            }
            Output::Gap(gap) => {
                let id = format!("{}/{}/{}-{}/{:?}/{}", gap.symbol, gap.stream, gap.from, gap.to, gap.state, gap.since);
                let symbol = gap.symbol.clone();
                let event = event(EventType::FeedInterrupted, id, &symbol, gap.since, Vec::new(), &gap)?;
                // Whoever reads the rows after a gap knows of it by then.
                let is_before_rows = gap.state == GapState::Open && gap.stream != "depth";
                if is_before_rows { found.push(event) } else { others.push(event) }
            }
        }
    }
    let mut events = found;
    for ((symbol, way), rows) in trades {
        let read_at = rows.read_at;
        for (rows, clocks) in rows.chunks() {
            let (first, last) = (rows.first().map_or(0, |row| row.trade_id), rows.last().map_or(0, |row| row.trade_id));
            let id = format!("{symbol}/trades/{first}-{last}/{}{}", rows.len(), way.suffix());
            let batch = TradeBatch { symbol: symbol.clone(), batch: 0, read_at, rows, clocks };
            events.push(event(EventType::TradesLoaded, id, &symbol, read_at, way.extensions(), &batch)?);
        }
    }
    for ((symbol, interval, way), rows) in bars {
        let read_at = rows.read_at;
        for (rows, clocks) in rows.chunks() {
            let (first, last) =
                (rows.first().map_or(0, |row| row.open_time), rows.last().map_or(0, |row| row.open_time));
            let id = format!("{symbol}/klines_{interval}/{first}-{last}/{}{}", rows.len(), way.suffix());
            let mut extensions = way.extensions();
            // The newest there is, however it came: what waits for new bars must hear of it.
            if way == Way::Live || read_at < interval.next_open(interval.next_open(last)) {
                extensions.push(("fresh".to_owned(), "true".to_owned()));
            }
            let batch = KlineBatch { symbol: symbol.clone(), interval, batch: 0, read_at, rows, clocks };
            events.push(event(EventType::KlinesLoaded, id, &symbol, read_at, extensions, &batch)?);
        }
    }
    events.extend(others);
    Ok(events)
}

/// The word that stands for an event which cannot be published: what is missing on the topic for want of it.
pub(crate) fn declared(event: &Event, why: &str) -> Option<Event> {
    let (symbol, stream, numbers, since) = match event_type(event).ok()? {
        EventType::TradesLoaded => {
            let batch: TradeBatch = data(event).ok()?;
            let numbers = (batch.rows.first()?.trade_id, batch.rows.last()?.trade_id);
            (batch.symbol, "trades".to_owned(), numbers, batch.read_at)
        }
        EventType::KlinesLoaded => {
            let batch: KlineBatch = data(event).ok()?;
            let numbers = (batch.rows.first()?.open_time, batch.rows.last()?.open_time);
            (batch.symbol, format!("klines_{}", batch.interval), numbers, batch.read_at)
        }
        EventType::DepthUpdated => {
            let batch: DepthBatch = data(event).ok()?;
            let (first, last) = (batch.updates.first(), batch.updates.last());
            let end = batch.snapshot.map_or(0, |snapshot| snapshot.last_update_id);
            let numbers = (first.map_or(end, |update| update.first), last.map_or(end, |update| update.last));
            let numbers = (i64::try_from(numbers.0).ok()?, i64::try_from(numbers.1).ok()?);
            (batch.symbol, "depth".to_owned(), numbers, last.map_or(0, |update| update.clocks.event_time))
        }
        _ => return None,
    };
    let (from, to) = (u64::try_from(numbers.0).ok()?, u64::try_from(numbers.1).ok()?);
    let gap = FeedInterrupted { symbol, stream, from, to, state: GapState::Left, why: why.to_owned(), since };
    events(vec![Output::Gap(gap)]).ok()?.pop()
}

impl<Row> Default for Rows<Row> {
    fn default() -> Self {
        Self { taken: Vec::new(), clocks: Vec::new(), read_at: 0 }
    }
}

impl<Row> Rows<Row> {
    fn add(&mut self, row: Row, clocks: Option<Clocks>, read_at: Millis) {
        self.taken.push(row);
        self.clocks.extend(clocks);
        self.read_at = self.read_at.max(read_at);
    }

    fn chunks(self) -> Vec<(Vec<Row>, Vec<Clocks>)> {
        let (mut rows, mut clocks) = (self.taken.into_iter(), self.clocks.into_iter());
        let mut chunks = Vec::new();
        loop {
            let chunk: Vec<Row> = rows.by_ref().take(MOST_ROWS).collect();
            if chunk.is_empty() {
                return chunks;
            }
            chunks.push((chunk, clocks.by_ref().take(MOST_ROWS).collect()));
        }
    }
}

impl Way {
    fn suffix(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Filled => "/filled",
        }
    }

    fn extensions(self) -> Vec<(String, String)> {
        match self {
            Self::Live => Vec::new(),
            Self::Filled => vec![("filled".to_owned(), "true".to_owned())],
        }
    }
}

fn way(clocks: Option<Clocks>) -> Way {
    if clocks.is_some() { Way::Live } else { Way::Filled }
}

fn event<T: Serialize>(
    kind: EventType,
    id: String,
    symbol: &Symbol,
    time: Millis,
    mut extensions: Vec<(String, String)>,
    payload: &T,
) -> Result<Event, Error> {
    extensions.push(("partitionkey".to_owned(), symbol.to_string()));
    let envelope =
        Envelope { id, source: format!("/streamforge/{NAME}"), kind, subject: symbol.to_string(), time, extensions };
    envelope.build(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(trade_id: i64) -> Output {
        let (price, quantity) = ("1".parse().unwrap(), "2".parse().unwrap());
        let row = Trade { trade_id, price, quantity, timestamp: 5, is_buyer_maker: true };
        Output::Trade { symbol: "BTCUSDT".parse().unwrap(), row, clocks: None, read_at: 7 }
    }

    #[test]
    fn what_cannot_be_published_is_told_of() {
        let event = events(vec![trade(3), trade(4)]).unwrap().pop().unwrap();
        let told: FeedInterrupted = data(&declared(&event, "too large").unwrap()).unwrap();
        assert_eq!((told.stream.as_str(), told.from, told.to, told.state), ("trades", 3, 4, GapState::Left));
        assert_eq!((told.why.as_str(), told.since), ("too large", 7));
        assert!(declared(&declared(&event, "once").unwrap(), "twice").is_none());
    }
}
