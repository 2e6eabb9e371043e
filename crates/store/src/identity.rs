//! What a series is called in a store, and whether it holds what it is asked for.

use streamforge_events::{Interval, SeriesId, SeriesKind};

use crate::Error;

pub(crate) fn expect_klines(series: &SeriesId) -> Result<(), Error> {
    match series.kind {
        SeriesKind::Klines(_) => Ok(()),
        SeriesKind::Trades => Err(Error::Kind { series: name(series), asked: "klines" }),
    }
}

pub(crate) fn expect_trades(series: &SeriesId) -> Result<(), Error> {
    match series.kind {
        SeriesKind::Trades => Ok(()),
        SeriesKind::Klines(_) => Err(Error::Kind { series: name(series), asked: "trades" }),
    }
}

fn name(series: &SeriesId) -> String {
    let (kind, interval) = words(series.kind);
    format!("{} {kind} {interval}", series.symbol).trim_end().to_owned()
}

/// The kind as the two words that are stored of it; that of trades has no interval.
pub(crate) fn words(kind: SeriesKind) -> (&'static str, &'static str) {
    match kind {
        SeriesKind::Klines(interval) => ("klines", interval.as_str()),
        SeriesKind::Trades => ("trades", ""),
    }
}

/// The series that was stored in these words, or what is wrong with them.
pub(crate) fn of_words(symbol: &str, kind: &str, interval: &str) -> Result<SeriesId, String> {
    let unreadable = |text: &str| format!("stored value `{text}` cannot be read");
    let kind = match kind {
        "klines" => SeriesKind::Klines(interval.parse().map_err(|_| unreadable(interval))?),
        "trades" => SeriesKind::Trades,
        other => return Err(format!("kind of series `{other}` is not known")),
    };
    Ok(SeriesId { symbol: symbol.parse().map_err(|_| unreadable(symbol))?, kind })
}

/// Sorts by symbol, then kind.
pub(crate) fn sort(series: &mut [SeriesId]) {
    series.sort_by(|a, b| {
        (&a.symbol, words(a.kind).0, interval_of(a)).cmp(&(&b.symbol, words(b.kind).0, interval_of(b)))
    });
}

fn interval_of(series: &SeriesId) -> Option<Interval> {
    match series.kind {
        SeriesKind::Klines(interval) => Some(interval),
        SeriesKind::Trades => None,
    }
}
