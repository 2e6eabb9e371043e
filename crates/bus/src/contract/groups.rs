//! Consumer groups: commit, reset, lag.

use super::{Opened, keyed, keyless, partitions};
use crate::{Error, GroupOffset, partition_for_key};

async fn topic_with_records(bus: &Opened, topic: &str, records: usize) {
    bus.create_topic(topic, &partitions(1)).await.expect("create");
    bus.publish_many(topic, vec![keyless(b"x"); records]).await.expect("publish");
}

/// A late duplicate of a commit changes nothing, a reset goes anywhere, groups do not touch each other.
pub async fn commit_forward_only_unless_reset(bus: &Opened) {
    topic_with_records(bus, "t", 9).await;
    assert_eq!(bus.committed("g", "t").await.expect("committed"), [None]);
    for (next, expected) in [(0, 0), (5, 5), (3, 5), (5, 5), (9, 9)] {
        bus.commit("g", "t", 0, next).await.expect("commit");
        let committed = bus.committed("g", "t").await.expect("committed");
        assert_eq!(committed, [Some(expected)], "after commit of {next}");
    }
    bus.reset("g", "t", 0, 2).await.expect("reset");
    assert_eq!(bus.committed("g", "t").await.expect("committed"), [Some(2)]);
    assert_eq!(bus.committed("h", "t").await.expect("committed"), [None]);

    bus.create_topic("t", &partitions(2)).await.expect("grow");
    let committed = bus.committed("g", "t").await.expect("committed");
    assert_eq!(committed, [Some(2), None]);
}

/// Committing what is yet to come would skip it.
pub async fn cannot_commit_beyond_the_end(bus: &Opened) {
    topic_with_records(bus, "t", 2).await;
    for next in [3, u64::MAX] {
        for refused in [bus.commit("g", "t", 0, next).await, bus.reset("g", "t", 0, next).await] {
            assert!(matches!(refused, Err(Error::OffsetOutOfRange { end: 2, .. })), "{refused:?}");
        }
    }
    assert_eq!(bus.committed("g", "t").await.expect("committed"), [None]);
}

/// The list holds what was committed and nothing else.
pub async fn are_listed_and_forgotten(bus: &Opened) {
    topic_with_records(bus, "t", 3).await;
    topic_with_records(bus, "u", 3).await;
    assert!(bus.groups().await.expect("groups").is_empty());
    for (group, topic, next) in [("h", "t", 1), ("g", "u", 2), ("g", "t", 3)] {
        bus.commit(group, topic, 0, next).await.expect("commit");
    }
    let entry = |group: &str, topic: &str, next| GroupOffset {
        group: group.to_owned(),
        topic: topic.to_owned(),
        partition: 0,
        next,
        lost: 0,
    };
    let expected = [entry("g", "t", 3), entry("g", "u", 2), entry("h", "t", 1)];
    assert_eq!(bus.groups().await.expect("groups"), expected);

    bus.delete_group("g").await.expect("delete");
    bus.delete_group("never seen").await.expect("delete");
    assert_eq!(bus.groups().await.expect("groups"), expected[2..]);
    assert_eq!(bus.committed("g", "t").await.expect("committed"), [None]);
}

/// Losses that overlap or are told again count once, by group and partition; a group that is forgotten lost nothing.
pub async fn have_lost_what_they_were_told_once(bus: &Opened) {
    topic_with_records(bus, "t", 1).await;
    for group in ["g", "h"] {
        bus.commit(group, "t", 0, 1).await.expect("commit");
    }
    for (from, to) in [(10, 20), (10, 20), (40, 50), (15, 30), (50, 51), (60, 60)] {
        bus.record_loss("g", "t", 0, from, to).await.expect("record a loss");
    }
    let lost = async || -> Vec<u64> { bus.groups().await.expect("groups").iter().map(|group| group.lost).collect() };
    assert_eq!(lost().await, [20 + 11, 0]);
    bus.delete_group("g").await.expect("delete");
    bus.commit("g", "t", 0, 1).await.expect("commit");
    assert_eq!(lost().await, [0, 0]);
    let unknown = bus.record_loss("g", "none", 0, 0, 1).await;
    assert!(matches!(unknown, Err(Error::UnknownTopic { .. })), "{unknown:?}");
}

/// Lag counts by partition; a group that never committed has everything before it.
pub async fn lag_behind_by_what_they_have_not_read(bus: &Opened) {
    bus.create_topic("t", &partitions(4)).await.expect("create");
    let busy = partition_for_key(b"k", 4);
    for _ in 0..5 {
        bus.publish("t", keyed("k", b"")).await.expect("publish");
    }
    let only_busy =
        |lag: u64| -> Vec<u64> { (0..4).map(|partition| if partition == busy { lag } else { 0 }).collect() };
    assert_eq!(bus.lag("g", "t").await.expect("lag"), only_busy(5));
    bus.commit("g", "t", busy, 2).await.expect("commit");
    assert_eq!(bus.lag("g", "t").await.expect("lag"), only_busy(3));
    bus.commit("g", "t", busy, 5).await.expect("commit");
    assert_eq!(bus.lag("g", "t").await.expect("lag"), only_busy(0));
}
