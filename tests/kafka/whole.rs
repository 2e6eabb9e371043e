//! One request leaves the same klines and the same graph behind wherever event log and store are.

use serde_json::Value;
use streamforge_store::arangodb_double::Double;

use crate::support::{
    Folder, Log,
    recorded::{QUARTERS, replay},
    until,
};

const SYMBOLS: [&str; 10] =
    ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT", "LINKUSDT", "AVAXUSDT", "DOTUSDT"];
/// Five days, and where they begin and end.
const DAYS: &str = "2026-03-01:2026-03-05";
const SPAN: (i64, i64) = (1_772_323_200_000, 1_772_755_200_000);
const BARS: usize = 5 * 24 * 4;

#[test]
fn a_request_leaves_the_same_behind_on_every_log_and_store() {
    let embedded = Folder::new();
    let exchange = match replay(&embedded, SYMBOLS, QUARTERS, SPAN.0, SPAN.1) {
        Some(lines) => {
            assert!(lines.iter().all(|lines| lines.len() == BARS), "recorded without a gap");
            format!("replay:{}", embedded.path("replay").display())
        }
        None => "synthetic:42".to_owned(),
    };
    let expected = outcome(&embedded, &exchange);
    assert!(expected.1.iter().all(|klines| klines.lines().count() == BARS), "{}", expected.0);

    let on_kafka = Folder::on(Log::Kafka);
    assert!(outcome(&on_kafka, &exchange) == expected, "klines, graph or report differ");
    assert!(!on_kafka.path("data/bus.db").exists(), "nothing is left for the log in the folder");
    assert_nothing_left_over(&on_kafka, &exchange);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let double = runtime.block_on(Double::start());
    double.require_user("streamforge", "");
    let in_database = Folder::on(Log::Kafka).with_store(&double.url(Some("streamforge"), "streamforge"));
    assert!(outcome(&in_database, &exchange) == expected, "klines, graph or report differ in the database");
    for file in ["data/bus.db", "data/store.db"] {
        assert!(!in_database.path(file).exists(), "nothing is left for {file}");
    }
}

/// Nobody lags, nothing was refused, and the same request again is the same workflow.
fn assert_nothing_left_over(folder: &Folder, exchange: &str) {
    let status = folder.json(&["status"]);
    let topics: Vec<&str> =
        status["topics"].as_array().unwrap().iter().map(|topic| topic["name"].as_str().unwrap()).collect();
    assert!(topics.contains(&"market-data") && topics.contains(&"queue-events"), "{topics:?}");
    assert_eq!(folder.dead_letters(), Vec::<Value>::new());
    let again = folder.run(&request(folder), exchange);
    assert_eq!((&again["status"], folder.workflows().len()), (&"finished".into(), 1), "the same request again");
    let any = "127.0.0.1:0";
    let mut platform = folder.start(&["up", "--ingress", any, "--api", any, "--exchange", exchange]);
    platform.first_json();
    until("everything to be delivered", || {
        let groups = folder.json(&["status"])["groups"].as_array().unwrap().clone();
        groups.iter().all(|group| group["lag"] == 0).then_some(())
    });
    assert_eq!(platform.stop().code, Some(0));
}

fn request(folder: &Folder) -> String {
    folder.request(&SYMBOLS, "15m", DAYS)
}

fn outcome(folder: &Folder, exchange: &str) -> (Value, Vec<String>, Value) {
    let mut report = folder.run(&request(folder), exchange);
    report["seconds"] = Value::Null;
    let klines = SYMBOLS.map(|symbol| folder.candles(symbol, "15m")).to_vec();
    (report, klines, folder.graph())
}
