//! Retention: only the oldest records go, and never one that a limit still covers.

use super::{Opened, keyed, keyless, partitions, read_all};
use crate::{Error, OffsetRange, Record, TopicConfig};

fn at(timestamp: i64) -> Record {
    Record { timestamp, ..keyless(&[0; 10]) }
}

async fn offsets_of(bus: &Opened, topic: &str) -> OffsetRange {
    let topics = bus.topics().await.expect("topics");
    let found = topics.iter().find(|description| description.name == topic);
    found.expect("the topic exists").offsets[0]
}

/// A record exactly as old as the limit stays; an old one behind a young one stays too; committed offsets stay valid.
pub async fn by_age_deletes_the_oldest_only(bus: &Opened) {
    let config = TopicConfig { retention_ms: Some(100), ..TopicConfig::default() };
    bus.create_topic("t", &config).await.expect("create");
    let records = [800, 899, 900, 850, 1000].map(at).to_vec();
    bus.publish_many("t", records).await.expect("publish");
    bus.commit("behind", "t", 0, 1).await.expect("commit");
    bus.commit("ahead", "t", 0, 4).await.expect("commit");

    assert_eq!(bus.enforce_retention(1000).await.expect("retention"), 2);
    assert_eq!(offsets_of(bus, "t").await, OffsetRange { start: 2, end: 5 });
    let from_the_start = bus.read("t", 0, 0, 1, 1).await.expect("read");
    assert_eq!(from_the_start[0].offset, 2);
    assert_eq!(bus.lag("behind", "t").await.expect("lag"), [3]);
    assert_eq!(bus.lag("ahead", "t").await.expect("lag"), [1]);
    let committed = bus.committed("behind", "t").await.expect("committed");
    assert_eq!(committed, [Some(1)]);
    assert_eq!(bus.enforce_retention(1000).await.expect("retention"), 0);
    assert_eq!(bus.enforce_retention(i64::MIN).await.expect("retention"), 0);
}

/// The newest records up to the limit stay, and the one that crosses it.
pub async fn by_bytes_keeps_the_newest(bus: &Opened) {
    let config = TopicConfig { retention_bytes: Some(25), ..TopicConfig::default() };
    bus.create_topic("t", &config).await.expect("create");
    bus.publish_many("t", vec![at(0); 10]).await.expect("publish");
    assert_eq!(bus.enforce_retention(0).await.expect("retention"), 7);
    assert_eq!(offsets_of(bus, "t").await, OffsetRange { start: 7, end: 10 });
    bus.publish("t", at(0)).await.expect("publish");
    assert_eq!(bus.enforce_retention(0).await.expect("retention"), 1);
    let kept: Vec<u64> = read_all(bus, "t", 0).await.iter().map(|stored| stored.offset).collect();
    assert_eq!(kept, [8, 9, 10]);
}

/// A partition that retention has emptied goes on where it was.
pub async fn never_reuses_offsets(bus: &Opened) {
    let config = TopicConfig { retention_ms: Some(0), ..TopicConfig::default() };
    bus.create_topic("t", &config).await.expect("create");
    bus.publish_many("t", vec![at(0); 3]).await.expect("publish");
    assert_eq!(bus.enforce_retention(1).await.expect("retention"), 3);
    assert_eq!(offsets_of(bus, "t").await, OffsetRange { start: 3, end: 3 });
    assert!(read_all(bus, "t", 0).await.is_empty());
    assert_eq!(bus.lag("g", "t").await.expect("lag"), [0]);
    assert_eq!(bus.publish("t", at(1)).await.expect("publish"), (0, 3));
    assert_eq!(read_all(bus, "t", 0).await.len(), 1);
}

