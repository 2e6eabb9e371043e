//! A burst of events: pods from none to as many as allowed and back to none, nothing lost, nothing doubled.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use streamforge_servers::Server as _;

use crate::{
    support::{dummy, until_within},
    world::{World, idle, world},
};

const EVENTS: usize = 10_000;
const CALLERS: usize = 8;
/// How long each event keeps a pod at work.
const WORK_MILLIS: u64 = 20;
/// `maxReplicaCount` of the `ScaledObject`.
const MOST: usize = 5;
const PATIENCE: Duration = Duration::from_mins(15);

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn a_burst_is_worked_off_by_as_many_pods_as_allowed() {
    let world = world();
    idle(world);
    let url = format!("{}/streamforge/dummy-service", world.url("knative-eventing", "kafka-broker-ingress"));
    let began = Instant::now();
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let url = &url;
            scope.spawn(move || {
                for number in (caller..EVENTS).step_by(CALLERS) {
                    assert_eq!(dummy::post(url, &format!("burst-{number}"), WORK_MILLIS), Some(202));
                }
            });
        }
    });
    println!("{EVENTS} events taken within {:?}", began.elapsed());
    let mut most: BTreeMap<String, usize> = BTreeMap::new();
    until_within("the burst to be over", PATIENCE, || {
        let pods = world.pods();
        let count = |name: &str| pods.iter().filter(|pod| *pod == name).count();
        for name in &pods {
            let seen = most.entry(name.clone()).or_default();
            *seen = (*seen).max(count(name));
        }
        println!("{:>6.1} s  {} pods", began.elapsed().as_secs_f64(), count("dummy-service"));
        thread::sleep(Duration::from_secs(1));
        (most.contains_key("dummy-service") && count("dummy-service") == 0).then_some(())
    });
    assert_eq!(most["dummy-service"], MOST, "as many as allowed and no more: {most:?}");
    for unrelated in ["loader-api-candles", "loader-api-trades", "graph-builder", "arango-connector", "predictor"] {
        assert!(!most.contains_key(unrelated), "{unrelated} has nothing to do: {most:?}");
    }
    let finished = finished(world);
    assert_eq!(finished.len(), EVENTS, "each task is finished, and once");
}

/// Tasks of the burst that were reported as finished, as often as they were.
fn finished(world: &World) -> Vec<String> {
    let bus = streamforge_bus::open(&world.kafka.url()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let topics = runtime.block_on(bus.topics()).unwrap();
    let topic = topics.iter().find(|topic| topic.name == "queue-events").unwrap();
    let mut tasks = Vec::new();
    for partition in 0..topic.config.partitions {
        let mut from = 0;
        loop {
            let records = runtime.block_on(bus.fetch("queue-events", partition, from, 1000, 1 << 24)).unwrap();
            let Some(last) = records.last() else { break };
            from = last.offset + 1;
            let reports =
                records.iter().filter_map(|stored| serde_json::from_slice::<Value>(&stored.record.value).ok());
            let finished = reports.filter(|report| report["status"] == "finished");
            let names = finished.filter_map(|report| report["task"].as_str().map(str::to_owned));
            tasks.extend(names.filter(|name| name.starts_with("burst-")));
        }
    }
    tasks.sort();
    let all = tasks.len();
    tasks.dedup();
    assert_eq!(tasks.len(), all, "some were finished twice");
    tasks
}
