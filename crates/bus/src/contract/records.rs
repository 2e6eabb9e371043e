//! Records: what goes in comes out, in order, once.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::{Opened, keyed, keyless, partitions, read_all};
use crate::{Error, MAX_RECORD_BYTES, Record, partition_for_key};

/// Binary values, repeated header names, a missing key, an empty key and an empty value all survive.
pub async fn survive_unchanged(bus: &Opened) {
    bus.create_topic("t", &partitions(1)).await.expect("create");
    let all_bytes: Vec<u8> = (0..=255).collect();
    let header = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
    let mut records = vec![
        Record {
            key: Some(all_bytes.clone()),
            headers: vec![
                header("ce_id", b"1"),
                header("same", &all_bytes),
                header("same", b""),
                header("", b"x"),
                header("ключ", b"\0"),
            ],
            value: all_bytes,
            timestamp: 0,
        },
        Record { key: Some(Vec::new()), ..Record::default() },
        Record::default(),
        keyless(&vec![7; 300_000]),
    ];
    for (record, timestamp) in records.iter_mut().zip(1_717_200_000_000..) {
        record.timestamp = timestamp;
    }
    let placed = bus.publish_many("t", records.clone()).await.expect("publish");
    assert_eq!(placed, [(0, 0), (0, 1), (0, 2), (0, 3)]);
    let stored = read_all(bus, "t", 0).await;
    for (index, (stored, record)) in stored.iter().zip(&records).enumerate() {
        assert_eq!(stored.topic, "t");
        assert_eq!((stored.partition, stored.offset), placed[index], "record {index}");
        assert_eq!(&stored.record, record, "record {index}");
    }
    assert_eq!(stored.len(), records.len());
    assert_eq!(stored[0].record.header("same"), records[0].header("same"));
    assert_eq!(stored[0].record.header("none"), None);
    let nothing = bus.publish_many("t", Vec::new()).await.expect("publish");
    assert!(nothing.is_empty());
}

/// The partition is the one that Kafka's default partitioner picks.
pub async fn with_one_key_share_a_partition_and_keep_their_order(bus: &Opened) {
    bus.create_topic("t", &partitions(5)).await.expect("create");
    let keys = ["BTCUSDT", "ETHUSDT", "1INCHUSDT", "币安人生USDT", ""];
    for round in 0..4u8 {
        for key in keys {
            let (partition, _) = bus.publish("t", keyed(key, &[round])).await.expect("publish");
            assert_eq!(partition, partition_for_key(key.as_bytes(), 5), "{key}");
        }
    }
    for key in keys {
        let records = read_all(bus, "t", partition_for_key(key.as_bytes(), 5)).await;
        let values: Vec<u8> = records
            .into_iter()
            .filter(|stored| stored.record.key.as_deref() == Some(key.as_bytes()))
            .flat_map(|stored| stored.record.value)
            .collect();
        assert_eq!(values, [0, 1, 2, 3], "{key}");
    }
}

/// Records without a key are spread evenly, whatever is published with keys or to other topics in between.
pub async fn without_key_take_turns(bus: &Opened) {
    bus.create_topic("t", &partitions(3)).await.expect("create");
    bus.create_topic("u", &partitions(3)).await.expect("create");
    let mut counts = [0; 3];
    for _ in 0..9 {
        let (partition, _) = bus.publish("t", keyless(b"")).await.expect("publish");
        counts[partition as usize] += 1;
        bus.publish("t", keyed("k", b"")).await.expect("publish");
        bus.publish("u", keyless(b"")).await.expect("publish");
    }
    assert_eq!(counts, [3, 3, 3]);
    assert_eq!(bus.end_offsets("u").await.expect("ends"), [3, 3, 3]);
}

/// A batch keeps to both limits, yet its first record always comes.
pub async fn come_in_batches_within_both_limits(bus: &Opened) {
    bus.create_topic("t", &partitions(1)).await.expect("create");
    let sizes = [10, 10, 100, 10];
    let records = sizes.map(|size| keyless(&vec![0; size])).to_vec();
    bus.publish_many("t", records).await.expect("publish");
    let cases: [(u64, usize, usize, &[u64]); 9] = [
        (0, 10, usize::MAX, &[0, 1, 2, 3]),
        (0, 2, usize::MAX, &[0, 1]),
        (0, usize::MAX, 20, &[0, 1]),
        (0, 10, 119, &[0, 1]),
        (0, 10, 120, &[0, 1, 2]),
        (2, 10, 1, &[2]),
        (0, 0, 10, &[]),
        (4, 10, 10, &[]),
        (u64::MAX, 10, 10, &[]),
    ];
    for (from, max_records, max_bytes, expected) in cases {
        let batch = bus.read("t", 0, from, max_records, max_bytes).await.expect("read");
        let offsets: Vec<u64> = batch.iter().map(|stored| stored.offset).collect();
        assert_eq!(offsets, expected, "from {from}, {max_records} records, {max_bytes} bytes");
    }
}

