//! SIGTERM to a platform under a stream of events: it exits with 0, and the next one does what it accepted.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use fastrand::Rng;
use serde_json::Value;

use crate::{
    outcome::{records, until_delivered},
    support::{
        Folder,
        dummy::{self, Workers},
    },
};

const PLATFORMS: usize = 20;
/// Events under way at once.
const SENDERS: usize = 2;

#[test]
fn platforms_that_are_told_to_go_lose_nothing() {
    let seed = fastrand::u64(..1 << 32);
    eprintln!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let folder = Folder::new();
    let (next, accepted) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    for _ in 0..PLATFORMS {
        let (platform, url) = dummy::start(&folder, &Workers::Always(2));
        let is_gone = AtomicBool::new(false);
        thread::scope(|scope| {
            let publish = || {
                while !is_gone.load(Ordering::SeqCst) {
                    let event = format!("event-{}", next.fetch_add(1, Ordering::SeqCst));
                    if dummy::post(&url, &event, 10) == Some(202) {
                        accepted.lock().unwrap().insert(event);
                    }
                    thread::sleep(Duration::from_millis(10));
                }
            };
            for _ in 0..SENDERS {
                scope.spawn(publish);
            }
            thread::sleep(Duration::from_millis(random.u64(..700)));
            let ended = platform.stop();
            is_gone.store(true, Ordering::SeqCst);
            assert_eq!(ended.code, Some(0), "{ended:?}");
        });
    }
    let (platform, _) = dummy::start(&folder, &Workers::Always(2));
    until_delivered(&folder);
    assert_eq!(platform.stop().code, Some(0));
    let topic = "knative-broker-streamforge-queue-events";
    let reports = records(&folder, topic);
    let reports = reports.into_iter().filter_map(|record| serde_json::from_slice::<Value>(&record.value).ok());
    let finished = dummy::finished(reports);
    let accepted = accepted.into_inner().unwrap();
    assert!(accepted.len() > 10 * PLATFORMS, "only {} events were accepted", accepted.len());
    let lost: Vec<&String> = accepted.difference(&finished).collect();
    assert!(lost.is_empty(), "accepted and not done: {lost:?}");
}
