//! Two processes on one file: one order of records, and each wakes the other.

use std::collections::BTreeSet;

use streamforge_bus::{Bus, SqliteBus, TopicConfig};

use crate::{
    PATIENCE,
    child::{self, Line, Role, SHARE},
    read_topic, record,
};

async fn log_with_topic(folder: &tempfile::TempDir) -> (std::path::PathBuf, SqliteBus) {
    let path = folder.path().join("bus.db");
    let bus = SqliteBus::open(&path).unwrap();
    let config = TopicConfig { partitions: 3, ..TopicConfig::default() };
    bus.create_topic("t", &config).await.unwrap();
    (path, bus)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_publish_and_read_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (path, bus) = log_with_topic(&folder).await;
    // The children are now and then the only ones who have the file open, so that opening meets closing.
    drop(bus);
    let children = ["a", "b"].map(|name| child::start(Role::Converse, &path, name));
    let mut acknowledged = BTreeSet::new();
    for child in children {
        let mut seen = None;
        for line in child.finish() {
            match line {
                Line::Acknowledged(partition, offset, value) => {
                    let fresh = acknowledged.insert((partition, offset, value));
                    assert!(fresh, "offset {offset} of {partition} was given twice");
                }
                Line::Seen(count) => seen = Some(count),
            }
        }
        assert_eq!(seen, Some(2 * SHARE));
    }

    let bus = SqliteBus::open(&path).unwrap();
    let stored: BTreeSet<_> = read_topic(&bus, "t")
        .await
        .into_iter()
        .map(|stored| {
            let value = String::from_utf8(stored.record.value).unwrap();
            (stored.partition, stored.offset, value)
        })
        .collect();
    assert_eq!(stored, acknowledged);
    assert_eq!(stored.len(), 2 * SHARE);
}

#[tokio::test(flavor = "multi_thread")]
async fn append_of_another_process_wakes_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let (path, bus) = log_with_topic(&folder).await;
    for count in 1..=3 {
        let mut appended = bus.appended();
        assert_eq!(*appended.borrow_and_update(), count - 1);
        let child = child::start(Role::PublishOne, &path, "x");
        tokio::time::timeout(PATIENCE, appended.changed()).await.expect("the reader is woken").unwrap();
        assert_eq!(*appended.borrow_and_update(), count);
        // What wakes a reader can be read.
        assert_eq!(read_topic(&bus, "t").await.len() as u64, count);
        child.finish();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn append_without_a_signal_wakes_a_reader_too() {
    let folder = tempfile::tempdir().unwrap();
    let (path, bus) = log_with_topic(&folder).await;
    bus.publish("t", record("x")).await.unwrap();
    let mut appended = bus.appended();
    assert_eq!(*appended.borrow_and_update(), 1);
    // What a process leaves behind that dies after its commit and before its signal.
    let silent = rusqlite::Connection::open(&path).unwrap();
    silent.execute("UPDATE partitions SET end_offset = end_offset + 1 WHERE partition = 0", []).unwrap();
    tokio::time::timeout(PATIENCE, appended.changed()).await.expect("the reader is woken").unwrap();
    assert_eq!(*appended.borrow_and_update(), 2);
}
