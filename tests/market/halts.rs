//! Outages, halts, relaunches and delistings: what is missing is told and nothing is computed across it.

use std::collections::BTreeMap;

use crate::{
    definition::assert_graph,
    recording::{Rows, assert_whole_way, lines, open_time, recordings, walk},
    support::Folder,
};

const HOUR: i64 = 3_600_000;
/// 2023-01-01.
const NEW_YEAR: i64 = 1_672_531_200_000;

fn next_hour(open: i64) -> i64 {
    open + HOUR
}

#[test]
fn an_outage_of_all_and_a_halt_of_one_stay_gaps() {
    let all = 0..72;
    let outage = 30..31;
    // The second symbol halts as well, the third is delisted.
    let (halt, delisted) = (40..60, 65..72);
    let mut rows = Rows::new();
    for (symbol, gap) in [("AAAUSDT", outage.clone()), ("BBBUSDT", halt), ("CCCUSDT", delisted)] {
        let hours = all.clone().filter(|hour| !outage.contains(hour) && !gap.contains(hour));
        let open_times: Vec<i64> = hours.map(|hour| NEW_YEAR + hour * HOUR).collect();
        rows.insert(symbol.to_owned(), walk(&open_times, next_hour, i64::from(symbol.as_bytes()[0])));
    }
    // The relaunched asset has another price.
    for row in rows.get_mut("BBBUSDT").unwrap().iter_mut().skip(39) {
        *row = row.replace("\"1", "\"201");
    }
    let folder = Folder::new();
    let closes = assert_whole_way(&folder, ("1h", "2023-01-01:2023-01-03"), &rows, next_hour);
    assert!(assert_graph(&folder.graph(), &closes, next_hour) >= 2, "the gaps would have mattered");
}

#[test]
fn the_outage_of_march_2023_is_told_for_every_symbol() {
    let Some(folder) = recordings("klines_native/1h_outage_2023-03") else { return };
    let rows: Rows = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            (name.split('-').next().unwrap().to_owned(), lines(&path))
        })
        .collect();
    assert_eq!(rows.len(), 10);
    let folder = Folder::new();
    let closes = assert_whole_way(&folder, ("1h", "2023-03-01:2023-03-31"), &rows, next_hour);
    let graph = folder.graph();
    assert!(assert_graph(&graph, &closes, next_hour) > 0, "the outage would have mattered");
    // 743 bars, two returns of the missing one; the bar that the outage cut short has its own.
    assert!(graph["edges"].as_array().unwrap().iter().all(|edge| edge["observations"] == 743 - 2));
}

/// A file of six columns as the rows that the exchange would send, without what was not recorded.
fn six_columns(symbol: &str) -> Option<Vec<String>> {
    let folder = recordings("klines_edge_1h")?;
    let rows = lines(&folder.join(format!("{symbol}-1h.csv.gz"))).into_iter().skip(1).map(|line| {
        let [open, rest @ ..] = &line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        format!(r#"[{open},"{}",0,"0",0,"0","0","0"]"#, rest.join("\",\""))
    });
    Some(rows.collect())
}

/// The part of some recordings inside of days.
fn edge_rows(symbols: &[&str], from: i64, to: i64) -> Option<Rows> {
    let mut all = Rows::new();
    for symbol in symbols {
        let rows = six_columns(symbol)?.into_iter().filter(|row| (from..to).contains(&open_time(row)));
        all.insert((*symbol).to_owned(), rows.collect());
    }
    Some(all)
}

#[test]
fn a_relaunch_under_the_same_name_joins_no_prices() {
    // From 2022-04-01 to 2022-08-02: LUNA halts in May and comes back as another asset.
    let Some(rows) = edge_rows(&["FTTUSDT", "LUNAUSDT"], 1_648_771_200_000, 1_659_398_400_000) else { return };
    let folder = Folder::new();
    let closes = assert_whole_way(&folder, ("1h", "2022-04-01:2022-08-01"), &rows, next_hour);
    assert_eq!(assert_graph(&folder.graph(), &closes, next_hour), 1, "the jump of 20,000 times would have mattered");
    assert_eq!(closes["LUNAUSDT"].len(), 2500);
}

#[test]
fn months_of_halt_and_a_delisting_leave_the_rest_whole() {
    // From 2022-11-01 to 2023-12-31: FTT halts for ten months, PERL ends, SHIB has volumes beyond 64 bits.
    let symbols = ["FTTUSDT", "PERLUSDT", "SHIBUSDT"];
    let Some(rows) = edge_rows(&symbols, 1_667_260_800_000, 1_703_980_800_000) else { return };
    let folder = Folder::new();
    let closes = assert_whole_way(&folder, ("1h", "2022-11-01:2023-12-30"), &rows, next_hour);
    let changed = assert_graph(&folder.graph(), &closes, next_hour);
    assert!(changed > 0, "the gaps would have mattered");
    let last: BTreeMap<&str, i64> =
        rows.iter().map(|(name, rows)| (name.as_str(), open_time(&rows[rows.len() - 1]))).collect();
    assert!(last["PERLUSDT"] < last["SHIBUSDT"], "a delisted symbol has no bars behind its end");
    assert!(rows["SHIBUSDT"].iter().any(|row| row.contains("\"18") && row.len() > 100));
}
