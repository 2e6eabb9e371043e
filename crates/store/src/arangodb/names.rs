//! Collections, and keys in them.
//!
//! # Source
//! <https://docs.arangodb.com/3.12/concepts/data-structure/documents/#document-keys>

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use streamforge_events::{SeriesId, SeriesKind};

pub(super) const CANDLES: &str = "candles";
pub(super) const TRADES: &str = "trades";
pub(super) const SERIES: &str = "series";
/// Workflow documents, under the name that their users know.
pub(super) const QUEUE_STATE: &str = "queue_state";
pub(super) const IDEMPOTENCY_KEYS: &str = "idempotency_keys";
pub(super) const GRAPHS: &str = "graphs";
pub(super) const ASSETS: &str = "assets";
pub(super) const ASSET_RELATIONS: &str = "asset_relations";
pub(super) const PREDICTIONS: &str = "predictions";
pub(super) const GAPS: &str = "gaps";
pub(super) const LEASES: &str = "leases";
pub(super) const SCHEMA: &str = "streamforge_schema";

/// The named graph of the assets.
pub(super) const ASSET_GRAPH: &str = "asset_graph";

/// `-` stands between the parts of a key, so it must not stand in one.
const IN_A_KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.');
/// A key in a path; `%` and all else that means something there is encoded.
const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-');

/// Key of a series, and prefix of its records' keys: letters outside of ASCII cannot stand in one.
pub(super) fn series_key(series: &SeriesId) -> String {
    let symbol = utf8_percent_encode(series.symbol.as_str(), IN_A_KEY);
    format!("binance-spot-{symbol}-{}", interval_or_trades(series.kind))
}

fn interval_or_trades(kind: SeriesKind) -> &'static str {
    match kind {
        SeriesKind::Klines(interval) => interval.as_str(),
        SeriesKind::Trades => "trades",
    }
}

/// Key of a record of a series; all keys of one have equally many digits, so that their order is that of the numbers.
pub(super) fn record_key(series_key: &str, number: i64) -> String {
    format!("{series_key}-{number:019}")
}

/// Key for any text, however long and of whichever letters.
pub(super) fn digest_key(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    hex(&digest.finalize())
}

/// Key for a text that is short enough to stay readable: three bytes for one of another alphabet, 200 bytes at most.
pub(super) fn text_key(text: &str) -> String {
    let key = utf8_percent_encode(text, IN_A_PATH).to_string();
    if key.len() <= 254 { key } else { digest_key(&[text]) }
}

/// Two digits a byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// A key as it may stand in a path.
pub(super) fn in_path(key: &str) -> String {
    utf8_percent_encode(key, IN_A_PATH).to_string()
}

#[cfg(test)]
mod tests {
    use streamforge_events::Interval;

    use super::*;

    fn klines(symbol: &str, interval: Interval) -> SeriesId {
        SeriesId { symbol: symbol.parse().unwrap(), kind: SeriesKind::Klines(interval) }
    }

    #[test]
    fn keys_are_legal_and_apart() {
        let key = record_key(&series_key(&klines("1000SATSUSDT", Interval::M5)), 1_722_470_400_000);
        assert_eq!(key, "binance-spot-1000SATSUSDT-5m-0000001722470400000");
        assert_eq!(series_key(&klines("A.B-C_D", Interval::H1)), "binance-spot-A.B%2DC_D-1h");
        let longest = record_key(&series_key(&klines(&"币".repeat(21), Interval::M1)), i64::MAX);
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.%".contains(&byte);
        assert!(longest.len() <= 254 && longest.bytes().all(is_legal), "{longest}");
        assert_ne!(digest_key(&["ab", "c"]), digest_key(&["a", "bc"]));
        assert_eq!(in_path("a%2D/b:../"), "a%252D%2Fb%3A..%2F");
    }
}