/// A reader that has to know is told what it misses, also when nothing is left, and goes on where it is told to.
pub async fn is_told_to_those_who_come_back(bus: &Opened) {
    let config = TopicConfig { retention_ms: Some(100), ..TopicConfig::default() };
    bus.create_topic("t", &config).await.expect("create");
    bus.publish_many("t", [0, 0, 0, 900, 900].map(at).to_vec()).await.expect("publish");
    let resume_of = async |from| match bus.fetch("t", 0, from, 10, usize::MAX).await {
        Err(Error::RecordsGone { topic, partition: 0, from: asked, resume }) => {
            assert_eq!((topic.as_str(), asked), ("t", from));
            resume
        }
        other => panic!("from {from}: {other:?}"),
    };
    bus.enforce_retention(1000).await.expect("retention");
    assert_eq!(resume_of(1).await, 3);
    let rest = bus.fetch("t", 0, 3, 10, usize::MAX).await.expect("fetch");
    assert_eq!(rest.iter().map(|stored| stored.offset).collect::<Vec<_>>(), [3, 4]);
    bus.enforce_retention(2000).await.expect("retention");
    assert_eq!(resume_of(4).await, 5);
    assert!(bus.fetch("t", 0, 5, 10, usize::MAX).await.expect("fetch").is_empty());
    assert!(bus.fetch("t", 0, 0, 0, 0).await.expect("fetch").is_empty());
}

/// Appends alone hold a partition to its limit in bytes, give or take a sixteenth.
pub async fn by_bytes_needs_no_call(bus: &Opened) {
    let limit = 4_000_000;
    let config = TopicConfig { retention_bytes: Some(limit), ..TopicConfig::default() };
    bus.create_topic("t", &config).await.expect("create");
    for _ in 0..40 {
        bus.publish_many("t", vec![keyless(&[0; 1000]); 500]).await.expect("publish");
        let held = offsets_of(bus, "t").await;
        let bytes = (held.end - held.start) * 1000;
        assert!(bytes <= limit + limit / 16, "{bytes} bytes are held");
    }
    let held = offsets_of(bus, "t").await;
    assert!((held.end - held.start) * 1000 >= limit, "{held:?} is less than the limit covers");
}

/// A topic without limits loses nothing, however old.
pub async fn without_limits_keeps_everything(bus: &Opened) {
    bus.create_topic("t", &TopicConfig::default()).await.expect("create");
    bus.publish_many("t", vec![at(0); 3]).await.expect("publish");
    let deleted = bus.enforce_retention(i64::MAX).await.expect("retention");
    assert_eq!(deleted, 0);
    assert_eq!(read_all(bus, "t", 0).await.len(), 3);
}

/// One call deletes all there is to delete, however much.
pub async fn of_a_large_backlog_is_complete(bus: &Opened) {
    let config = TopicConfig { partitions: 2, retention_ms: Some(10), retention_bytes: None };
    bus.create_topic("t", &config).await.expect("create");
    for (timestamp, count) in [(0, 25_000), (100, 2)] {
        bus.publish_many("t", vec![at(timestamp); count]).await.expect("publish");
    }
    assert_eq!(bus.enforce_retention(100).await.expect("retention"), 25_000);
    for partition in 0..2 {
        let kept = read_all(bus, "t", partition).await;
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].offset, 12_500);
    }
}

/// A look tells each partition whose record at the position is gone, and where its reader goes on.
pub async fn is_told_for_each_partition(bus: &Opened) {
    bus.create_topic("t", &partitions(4)).await.expect("create");
    bus.publish_many("t", vec![at(0); 12]).await.expect("publish");
    bus.create_topic("t", &TopicConfig { retention_ms: Some(0), ..partitions(4) }).await.expect("create");
    let fresh = Record { timestamp: i64::MAX, ..keyed("k", b"x") };
    let (partition, offset) = bus.publish("t", fresh).await.expect("publish");
    bus.enforce_retention(1).await.expect("retention");
    for (index, ahead) in (0..).zip(bus.look("t", vec![Some(0); 4], 10, usize::MAX).await.expect("look")) {
        let resume = if index == partition { offset } else { ahead.end };
        let gone = ahead.records.expect_err("nothing is left at 0");
        assert!(matches!(gone, Error::RecordsGone { from: 0, resume: told, .. } if told == resume), "{gone:?}");
    }
}

/// Times before the epoch, or none at all, are as good as others.
pub async fn keeps_times_of_any_age(bus: &Opened) {
    bus.create_topic("t", &TopicConfig::default()).await.expect("create");
    let times = [i64::MIN, -1, 0, i64::MAX];
    bus.publish_many("t", times.map(at).to_vec()).await.expect("publish");
    let kept: Vec<i64> = read_all(bus, "t", 0).await.iter().map(|stored| stored.record.timestamp).collect();
    assert_eq!(kept, times);
}
