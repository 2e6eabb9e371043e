//! Replays what the fuzzer has found worth keeping, without the fuzzer.

use std::{fs, panic::catch_unwind, path::Path};

#[path = "../../fuzz/properties.rs"]
mod properties;

/// Runs one property over its part of the corpus.
fn replay(name: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is there") {
        let path = entry.expect("the corpus is readable").path();
        let bytes = fs::read(&path).expect("a seed is readable");
        let name = path.display();
        assert!(catch_unwind(|| property(&bytes)).is_ok(), "the seed {name} shows a flaw");
        count += 1;
    }
    assert!(count >= 10, "{name} has only {count} seeds");
}

#[test]
fn events() {
    replay("event", properties::event);
}

#[test]
fn klines() {
    replay("klines", properties::klines);
}

#[test]
fn requests() {
    replay("request", properties::request);
}

#[test]
fn manifests() {
    replay("manifest", properties::manifest);
}

#[test]
fn backups() {
    replay("backup", properties::backup);
}
