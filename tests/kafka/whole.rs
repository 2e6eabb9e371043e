//! One request on Kafka leaves the same klines and the same graph behind as on the log in the folder.

use serde_json::Value;
use streamforge_servers::Server as _;

use crate::{
    kafka,
    support::{Folder, until},
};

const SYMBOLS: [&str; 10] =
    ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT", "LTCUSDT", "LINKUSDT", "AVAXUSDT"];

#[test]
fn a_request_leaves_the_same_behind_as_on_the_log_in_the_folder() {
    let embedded = Folder::new();
    let expected = outcome(&embedded);
    let kafka = kafka();
    let folder = Folder::with_bus(&kafka.url());
    assert!(outcome(&folder) == expected, "klines, graph or report differ");
    assert!(!folder.path("data/bus.db").exists(), "nothing is left for the log in the folder");

    // Nobody lags and nothing was refused, as the commands tell that look at the cluster themselves.
    let status = folder.json(&["status"]);
    let topics: Vec<&str> =
        status["topics"].as_array().unwrap().iter().map(|topic| topic["name"].as_str().unwrap()).collect();
    assert!(topics.contains(&"market-data") && topics.contains(&"queue-events"), "{topics:?}");
    assert_eq!(folder.dead_letters(), Vec::<Value>::new());
    let again = folder.run(&request(&folder), "synthetic:42");
    assert_eq!((&again["status"], folder.workflows().len()), (&"finished".into(), 1), "the same request again");
    let any = "127.0.0.1:0";
    let mut platform = folder.start(&["up", "--ingress", any, "--api", any, "--exchange", "synthetic:42"]);
    platform.first_json();
    until("everything to be delivered", || {
        let groups = folder.json(&["status"])["groups"].as_array().unwrap().clone();
        groups.iter().all(|group| group["lag"] == 0).then_some(())
    });
    assert_eq!(platform.stop().code, Some(0));
}

fn request(folder: &Folder) -> String {
    folder.request(&SYMBOLS, "15m", "2026-03-01:2026-03-05")
}

fn outcome(folder: &Folder) -> (Value, Vec<String>, Value) {
    let mut report = folder.run(&request(folder), "synthetic:42");
    report["seconds"] = Value::Null;
    let klines = SYMBOLS.map(|symbol| folder.candles(symbol, "15m")).to_vec();
    (report, klines, folder.graph())
}
