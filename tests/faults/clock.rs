//! A clock that is set back by an hour, in the middle of a run and between two runs.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    outcome::{Outcome, exchange, request},
    support::{Exchange, Folder, Running, binary, until},
};

const HOUR: i64 = 3600;

#[test]
fn a_retry_is_not_an_hour_late_when_the_clock_is_set_back() {
    let folder = Folder::new();
    let clock = Clock::new(&folder);
    let address = Exchange::reserve();
    let url = format!("http://{address}");
    let mut run = clock.run(&folder, &["run", &request(&folder), "--exchange", &url]);
    until("a task to wait for its next attempt", || {
        let workflows = folder.command(&["queues", "list"]);
        let listed = (workflows.code == Some(0)).then(|| workflows.last_json())?;
        let mut stages = listed[0]["stages"].as_array()?.iter();
        stages.any(|stage| stage["tasks"].to_string().contains("retry_at")).then_some(())
    });
    clock.set(-HOUR);
    let exchange = Exchange::start_at(address, Duration::ZERO);
    let ended = run.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let outcome = Outcome::read(&folder, &ended.last_json(), exchange.requests());
    Outcome::calm().assert_same(&outcome, "the clock was set back");
}

#[test]
fn the_newer_graph_wins_though_its_clock_is_behind() {
    let (folder, exchange) = (Folder::new(), exchange());
    let clock = Clock::new(&folder);
    let request = request(&folder);
    let run = |more: &[&str]| {
        let ended = clock.run(&folder, &[&["run", &request, "--exchange", exchange.url()], more].concat()).wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.last_json()
    };
    let first = run(&[]);
    let before = (folder.graph(), folder.candles("BTCUSDT", "1m"), held(&folder));
    let version = newest_graph(&folder);
    clock.set(-HOUR);
    let second = run(&["--again"]);
    assert_ne!(first["queue_id"], second["queue_id"]);
    assert_eq!(first["coverage"], second["coverage"]);
    assert!(newest_graph(&folder) > version, "the second graph was not kept");
    assert!(i64::try_from(version).unwrap() > clock.now(), "the clock was not behind");
    assert_eq!(folder.graph(), before.0);
    assert!(folder.candles("BTCUSDT", "1m") == before.1);
    // Nothing is old enough to go.
    for (topic, records) in held(&folder) {
        let earlier = before.2.iter().find(|(other, _)| *other == topic).map_or(0, |(_, records)| *records);
        assert!(records >= earlier, "{topic} lost records");
    }
}

/// Version of the newest graph.
fn newest_graph(folder: &Folder) -> u64 {
    let url = format!("sqlite://{}/store.db", folder.data());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { streamforge_store::open(&url).await.unwrap().graphs().await.unwrap()[0].version })
}

/// How many records every topic holds.
fn held(folder: &Folder) -> Vec<(String, u64)> {
    let status = folder.json(&["status"]);
    let topics = status["topics"].as_array().unwrap().iter();
    topics.map(|topic| (topic["name"].to_string(), topic["records"].as_u64().unwrap())).collect()
}

/// The time of day of the processes that are started with it.
struct Clock {
    library: PathBuf,
    shift: PathBuf,
}

impl Clock {
    /// Builds the library that stands before the system's clock; it shows the right time at first.
    fn new(folder: &Folder) -> Self {
        let library = folder.path("clock.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/faults/clock.c");
        let compiler =
            Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).args([source, "-ldl"]).status();
        assert!(compiler.expect("a C compiler is there, as for SQLite").success());
        let clock = Self { library, shift: folder.path("shift") };
        clock.set(0);
        clock
    }

    /// Sets it so many seconds ahead of the system's clock.
    fn set(&self, seconds: i64) {
        // In one step, so that nobody reads half a number.
        let fresh = self.shift.with_extension("new");
        fs::write(&fresh, seconds.to_string()).unwrap();
        fs::rename(&fresh, &self.shift).unwrap();
    }

    /// What it shows, in milliseconds since the Unix epoch.
    fn now(&self) -> i64 {
        let shift: i64 = fs::read_to_string(&self.shift).unwrap().parse().unwrap();
        i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap() + 1000 * shift
    }

    /// Starts a platform that lives by this clock, with its workers.
    fn run(&self, folder: &Folder, arguments: &[&str]) -> Running {
        let mut command = Command::new(binary::path());
        command.env("LD_PRELOAD", &self.library).env("CLOCK_SHIFT_FILE", &self.shift);
        Running::spawn(command, &[arguments, &["--json", "--data-dir", &folder.data()]].concat())
    }
}
