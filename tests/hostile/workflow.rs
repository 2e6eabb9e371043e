//! The workflow that every test here runs, and what it leaves behind.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};
use streamforge_bus::{Bus, SqliteBus};
use streamforge_events::EventType;

use crate::support::Folder;

pub(crate) const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];

/// Ten days of minutes: fifteen windows for each symbol.
pub(crate) const MINUTES_DAYS: &str = "2026-03-01:2026-03-10";
pub(crate) const MINUTES: u64 = 10 * 24 * 60;

/// Writes a request for klines of a minute, with whatever else a part may say.
pub(crate) fn request(folder: &Folder, name: &str, range: &str, more: &Value) -> String {
    let mut loader = json!({"target": "loader-producer", "type": "api_candles_1m"});
    loader.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let requests = json!([loader, {"target": "arango-connector", "type": "api_candles_1m"}]);
    let request = json!({"symbols": SYMBOLS, "time_range": range, "requests": requests});
    folder.write(name, request.to_string())
}

/// The stored klines of all symbols.
pub(crate) fn klines(folder: &Folder) -> Vec<String> {
    SYMBOLS.map(|symbol| folder.candles(symbol, "1m")).to_vec()
}

/// Fails unless each workflow told its end once and nothing was given up.
pub(crate) fn assert_ended_once(folder: &Folder, workflows: usize) {
    assert_eq!(folder.workflows().len(), workflows);
    assert_eq!(ends(&folder.path("data/bus.db")).len(), workflows, "each workflow ends once");
    assert_eq!(folder.dead_letters(), Vec::<Value>::new());
}

/// Ids of the events that told the end; an event that was published twice keeps its id.
fn ends(log: &Path) -> BTreeSet<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bus = SqliteBus::open(log).unwrap();
        let topic = EventType::WorkflowFinished.topic().to_string();
        let mut ids = BTreeSet::new();
        for (partition, end) in (0..).zip(bus.end_offsets(&topic).await.unwrap()) {
            let mut next = 0;
            while next < end {
                for stored in bus.read(&topic, partition, next, 1000, usize::MAX).await.unwrap() {
                    next = stored.offset + 1;
                    let header = |name: &str| stored.record.header(name).map(<[u8]>::to_vec);
                    if header("ce_type").as_deref() == Some(EventType::WorkflowFinished.as_str().as_bytes()) {
                        ids.insert(header("ce_id").unwrap());
                    }
                }
            }
        }
        ids
    })
}
