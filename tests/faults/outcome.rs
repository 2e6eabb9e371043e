//! What a run leaves behind, as far as it must not depend on who was killed.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;
use streamforge_bus::Record;
use streamforge_events::EventType;

use crate::support::{Exchange, Folder, until};

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
const INTERVAL: &str = "1m";
const ROWS: u64 = 3 * 24 * 60;

/// How late each answer of the exchange is, so that a run has a middle.
const DELAY: Duration = Duration::from_millis(120);

/// Report, klines and graph of a run.
pub(crate) struct Outcome {
    report: Value,
    klines: Vec<String>,
    graph: Value,
    /// Requests that a calm run sends to the exchange.
    pub(crate) requests: u64,
}

pub(crate) fn exchange() -> Exchange {
    Exchange::start(DELAY)
}

pub(crate) fn request(folder: &Folder) -> String {
    folder.request(&SYMBOLS, INTERVAL, "2026-03-01:2026-03-03")
}

impl Outcome {
    /// A run that nobody disturbs.
    pub(crate) fn calm() -> Self {
        let (folder, exchange) = (Folder::new(), exchange());
        let report = folder.run(&request(&folder), exchange.url());
        assert_eq!(report["records_written"], 3 * ROWS);
        for symbol in SYMBOLS {
            let coverage = &report["coverage"][symbol];
            assert_eq!((coverage["rows"].as_u64(), coverage["gaps"].as_array().map(Vec::len)), (Some(ROWS), Some(0)));
        }
        Self::read(&folder, &report, exchange.requests())
    }

    /// Reads what is left behind, after checking that the workflow ended once and left nothing over.
    pub(crate) fn read(folder: &Folder, report: &Value, requests: u64) -> Self {
        let mut report = report.clone();
        report["seconds"] = Value::Null;
        settle(folder);
        let workflows = folder.workflows();
        assert_eq!(workflows.len(), 1, "{workflows:?}");
        assert_eq!(left_over(&workflows[0]), Vec::<String>::new());
        assert_eq!(folder.dead_letters(), Vec::<Value>::new());
        assert_eq!(ends(folder).len(), 1, "the workflow finished once");
        let graph = folder.graph();
        let klines = SYMBOLS.map(|symbol| folder.candles(symbol, INTERVAL)).to_vec();
        Self { report, klines, graph, requests }
    }

    /// Fails unless the other run left the same behind, byte for byte.
    pub(crate) fn assert_same(&self, other: &Self, round: &str) {
        assert_eq!(self.report, other.report, "{round}");
        assert_eq!(self.graph, other.graph, "{round}");
        assert!(self.klines == other.klines, "{round}: the klines differ");
    }
}

/// Lets a platform deliver what was still under way when the run ended, until no consumer group lags behind.
pub(crate) fn settle(folder: &Folder) {
    let any = "127.0.0.1:0";
    // Nothing is left to load, so nobody asks this exchange.
    let mut platform = folder.start(&["up", "--ingress", any, "--api", any, "--exchange", "http://127.0.0.1:9"]);
    platform.first_json();
    until_delivered(folder);
    let ended = platform.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// Waits until no consumer group of the running platform lags behind.
pub(crate) fn until_delivered(folder: &Folder) {
    until("everything to be delivered", || {
        let groups = folder.json(&["status"])["groups"].as_array().expect("groups").clone();
        assert!(!groups.is_empty());
        groups.iter().all(|group| group["lag"] == 0).then_some(())
    });
}

/// What of a workflow is not at its end: a stage, a task, a command that was not published.
pub(crate) fn left_over(workflow: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut left_over = Vec::new();
    if workflow["status"] != "finished" {
        left_over.push(format!("status {}", workflow["status"]));
    }
    for stage in list(&workflow["stages"]) {
        if stage["status"] != "finished" {
            left_over.push(format!("stage {stage}"));
        }
        left_over.extend(list(&stage["tasks"]).iter().filter(|task| task["state"] != "done").map(ToString::to_string));
    }
    left_over.extend(list(&workflow["outbox"]).iter().map(ToString::to_string));
    left_over
}

/// Ids of the events that told the end; an event that was delivered or published twice keeps its id.
fn ends(folder: &Folder) -> BTreeSet<Vec<u8>> {
    let kind = EventType::WorkflowFinished;
    let header = |record: &Record, name: &str| record.header(name).map(<[u8]>::to_vec);
    let ends = records(folder, &kind.topic().to_string()).into_iter();
    let ends = ends.filter(|record| header(record, "ce_type").as_deref() == Some(kind.as_str().as_bytes()));
    ends.map(|record| header(&record, "ce_id").unwrap()).collect()
}

/// All records of a topic.
pub(crate) fn records(folder: &Folder, topic: &str) -> Vec<Record> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bus = streamforge_bus::open(&folder.log()).unwrap();
        let mut records = Vec::new();
        for (partition, end) in (0..).zip(bus.end_offsets(topic).await.unwrap()) {
            let mut next = 0;
            while next < end {
                for stored in bus.read(topic, partition, next, 1000, usize::MAX).await.unwrap() {
                    next = stored.offset + 1;
                    records.push(stored.record);
                }
            }
        }
        records
    })
}
