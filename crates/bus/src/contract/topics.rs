//! Topics: created, grown, refused.

use super::{Opened, keyless, partitions};
use crate::{Error, OffsetRange, TopicConfig, TopicDescription};

/// Creating again is no error, adds partitions, never removes any, keeps the records, and takes over the limits.
pub async fn created_once_grown_and_never_shrunk(bus: &Opened) {
    bus.create_topic("b", &partitions(2)).await.expect("create");
    bus.create_topic("a", &partitions(1)).await.expect("create");
    bus.publish("a", keyless(b"kept")).await.expect("publish");
    bus.create_topic("b", &partitions(2)).await.expect("again");
    bus.create_topic("b", &partitions(1)).await.expect("fewer");
    let limits =
        TopicConfig { partitions: 3, retention_ms: Some(1000), retention_bytes: Some(u64::from(u32::MAX) + 1) };
    bus.create_topic("a", &limits).await.expect("more");

    let expected = [
        TopicDescription {
            name: "a".to_owned(),
            config: limits,
            offsets: vec![
                OffsetRange { start: 0, end: 1 },
                OffsetRange { start: 0, end: 0 },
                OffsetRange { start: 0, end: 0 },
            ],
        },
        TopicDescription {
            name: "b".to_owned(),
            config: partitions(2),
            offsets: vec![OffsetRange { start: 0, end: 0 }; 2],
        },
    ];
    assert_eq!(bus.topics().await.expect("topics"), expected);
    assert_eq!(bus.end_offsets("a").await.expect("ends"), [1, 0, 0]);
}

/// Names and sizes that Kafka would refuse are refused, and the names it takes are taken.
pub async fn impossible_ones_are_refused(bus: &Opened) {
    let long = "x".repeat(250);
    for name in ["", ".", "..", "a b", "a/b", "ä", long.as_str()] {
        let refused = bus.create_topic(name, &partitions(1)).await;
        assert!(matches!(refused, Err(Error::InvalidTopic { .. })), "{name}: {refused:?}");
    }
    for count in [0, u32::MAX] {
        let refused = bus.create_topic("a", &partitions(count)).await;
        assert!(matches!(refused, Err(Error::InvalidTopic { .. })), "{count}: {refused:?}");
    }
    for name in ["loader-api-candles", "A_1.b", &long[1..]] {
        bus.create_topic(name, &partitions(1)).await.expect("a name that Kafka takes");
    }
}

/// No call creates a topic or a partition on the side.
pub async fn unknown_ones_are_refused(bus: &Opened) {
    bus.create_topic("known", &partitions(1)).await.expect("create");
    let unknown = [
        bus.publish("none", keyless(b"x")).await.err(),
        bus.read("none", 0, 0, 1, 1).await.err(),
        bus.commit("g", "none", 0, 0).await.err(),
        bus.reset("g", "none", 0, 0).await.err(),
        bus.committed("g", "none").await.err(),
        bus.lag("g", "none").await.err(),
        bus.end_offsets("none").await.err(),
    ];
    for (call, error) in unknown.into_iter().enumerate() {
        assert!(matches!(error, Some(Error::UnknownTopic { .. })), "call {call}: {error:?}");
    }
    let unknown = [
        bus.read("known", 1, 0, 1, 1).await.err(),
        bus.commit("g", "known", 1, 0).await.err(),
        bus.reset("g", "known", u32::MAX, 0).await.err(),
    ];
    for (call, error) in unknown.into_iter().enumerate() {
        assert!(matches!(error, Some(Error::UnknownPartition { .. })), "call {call}: {error:?}");
    }
    assert_eq!(bus.topics().await.expect("topics").len(), 1);
}
