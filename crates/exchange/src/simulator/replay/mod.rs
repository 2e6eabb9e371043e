//! A recorded market: files are served as they are, and coarser bars are made of finer ones or of trades.
//!
//! What a file lacks is served as nought, never guessed: the exchange's own sums show that a coarser bar is exactly
//! the sum of its parts, and a bar that of its trades, so nothing else is ever computed.

mod bars;
mod candles;
mod names;
mod recording;
mod trades;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use streamforge_events::{Interval, Kline, Millis};

use super::market::{AggTrade, Calendar, Listing, Selection, SingleTrade, TradeSelection};
use crate::Error;
use names::Content;
use recording::Recording;

/// The recorded market.
#[derive(Debug)]
pub(super) struct Replay {
    listings: Vec<Listing>,
    series: BTreeMap<String, Series>,
    recorded_until: Millis,
}

/// All that was recorded of one symbol.
#[derive(Debug, Default)]
struct Series {
    klines: BTreeMap<Interval, Recording>,
    trades: Vec<AggTrade>,
}

/// What one file holds.
enum Loaded {
    Klines(String, Interval, Recording),
    Trades(String, Vec<AggTrade>),
}

impl Replay {
    /// Reads and checks all recordings of `folder`, several files at a time.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let files = names::find(folder)?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = files.len().div_ceil(threads).max(1);
        let loaded: Vec<Result<Vec<Loaded>, Error>> = std::thread::scope(|scope| {
            let handles: Vec<_> = files
                .chunks(share)
                .map(|files| scope.spawn(|| files.iter().map(load).collect::<Result<Vec<_>, _>>()))
                .collect();
            let stopped = |_| Err(fail(folder, "reading it stopped unexpectedly".to_owned()));
            handles.into_iter().map(|handle| handle.join().unwrap_or_else(stopped)).collect()
        });
        let mut series: BTreeMap<String, Series> = BTreeMap::new();
        for file in loaded {
            for content in file? {
                match content {
                    Loaded::Klines(symbol, interval, recording) => {
                        let known = series.entry(symbol.clone()).or_default();
                        if known.klines.insert(interval, recording).is_some() {
                            return Err(fail(folder, format!("{symbol}-{interval} is recorded in two files")));
                        }
                    }
                    Loaded::Trades(symbol, trades) => {
                        series.entry(symbol).or_default().trades.extend(trades);
                    }
                }
            }
        }
        for known in series.values_mut() {
            known.trades.sort_by_key(|trade| trade.id);
            known.trades.dedup_by_key(|trade| trade.id);
        }
        let recorded_until = series.values().map(Series::recorded_until).max().unwrap_or(0);
        let listings = series.iter().map(|(symbol, series)| series.listing(symbol)).collect();
        Ok(Self { listings, series, recorded_until })
    }

    pub(super) fn listings(&self) -> &[Listing] {
        &self.listings
    }

    /// The first instant after everything recorded.
    pub(super) fn recorded_until(&self) -> Millis {
        self.recorded_until
    }

    pub(super) fn klines(
        &self,
        symbol: &str,
        interval: Interval,
        offset: Millis,
        selection: Selection,
        now: Millis,
    ) -> Vec<Kline> {
        let Some(series) = self.series.get(symbol) else {
            return Vec::new();
        };
        if series.klines.is_empty() {
            let first_day = series.trades.first().map_or(0, |trade| trade.time);
            return candles::select(&series.trades, Calendar { interval, offset, first_day }, selection, now);
        }
        let Some((finest, recording)) = series.source(interval, offset) else {
            tracing::warn!(symbol, %interval, "nothing is recorded that such bars could be made of");
            return Vec::new();
        };
        let calendar = Calendar { interval, offset, first_day: recording.first_open() };
        bars::select(recording, finest, calendar, selection, now)
    }

    pub(super) fn agg_trades(
        &self,
        symbol: &str,
        selection: TradeSelection,
        limit: usize,
        now: Millis,
    ) -> Vec<AggTrade> {
        let recorded = self.series.get(symbol).map_or(&[][..], |series| &series.trades);
        trades::select(recorded, selection, limit, now).to_vec()
    }

    /// Single trades were not recorded: each aggregate trade stands for its last one.
    pub(super) fn trades(&self, symbol: &str, from: Option<i64>, limit: usize, now: Millis) -> Vec<SingleTrade> {
        let recorded = self.series.get(symbol).map_or(&[][..], |series| &series.trades);
        trades::singles(recorded, from, limit, now)
    }
}

impl Series {
    /// The recording of `interval`, else the coarsest one of which its bars can be made.
    fn source(&self, interval: Interval, offset: Millis) -> Option<(Interval, &Recording)> {
        let fits = |finer: Interval| finer == interval && offset == 0 || bars::is_made_of(interval, finer, offset);
        self.klines.iter().rev().find(|(finer, _)| fits(**finer)).map(|(finer, recording)| (*finer, recording))
    }

    fn recorded_until(&self) -> Millis {
        let klines = self.klines.iter().map(|(interval, recording)| interval.next_open(recording.last_open()));
        let trades = self.trades.last().map(|trade| trade.time + 1);
        klines.chain(trades).max().unwrap_or(0)
    }

    fn listing(&self, symbol: &str) -> Listing {
        const QUOTES: [&str; 11] = ["USDT", "FDUSD", "USDC", "BUSD", "TUSD", "BTC", "ETH", "BNB", "EUR", "TRY", "USD"];
        let quote = QUOTES.into_iter().find(|quote| symbol.len() > quote.len() && symbol.ends_with(quote));
        let quote = quote.unwrap_or_default();
        let volume_digits = self.klines.values().next().and_then(Recording::volume_digits).unwrap_or(8);
        Listing {
            symbol: symbol.to_owned(),
            base_asset: symbol[..symbol.len() - quote.len()].to_owned(),
            quote_asset: quote.to_owned(),
            base_asset_precision: volume_digits,
            price_digits: 8,
            quantity_digits: volume_digits,
        }
    }
}

fn load(file: &(PathBuf, String, Content)) -> Result<Loaded, Error> {
    let (path, symbol, content) = file;
    let text = recording::read(path)?;
    match content {
        Content::Klines { interval, layout } => {
            Ok(Loaded::Klines(symbol.clone(), *interval, Recording::parse(path, text, *layout)?))
        }
        Content::AggTrades => Ok(Loaded::Trades(symbol.clone(), trades::parse(path, &text)?)),
    }
}

fn fail(place: &Path, reason: String) -> Error {
    Error::Source { place: place.display().to_string(), reason }
}

fn fail_at(path: &Path, line: usize, reason: &str) -> Error {
    Error::Source { place: format!("{}:{line}", path.display()), reason: reason.to_owned() }
}
