//! Names of streams, and the paths that name some.

use percent_encoding::percent_decode_str;
use streamforge_events::{Interval, StreamKind};

/// What a stream tells of its symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    AggTrade,
    Trade,
    Kline(Interval),
    /// Differences of the book; the length of time between two in steps of the book.
    Depth(i64),
    BookTicker,
}

/// What a client asks for as it connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Whether frames say which stream they belong to.
    pub(super) is_combined: bool,
    pub(super) streams: Vec<String>,
}

/// Reads `/ws`, `/ws/A/B` and `/stream?streams=A/B`; none for any other path.
pub(super) fn asked(path: &str, query: &str) -> Option<Asked> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let list = |text: &str| text.split('/').filter(|name| !name.is_empty()).map(decoded).collect();
    if path == "/stream" {
        let streams = query.split('&').find_map(|part| part.strip_prefix("streams=")).unwrap_or_default();
        return Some(Asked { is_combined: true, streams: list(&decoded(streams)) });
    }
    let streams = path.strip_prefix("/ws")?;
    Some(Asked { is_combined: false, streams: list(streams) })
}

/// Whose records a stream brings and which, where the platform listens to streams like it.
pub(in crate::simulator) fn kind(stream: &str) -> Option<(String, StreamKind)> {
    let (symbol, kind) = parse(stream)?;
    let kind = match kind {
        Kind::AggTrade => StreamKind::Trades,
        Kind::Kline(interval) => StreamKind::Klines(interval),
        Kind::Depth(1) => StreamKind::OrderBook,
        Kind::Trade | Kind::Depth(_) | Kind::BookTicker => return None,
    };
    Some((symbol, kind))
}

/// The symbol and the kind of a stream; none for one that the exchange takes and that stays silent for ever.
pub(super) fn parse(stream: &str) -> Option<(String, Kind)> {
    let (symbol, kind) = stream.split_once('@')?;
    if symbol.chars().any(char::is_uppercase) {
        return None;
    }
    let kind = match kind {
        "aggTrade" => Kind::AggTrade,
        "trade" => Kind::Trade,
        "depth" | "depth@1000ms" => Kind::Depth(10),
        "depth@100ms" => Kind::Depth(1),
        "bookTicker" => Kind::BookTicker,
        _ => Kind::Kline(kind.strip_prefix("kline_")?.parse().ok()?),
    };
    Some((symbol.to_uppercase(), kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_streams() {
        let asked = |path: &str, query: &str| asked(path, query).map(|asked| (asked.is_combined, asked.streams.len()));
        assert_eq!(asked("/stream", "streams=a@trade/b@depth&timeUnit=MICROSECOND"), Some((true, 2)));
        assert_eq!(asked("/stream", ""), Some((true, 0)));
        assert_eq!(asked("/ws", ""), Some((false, 0)));
        assert_eq!(asked("/ws/a@trade", ""), Some((false, 1)));
        assert_eq!(asked("/api/v3/time", ""), None);
    }

    #[test]
    fn streams_that_do_not_exist_are_none() {
        assert_eq!(parse("btcusdt@kline_1M"), Some(("BTCUSDT".to_owned(), Kind::Kline(Interval::Mo1))));
        for silent in ["BTCUSDT@trade", "btcusdt", "btcusdt@depth30", "btcusdt@depth@50ms", "btcusdt@kline_7m"] {
            assert_eq!(parse(silent), None, "{silent}");
        }
    }
}
