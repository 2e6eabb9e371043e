//! A market that is played again from recorded frames, as they came and when they came.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use streamforge_events::Millis;

use super::{live::Emission, market::Listing};
use crate::{
    Error,
    capture::Capture,
    frame::{self, Frame},
};

/// Recorded frames of streams and snapshots.
#[derive(Debug)]
pub(super) struct Captured {
    listings: Vec<Listing>,
    streams: BTreeMap<String, Arc<str>>,
    /// Frames of streams in the order in which they came: when, which stream, data.
    frames: Vec<(Millis, Arc<str>, String)>,
    /// Snapshots by symbol, in the order in which they came.
    snapshots: BTreeMap<String, Vec<(Millis, String)>>,
}

impl Captured {
    /// Reads all files of a folder.
    ///
    /// A snapshot that does not say whose it is belongs to the only symbol there is.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let mut captured =
            Self { listings: Vec::new(), streams: BTreeMap::new(), frames: Vec::new(), snapshots: BTreeMap::new() };
        let mut foundlings = Vec::new();
        for recorded in Capture::open(folder)? {
            let recorded = recorded?;
            let time = recorded.received / 1_000_000;
            let named = recorded.parameter("symbol").map(str::to_owned);
            match frame::stream_of(&recorded.json) {
                Some((stream, data)) => {
                    let stream = captured.stream(&stream);
                    captured.frames.push((time, stream, data.to_owned()));
                }
                None if matches!(frame::frame(&recorded.json, None), Ok(Frame::Snapshot(_))) => match named {
                    Some(symbol) => {
                        captured.snapshots.entry(symbol).or_default().push((time, recorded.json));
                    }
                    None => foundlings.push((time, recorded.json)),
                },
                None => {}
            }
        }
        let symbols = captured.streams.keys().filter_map(|stream| stream.split_once('@'));
        let mut symbols: Vec<String> = symbols.map(|(symbol, _)| symbol.to_uppercase()).collect();
        symbols.dedup();
        captured.listings = symbols.iter().map(|symbol| listing(symbol)).collect();
        if let ([symbol], false) = (symbols.as_slice(), foundlings.is_empty()) {
            captured.snapshots.entry(symbol.clone()).or_default().extend(foundlings);
        }
        Ok(captured)
    }

    pub(super) fn listings(&self) -> &[Listing] {
        &self.listings
    }

    /// When the first frame came.
    pub(super) fn begins(&self) -> Millis {
        self.frames.first().map_or(0, |(time, ..)| *time)
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
        before.or(snapshots.first()).map(|(_, json)| json.as_str())
    }

    fn stream(&mut self, name: &str) -> Arc<str> {
        Arc::clone(self.streams.entry(name.to_owned()).or_insert_with(|| Arc::from(name)))
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
