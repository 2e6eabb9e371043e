//! What the functions of the cluster have reported, read from the log itself.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::runtime::Runtime;

use crate::world::World;

/// Records of one reading.
const AT_ONCE: usize = 1000;
const MOST_BYTES: usize = 1 << 24;

/// Tasks with names of a beginning that were reported as finished.
///
/// # Panics
/// If one was reported twice.
pub(crate) fn finished(world: &World, beginning: &str) -> Vec<String> {
    let reports = records(world, "queue-events");
    let finished = reports.iter().filter(|report| report["status"] == "finished");
    let names = finished.filter_map(|report| report["task"].as_str().map(str::to_owned));
    let mut tasks: Vec<String> = names.filter(|name| name.starts_with(beginning)).collect();
    tasks.sort();
    let all = tasks.len();
    tasks.dedup();
    assert_eq!(tasks.len(), all, "some were finished twice");
    tasks
}

/// The first and the last epoch of each fit that an attempt at the training of a workflow has told of.
pub(crate) fn epochs(world: &World, queue: &str, attempt: u64) -> BTreeMap<String, (u64, u64)> {
    let mut epochs = BTreeMap::new();
    for report in records(world, "queue-events") {
        let told = &report["extra"];
        let is_its = report["queue_id"] == *queue && report["attempt"] == attempt;
        if let (true, Some(fit), Some(epoch)) = (is_its, told["fit"].as_str(), told["epoch"].as_u64()) {
            let (first, last) = epochs.entry(fit.to_owned()).or_insert((epoch, epoch));
            *first = epoch.min(*first);
            *last = epoch.max(*last);
        }
    }
    epochs
}

/// How many records of a topic have ever been written.
pub(crate) fn written(world: &World, topic: &str) -> u64 {
    let bus = streamforge_bus::open(&world.bus()).unwrap();
    Runtime::new().unwrap().block_on(bus.end_offsets(topic)).unwrap().iter().sum()
}

/// The payloads of a topic, as far as they are JSON.
fn records(world: &World, topic: &str) -> Vec<Value> {
    let bus = streamforge_bus::open(&world.bus()).unwrap();
    let runtime = Runtime::new().unwrap();
    let partitions = runtime.block_on(bus.end_offsets(topic)).unwrap().len();
    let mut payloads = Vec::new();
    for partition in 0..u32::try_from(partitions).unwrap() {
        let mut from = 0;
        loop {
            let read = runtime.block_on(bus.fetch(topic, partition, from, AT_ONCE, MOST_BYTES)).unwrap();
            let Some(last) = read.last() else { break };
            from = last.offset + 1;
            payloads.extend(read.iter().filter_map(|stored| serde_json::from_slice(&stored.record.value).ok()));
        }
    }
    payloads
}
