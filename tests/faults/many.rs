//! Fifty workflows at the same time: each gets all of its own data, and small ones do not wait behind a large one.

use std::{collections::BTreeMap, thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    outcome::{left_over, until_delivered},
    support::{Exchange, Folder, Running, until},
};

const SYMBOLS: [&str; 7] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT"];
/// Small workflows, one day each.
const SMALL: usize = 49;
/// Bars of 15 minutes in a day.
const ROWS: u64 = 96;

/// Makes the large workflow last: it asks for twenty windows one after the other, a small one for a single one.
const DELAY: Duration = Duration::from_millis(900);

#[test]
fn fifty_workflows_at_once_all_end_and_small_ones_first() {
    let (folder, exchange) = (Folder::new(), Exchange::start(DELAY));
    let any = "127.0.0.1:0";
    let mut platform = folder.start(&["up", "--ingress", any, "--api", any, "--exchange", exchange.url()]);
    platform.first_json();
    let start = |request: &str| folder.start(&["run", request, "--exchange", exchange.url()]);
    let large = folder.write("large.json", request("LTCUSDT", "1m", "2026-01-01:2026-01-14"));
    let mut large = start(&large);
    until("the large workflow's first window", || (exchange.requests() > 0).then_some(()));

    let small: BTreeMap<usize, Running> = (0..SMALL)
        .map(|number| {
            let (symbol, day) = (SYMBOLS[number % 7], number / 7 + 1);
            let request = request(symbol, "15m", &format!("2026-02-{day:02}:2026-02-{day:02}"));
            (number, start(&folder.write(&format!("small-{number}.json"), request)))
        })
        .collect();
    thread::scope(|scope| {
        for (number, mut run) in small {
            scope.spawn(move || assert_complete(&mut run, SYMBOLS[number % 7], ROWS));
        }
    });
    assert_complete(&mut large, "LTCUSDT", 14 * 24 * 60);
    until_delivered(&folder);
    assert_workflows(&folder);
    assert_eq!(folder.dead_letters(), Vec::<Value>::new());
    for symbol in SYMBOLS {
        let exported = folder.candles(symbol, "15m");
        let rows: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let from = 1_769_904_000_000;
        assert!(rows == exchange.klines(symbol, "15m", from, from + 7 * 86_400_000), "{symbol}");
    }
    assert_eq!(platform.stop().code, Some(0));
}

fn request(symbol: &str, interval: &str, days: &str) -> String {
    let kind = format!("api_candles_{interval}");
    let requests = json!([{"target": "loader-producer", "type": kind}, {"target": "arango-connector", "type": kind}]);
    json!({"symbol": symbol, "time_range": days, "requests": requests}).to_string()
}

/// Waits for the end of a run, which must report all rows of its own range.
fn assert_complete(run: &mut Running, symbol: &str, rows: u64) {
    let ended = run.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = ended.last_json();
    assert_eq!(report["records_written"], rows, "{report}");
    let coverage = &report["coverage"][symbol];
    assert_eq!((&coverage["rows"], &coverage["gaps"]), (&json!(rows), &json!([])), "{report}");
}

/// All workflows ended with nothing left over, the large one last though it came first.
fn assert_workflows(folder: &Folder) {
    let Value::Array(workflows) = folder.json(&["queues", "list", "--limit", "100"]) else { panic!("no list") };
    assert_eq!(workflows.len(), SMALL + 1);
    let (large, small): (Vec<&Value>, Vec<&Value>) =
        workflows.iter().partition(|workflow| workflow["symbol"] == "LTCUSDT");
    let ended = |workflow: &Value| workflow["finished_at"].as_str().unwrap().to_owned();
    for workflow in &workflows {
        assert_eq!(left_over(workflow), Vec::<String>::new());
    }
    for workflow in small {
        assert!(ended(workflow) < ended(large[0]), "{} waited for the large one", workflow["id"]);
    }
}
