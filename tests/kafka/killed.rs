//! Platform and workers killed in the middle, on Kafka: the end is that of a calm run on the log in the folder.

use std::{thread, time::Duration};

use serde_json::Value;
use streamforge_servers::Server as _;

use crate::{
    kafka,
    support::{Exchange, Folder, until},
};

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];

/// How late each answer of the exchange is, so that a run has a middle.
const DELAY: Duration = Duration::from_millis(120);

/// How often a run is struck.
const STRIKES: u64 = 3;

#[test]
fn whatever_is_killed_the_end_is_that_of_a_calm_run_on_the_other_log() {
    let exchange = Exchange::start(DELAY);
    let calm = Folder::new();
    let report = calm.run(&request(&calm), exchange.url());
    let expected = outcome(&calm, &report);
    let requests = exchange.requests();

    let seed = std::env::var("STREAMFORGE_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("STREAMFORGE_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let kafka = kafka();
    let folder = Folder::with_bus(&kafka.url());
    let start = || folder.start(&["run", &request(&folder), "--exchange", exchange.url()]);
    let mut run = start();
    for _ in 0..STRIKES {
        let moment = exchange.requests() + random.u64(1..requests / STRIKES);
        until("a moment", || (exchange.requests() >= moment || !run.is_running()).then_some(()));
        thread::sleep(Duration::from_millis(random.u64(..300)));
        if !run.is_running() {
            break;
        }
        if random.bool() {
            run.kill_with_workers();
            run = start();
        } else if let Some(worker) = random.choice(run.workers()) {
            worker.kill();
        }
    }
    let ended = run.wait();
    assert_eq!(ended.code, Some(0), "STREAMFORGE_SEED={seed}: {ended:?}");
    assert!(outcome(&folder, &ended.last_json()) == expected, "STREAMFORGE_SEED={seed}: klines or graph differ");
    assert_eq!(folder.dead_letters(), Vec::<Value>::new());
}

fn request(folder: &Folder) -> String {
    folder.request(&SYMBOLS, "1m", "2026-03-01:2026-03-03")
}

fn outcome(folder: &Folder, report: &Value) -> (Value, Vec<String>, Value) {
    let mut report = report.clone();
    report["seconds"] = Value::Null;
    (report, SYMBOLS.map(|symbol| folder.candles(symbol, "1m")).to_vec(), folder.graph())
}
