//! The replayed market: small files made here, and the recorded data where it lies beside the project.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use serde_json::Value;
use streamforge_events::Interval;
use streamforge_exchange::simulator::{Clock, SimulatorConfig, Source};

use crate::{
    client_windows::{range, symbol},
    server::{HOUR, MIDNIGHT, MINUTE, Server, start},
};

fn recorded(folder: &str) -> Option<PathBuf> {
    let data = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")).join(folder);
    if !data.is_dir() {
        eprintln!("skipped: no recorded data in {}", data.display());
        return None;
    }
    Some(data)
}

async fn replay(folder: &Path) -> Server {
    let mut config = SimulatorConfig::new(Source::replay(folder).unwrap());
    config.weight_limit = None;
    start(config).await
}

fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

fn bar(open: i64, length: i64, price: &str, volume: &str) -> String {
    let close = open + length - 1;
    format!(
        r#"[{open},"{price}","{price}","{price}","{price}","{volume}",{close},"2.50000000",3,"1.00","0.50000000","0"]"#
    )
}

#[tokio::test]
async fn coarser_bars_are_made_of_the_parts_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let part = |number: i64, price: &str| bar(MIDNIGHT + number * 15 * MINUTE, 15 * MINUTE, price, "610009597781.00");
    // One part of the first hour, none of the second, all four of the third.
    let parts = [part(2, "5.0"), part(8, "1.0"), part(9, "3.0"), part(10, "0.5"), part(11, "2.0")];
    std::fs::write(folder.path().join("SHIBUSDT-15m.ndjson"), parts.join("\n")).unwrap();
    let server = replay(folder.path()).await;
    let target = format!("klines?symbol=SHIBUSDT&interval=1h&startTime={MIDNIGHT}");
    let close = MIDNIGHT + 3 * HOUR - 1;
    let third = format!(
        r#"[{},"1.0","3.0","0.5","2.0","2440038391124.00",{close},"10.00000000",12,"4.00","2.00000000","0"]"#,
        MIDNIGHT + 2 * HOUR
    );
    let first = bar(MIDNIGHT + 30 * MINUTE, 15 * MINUTE, "5.0", "610009597781.00");
    let first = first.replacen(&(MIDNIGHT + 30 * MINUTE).to_string(), &MIDNIGHT.to_string(), 1);
    assert_eq!(server.get(&target).await.body, format!("[{first},{third}]"));
    assert_eq!(server.opens("klines?symbol=SHIBUSDT&interval=1h&limit=1").await, [MIDNIGHT + 2 * HOUR]);
    assert_eq!(server.opens("klines?symbol=SHIBUSDT&interval=5m").await, [0; 0]);
    let exact = format!("klines?symbol=SHIBUSDT&interval=15m&endTime={}", MIDNIGHT + 2 * HOUR);
    assert_eq!(server.get(&exact).await.body, format!("[{},{}]", parts[0], parts[1]));
}

#[tokio::test]
async fn a_bar_is_provisional_while_it_is_open() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("BTCUSDT-1h.ndjson"), bar(MIDNIGHT, HOUR, "5.0", "7.00")).unwrap();
    let mut config = SimulatorConfig::new(Source::replay(folder.path()).unwrap());
    config.clock = Clock::Frozen(MIDNIGHT + MINUTE);
    let server = start(config).await;
    let rows = server.rows("klines?symbol=BTCUSDT&interval=1h").await;
    assert_eq!((rows[0][5].as_str(), rows[0][8].as_i64()), (Some("0.00"), Some(0)));
    let page = server.client().klines_window(&symbol("BTCUSDT"), Interval::H1, range(MIDNIGHT, MIDNIGHT + HOUR)).await;
    assert_eq!(page.unwrap().rows, []);
}