/// One look tells the end of each partition and reads those that have a position, and new ones from their start.
pub async fn of_all_partitions_come_at_once(bus: &Opened) {
    bus.create_topic("t", &partitions(4)).await.expect("create");
    bus.publish_many("t", (0..12).map(|_| keyless(b"x")).collect()).await.expect("publish");
    let positions = vec![Some(1), None, Some(3)];
    let mut found = Vec::new();
    for ahead in bus.look("t", positions, 2, usize::MAX).await.expect("look") {
        let offsets: Vec<u64> = ahead.records.expect("read").iter().map(|stored| stored.offset).collect();
        found.push((ahead.end, offsets));
    }
    assert_eq!(found, [(3, vec![1, 2]), (3, vec![]), (3, vec![]), (3, vec![0, 1])]);
    let unknown = bus.look("none", Vec::new(), 1, 1).await;
    assert!(matches!(unknown, Err(Error::UnknownTopic { .. })), "{unknown:?}");
}

/// Key, headers and value together count; one record too large refuses the whole batch.
pub async fn above_the_limit_are_refused_as_a_whole(bus: &Opened) {
    bus.create_topic("t", &partitions(1)).await.expect("create");
    let mut record = Record {
        key: Some(vec![0; 10]),
        headers: vec![("name".to_owned(), vec![0; 6])],
        value: vec![0; MAX_RECORD_BYTES - 20],
        timestamp: 0,
    };
    assert_eq!(record.size(), MAX_RECORD_BYTES);
    bus.publish("t", record.clone()).await.expect("at the limit");
    record.value.push(0);
    let refused = bus.publish_many("t", vec![keyless(b"small"), record]).await;
    assert!(matches!(refused, Err(Error::TooLarge { size, .. }) if size == MAX_RECORD_BYTES + 1), "{refused:?}");
    assert_eq!(bus.end_offsets("t").await.expect("ends"), [1]);
}

/// Offsets given to many publishers at once are all different and leave none out; a refused one spoils nothing.
pub async fn of_concurrent_publishers_leave_no_gap(bus: &Opened) {
    const PUBLISHERS: usize = 200;
    bus.create_topic("t", &partitions(3)).await.expect("create");
    let publishes = (0..PUBLISHERS).map(|index| async move {
        if index % 10 == 0 {
            let refused = bus.publish("none", keyless(b"x")).await;
            assert!(matches!(refused, Err(Error::UnknownTopic { .. })));
        }
        let value = index.to_le_bytes();
        let key = format!("key-{}", index % 7);
        let placed = bus.publish("t", keyed(&key, &value)).await.expect("publish");
        (placed, value.to_vec())
    });
    let acknowledged: BTreeSet<_> = join_all(publishes).await.into_iter().collect();
    assert_eq!(acknowledged.len(), PUBLISHERS);

    let mut stored = BTreeSet::new();
    for partition in 0..3 {
        for (index, record) in read_all(bus, "t", partition).await.into_iter().enumerate() {
            assert_eq!(record.offset, index as u64, "a gap in partition {partition}");
            stored.insert(((partition, record.offset), record.record.value));
        }
    }
    assert_eq!(stored, acknowledged);
}

/// A reader that waits is woken by an append, not by a commit.
pub async fn wake_readers_and_commits_do_not(bus: &Opened) {
    bus.create_topic("t", &partitions(1)).await.expect("create");
    let mut appended = bus.appended();
    let before = *appended.borrow_and_update();
    let wait = async {
        appended.changed().await.expect("the bus is open");
        *appended.borrow_and_update()
    };
    let (after, placed) = tokio::join!(wait, bus.publish("t", keyless(b"x")));
    placed.expect("publish");
    assert_eq!(after, before + 1);
    bus.commit("g", "t", 0, 1).await.expect("commit");
    assert!(!appended.has_changed().expect("the bus is open"));
}
