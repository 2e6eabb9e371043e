//! Names in any script and numbers of any size come out as they went in.

use crate::{
    definition::assert_graph,
    recording::{Rows, assert_whole_way, row},
    support::Folder,
};

const MINUTE: i64 = 60_000;
/// 2026-03-01.
const MARCH: i64 = 1_772_323_200_000;

fn next_minute(open: i64) -> i64 {
    open + MINUTE
}

/// A day of bars with these closes in turn.
fn day(closes: &[&str], volume: &str) -> Vec<String> {
    let bar = |number: i64| {
        let open = MARCH + number * MINUTE;
        let close = closes[usize::try_from(number * number).unwrap() % closes.len()];
        row(open, next_minute(open), close, volume)
    };
    (0..1440).map(bar).collect()
}

#[test]
fn unicode_names_large_volumes_and_tiny_prices_survive() {
    let rows = Rows::from([
        (
            "币安人生USDT".to_owned(),
            day(&["0.03140000", "0.03150000", "0.03120000", "0.03170000", "0.03110000"], "12.00"),
        ),
        // More than 2^64 without a point, and more digits than a double holds.
        (
            "SHIBUSDT".to_owned(),
            day(&["0.0000000001", "0.0000000003", "0.0000000002"], "18446744073709551617.12345678"),
        ),
        ("PEPEBTC".to_owned(), day(&["0.000000000001", "0.000000000002"], "9999999999999999999999999999")),
        ("BTCUSDT".to_owned(), day(&["93738.19000000", "93720.44000000", "93801.00000001"], "0.00000001")),
    ]);
    let folder = Folder::new();
    let closes = assert_whole_way(&folder, ("1m", "2026-03-01:2026-03-01"), &rows, next_minute);
    assert_graph(&folder.graph(), &closes, next_minute);
}
