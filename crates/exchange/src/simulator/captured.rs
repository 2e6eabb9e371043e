//! A market that is played again from recorded frames, as they came and when they came.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use streamforge_events::{Millis, StreamKind};

use super::{
    live::{self, Emission},
    market::Listing,
};
use crate::{
    Error,
    capture::Capture,
    frame::{self, Frame},
    recording::Mark,
};

/// Recorded frames of streams and snapshots.
#[derive(Debug)]
pub(super) struct Captured {
    listings: Vec<Listing>,
    streams: BTreeMap<String, Arc<str>>,
    /// Frames of streams in the order in which they came: when, which stream, data. Snapshots are a stream of their own.
    pub(super) frames: Vec<(Millis, Arc<str>, String)>,
    /// Snapshots by symbol, in the order in which they came: when, and the place among the frames.
    snapshots: BTreeMap<String, Vec<(Millis, usize)>>,
    contents: Contents,
}

/// What the platform can load of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Records by symbol and kind, each once: trades that are sound, bars that are closed, differences of books.
    pub records: BTreeMap<String, Vec<(StreamKind, u64)>>,
    /// How often the recording says that it was interrupted, or that frames were dropped.
    pub interruptions: u64,
    /// When the first frame came, and the last one.
    pub span: (Millis, Millis),
}

/// Records of one stream, by what tells them apart.
type Records = BTreeMap<(String, StreamKind), BTreeSet<i64>>;

impl Captured {
    /// Reads all files of a folder.
    ///
    /// A snapshot that does not say whose it is belongs to the symbol of its file, or to the only one there is.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let mut captured = Self {
            listings: Vec::new(),
            streams: BTreeMap::new(),
            frames: Vec::new(),
            snapshots: BTreeMap::new(),
            contents: Contents::default(),
        };
        let mut foundlings = Vec::new();
        let mut records = Records::new();
        let mut reader = frame::Reader::default();
        // A clock that was set back does not make the order another.
        let mut time = Millis::MIN;
        for recorded in Capture::open(folder)? {
            let recorded = recorded?;
            time = time.max(recorded.received / 1_000_000);
            let place = captured.frames.len();
            match frame::stream_of(&recorded.json) {
                Some((stream, data)) => {
                    captured.contents.note(&recorded.json, &stream, &mut reader, &mut records);
                    let stream = captured.stream(&stream);
                    captured.frames.push((time, stream, data.to_owned()));
                }
                None if matches!(frame::frame(&recorded.json, None), Ok(Frame::Snapshot(_))) => {
                    let stream = if let Some(symbol) = recorded.symbol().map(str::to_owned) {
                        captured.snapshot_of(&symbol, time, place)
                    } else {
                        foundlings.push((time, place));
                        Arc::from("")
                    };
                    captured.frames.push((time, stream, recorded.json));
                }
                None => {}
            }
        }
        let symbols = captured.streams.keys().filter_map(|stream| stream.split_once('@'));
        let symbols: BTreeSet<String> = symbols.map(|(symbol, _)| symbol.to_uppercase()).collect();
        if let [symbol] = symbols.iter().collect::<Vec<_>>()[..] {
            for (time, place) in foundlings {
                captured.frames[place].1 = captured.snapshot_of(symbol, time, place);
            }
        }
        captured.listings = symbols.iter().map(|symbol| listing(symbol)).collect();
        captured.contents.span = (captured.begins(), captured.ends());
        for ((symbol, kind), ids) in records {
            captured.contents.records.entry(symbol).or_default().push((kind, ids.len() as u64));
        }
        Ok(captured)
    }

    pub(super) fn listings(&self) -> &[Listing] {
        &self.listings
    }

    pub(super) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// When the first frame came.
    pub(super) fn begins(&self) -> Millis {
        self.frames.first().map_or(0, |(time, ..)| *time)
    }

    /// When the last frame came.
    pub(super) fn ends(&self) -> Millis {
        self.frames.last().map_or(0, |(time, ..)| *time)
    }

    /// How many frames had come at a time.
    pub(super) fn played_until(&self, time: Millis) -> usize {
        self.frames.partition_point(|(came, ..)| *came <= time)
    }

    /// Frames from `from` to `to`, exclusive, of the streams that are wanted.
    pub(super) fn frames(&self, from: Millis, to: Millis, wanted: impl Fn(&str) -> bool) -> Vec<Emission> {
        let place = |time: Millis| self.frames.partition_point(|(came, ..)| *came < time);
        let frames = &self.frames[place(from)..place(to).max(place(from))];
        let wanted = frames.iter().filter(|(_, stream, _)| wanted(stream));
        let emission = |(time, stream, data): &(Millis, Arc<str>, String)| Emission {
            time: *time,
            stream: Arc::clone(stream),
            data: data.clone(),
        };
        wanted.map(emission).collect()
    }

    /// The last snapshot before `now`, or else the first one.
    pub(super) fn snapshot(&self, symbol: &str, now: Millis) -> Option<&str> {
        let snapshots = self.snapshots.get(symbol)?;
        let before = snapshots.iter().rev().find(|(time, _)| *time <= now);
        before.or(snapshots.first()).map(|(_, place)| self.frames[*place].2.as_str())
    }

    fn snapshot_of(&mut self, symbol: &str, time: Millis, place: usize) -> Arc<str> {
        self.snapshots.entry(symbol.to_owned()).or_default().push((time, place));
        self.stream(&format!("{}@snapshot", symbol.to_lowercase()))
    }

    fn stream(&mut self, name: &str) -> Arc<str> {
        Arc::clone(self.streams.entry(name.to_owned()).or_insert_with(|| Arc::from(name)))
    }
}

impl Contents {
    fn note(&mut self, json: &str, stream: &str, reader: &mut frame::Reader, records: &mut Records) {
        if let Some(Mark::Interrupted { .. } | Mark::Overrun { .. }) = Mark::read(json) {
            self.interruptions += 1;
            return;
        }
        let Some((symbol, kind)) = live::kind(stream) else { return };
        let record = match reader.read(json, None) {
            // An id without a trade is none that could be stored.
            Ok(Frame::AggTrade { trade, .. }) if !trade.price.is_zero() && !trade.quantity.is_zero() => {
                i64::try_from(trade.id).ok()
            }
            Ok(Frame::Kline { kline, is_closed: true, .. }) => Some(kline.open_time),
            Ok(Frame::Depth { difference, .. }) => {
                let last = i64::try_from(difference.last).ok();
                reader.reuse(difference);
                last
            }
            _ => None,
        };
        records.entry((symbol, kind)).or_default().extend(record);
    }
}

fn listing(symbol: &str) -> Listing {
    let quotes = ["USDT", "BUSD", "USD", "BTC", "ETH", "EUR", "BNB"];
    let quote = quotes.into_iter().find(|quote| symbol.ends_with(quote) && symbol.len() > quote.len());
    let (base, quote) = symbol.split_at(symbol.len() - quote.map_or(0, str::len));
    Listing {
        symbol: symbol.to_owned(),
        base_asset: base.to_owned(),
        quote_asset: quote.to_owned(),
        base_asset_precision: 8,
        price_digits: 8,
        quantity_digits: 8,
    }
}
