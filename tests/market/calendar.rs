//! Weeks open on Monday and months on the first, UTC, whatever their length.

use crate::{
    definition::assert_graph,
    recording::{Rows, assert_whole_way, walk},
    support::Folder,
};

const DAY: i64 = 86_400_000;
const WEEK: i64 = 7 * DAY;

/// First days of months, counted in days since the epoch, from the lengths of months alone.
fn months(from_year: i64, to_year: i64) -> Vec<i64> {
    let mut day = 0;
    let mut opens = Vec::new();
    for year in 1970..to_year {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for length in [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            if year >= from_year {
                opens.push(day * DAY);
            }
            day += length;
        }
    }
    opens
}

fn without(open_times: &[i64], missing: &[usize]) -> Vec<i64> {
    open_times.iter().enumerate().filter(|(index, _)| !missing.contains(index)).map(|(_, open)| *open).collect()
}

#[test]
fn months_open_on_the_first() {
    let opens = months(2019, 2026);
    let all = &opens[..72];
    assert_eq!(all[14], 1_583_020_800_000, "2020-03-01 follows a day that comes every four years");
    let next = |open: i64| opens[opens.partition_point(|month| *month <= open)];
    // A leap February and three months in a row are missing.
    let holed = without(all, &[13, 40, 41, 42]);
    let rows = Rows::from([("AAAUSDT".to_owned(), walk(all, next, 3)), ("BBBUSDT".to_owned(), walk(&holed, next, 11))]);
    let folder = Folder::new();
    let closes = assert_whole_way(&folder, ("1M", "2019-01-01:2024-12-31"), &rows, next);
    assert_eq!(assert_graph(&folder.graph(), &closes, next), 1);
    assert_eq!(folder.graph()["edges"][0]["observations"], 72 - 1 - 2 - 4);
}

#[test]
fn weeks_open_on_monday() {
    // 1970-01-05 was the first Monday; this is 2018-12-31.
    let first = 4 * DAY + 2556 * WEEK;
    let all: Vec<i64> = (0..300).map(|week| first + week * WEEK).collect();
    let next = |open: i64| open + WEEK;
    let rows = Rows::from([
        ("AAAUSDT".to_owned(), walk(&all, next, 3)),
        ("BBBUSDT".to_owned(), walk(&without(&all, &[100, 101]), next, 11)),
    ]);
    let folder = Folder::new();
    // From a Monday to a Sunday.
    let closes = assert_whole_way(&folder, ("1w", "2018-12-31:2024-09-29"), &rows, next);
    assert_eq!(assert_graph(&folder.graph(), &closes, next), 1);
}

/// Days that are recorded make weeks and months; a range that begins inside one has not its bar.
#[test]
fn coarser_bars_of_days_keep_the_calendar() {
    let first = months(2024, 2025)[0];
    let days: Vec<i64> = (0..366).map(|day| first + day * DAY).collect();
    let next = |open: i64| open + DAY;
    let folder = Folder::new();
    let rows = Rows::from([("AAAUSDT".to_owned(), walk(&days, next, 5))]);
    let exchange = crate::recording::replayed(&folder, "1d", &rows);
    for (interval, days, expected) in [
        // 2024-01-10 was a Wednesday, 2024-03-10 a Sunday.
        ("1w", "2024-01-10:2024-03-10", (0..8).map(|week| first + 14 * DAY + week * WEEK).collect::<Vec<_>>()),
        ("1M", "2024-01-10:2024-06-30", months(2024, 2025)[1..6].to_vec()),
    ] {
        let request = crate::recording::request(&folder, &["AAAUSDT"], interval, days);
        folder.run(&request, &exchange);
        let exported = folder.candles("AAAUSDT", interval);
        let opens: Vec<i64> = exported.lines().map(crate::recording::open_time).collect();
        assert_eq!(opens, expected, "{interval}");
    }
}