#[tokio::test]
async fn every_recorded_bar_comes_through_byte_for_byte() {
    let Some(folder) = recorded("klines_native/15m_2024-12-30_2026-04-30") else {
        return;
    };
    let server = replay(&folder).await;
    let text = unpacked(&folder.join("BTCUSDT-15m.ndjson.gz"));
    let lines: Vec<&str> = text.lines().collect();
    let mut pages = Vec::new();
    let mut start = 0;
    loop {
        let target = format!("klines?symbol=BTCUSDT&interval=15m&startTime={start}&limit=1000");
        let body = server.get(&target).await.body;
        let rows: Vec<Value> = serde_json::from_str(&body).unwrap();
        let Some(last) = rows.last() else { break };
        start = last[6].as_i64().unwrap() + 1;
        pages.push(body[1..body.len() - 1].replace("],[", "]\n["));
    }
    assert_eq!(lines.len(), 46_673);
    assert!(pages.join("\n") == lines.join("\n"));

    let hour = server.rows("klines?symbol=BTCUSDT&interval=1h&startTime=1735516800000&limit=1").await;
    let parts: Vec<Value> = lines[..4].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let volume: f64 = parts.iter().map(|part| part[5].as_str().unwrap().parse::<f64>().unwrap()).sum();
    assert!((hour[0][5].as_str().unwrap().parse::<f64>().unwrap() - volume).abs() < 1e-6);
    assert_eq!((&hour[0][1], &hour[0][4], &hour[0][6]), (&parts[0][1], &parts[3][4], &parts[3][6]));
    let count: i64 = parts.iter().map(|part| part[8].as_i64().unwrap()).sum();
    assert_eq!(hour[0][8], count);
}

#[tokio::test]
async fn an_outage_month_is_read_as_it_was() {
    let Some(folder) = recorded("klines_native/1h_outage_2023-03") else {
        return;
    };
    let server = replay(&folder).await;
    let client = server.client();
    let month = range(1_677_628_800_000, 1_680_307_200_000);
    let page = client.klines_window(&symbol("BTCUSDT"), Interval::H1, month).await.unwrap();
    assert_eq!((page.rows.len(), page.complete_until), (743, month.to()));
    let noon = 1_679_659_200_000; // 2023-03-24T12:00:00Z
    let cut = page.rows.iter().find(|kline| kline.open_time == noon).unwrap();
    assert_eq!((cut.number_of_trades, cut.close_time), (0, noon + 39 * MINUTE + 41_646));
    assert!(page.rows.iter().all(|kline| kline.open_time != noon + HOUR));
    let hole =
        client.klines_window(&symbol("BTCUSDT"), Interval::H1, range(noon + HOUR, noon + 2 * HOUR)).await.unwrap();
    assert_eq!((hole.rows.len(), hole.complete_until), (0, noon + 2 * HOUR));
}

#[tokio::test]
async fn volumes_beyond_64_bits_and_absent_fields_survive() {
    let Some(folder) = recorded("klines_edge_1h") else {
        return;
    };
    let server = replay(&folder).await;
    let text = unpacked(&folder.join("SHIBUSDT-1h.csv.gz"));
    let volumes: BTreeMap<i64, &str> = text
        .lines()
        .skip(1)
        .map(|line| (line.split(',').next().unwrap().parse().unwrap(), line.rsplit(',').next().unwrap()))
        .collect();
    let (open, largest) = volumes.iter().find(|(_, volume)| **volume == "20350299676117.00").unwrap();
    let page =
        server.client().klines_window(&symbol("SHIBUSDT"), Interval::H1, range(*open, open + HOUR)).await.unwrap();
    assert_eq!(page.rows[0].volume.to_string(), *largest);
    assert_eq!((page.rows[0].close_time, page.rows[0].number_of_trades), (0, 0));
    assert_eq!(page.rows[0].taker_buy_quote_asset_volume.to_string(), "0");
}

#[tokio::test]
async fn recorded_trades_are_paged_by_id() {
    let Some(folder) = recorded("aggtrades") else {
        return;
    };
    let server = replay(&folder).await;
    let client = server.client();
    let ripple = symbol("XRPETH");
    let everything = range(1_570_000_000_000, 1_571_000_000_000);
    let mut next = client.first_agg_trade(&ripple, everything).await.unwrap().unwrap();
    assert_eq!(next, 13_519_807);
    let mut trades = Vec::new();
    loop {
        let page = client.agg_trades(&ripple, next, 1_000).await.unwrap();
        trades.extend(page.rows);
        next = page.next_id;
        if !page.is_full {
            break;
        }
    }
    assert_eq!((trades.len(), next), (12_477, 13_532_284));
    let text = unpacked(&folder.join("XRPETH-aggTrades-2019-10-11_13.ndjson.gz"));
    let target = "aggTrades?symbol=XRPETH&fromId=13519807&limit=1000";
    let lines: Vec<&str> = text.lines().take(1_000).collect();
    assert_eq!(server.get(target).await.body, format!("[{}]", lines.join(",")));
}
