//! Ten million records through a log with retention: the disk stays bounded, memory stays flat, and of what is held
//! nothing is missing.

#![expect(clippy::unwrap_used, reason = "test code outside of test functions, too, fails by panicking")]

use std::{fs, path::Path};

use streamforge_bus::{Bus, Record, SqliteBus, TopicConfig};

const RECORDS: u64 = 10_000_000;
const BATCH: u64 = 20_000;
const RETAINED_BYTES: u64 = 4 << 20;
/// A record takes its value, its place and some columns; appends may go a sixteenth beyond the limit, pages are not
/// full to the brim, and a transaction keeps old pages until it is done.
const FILE_BYTES: u64 = 12 * RETAINED_BYTES;
/// Once the caches are full, memory moves by this much at most.
const MEMORY_BYTES: u64 = 48 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn ten_million_records_leave_disk_and_memory_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus.db");
    let bus = SqliteBus::open(&path).unwrap();
    let config = TopicConfig { partitions: 1, retention_ms: None, retention_bytes: Some(RETAINED_BYTES) };
    bus.create_topic("t", &config).await.unwrap();
    let (mut largest, mut warm, mut start) = (0, 0, 0);
    for batch in 0..RECORDS / BATCH {
        let numbers = batch * BATCH..(batch + 1) * BATCH;
        let records =
            numbers.clone().map(|number| Record { value: number.to_le_bytes().to_vec(), ..Record::default() });
        let placed = bus.publish_many("t", records.collect()).await.unwrap();
        assert_eq!(placed.last(), Some(&(0, numbers.end - 1)));
        largest = largest.max(fs::metadata(&path).unwrap().len());
        if batch == RECORDS / BATCH / 10 {
            warm = resident_bytes();
        }
        if batch % 100 == 99 {
            let held = bus.topics().await.unwrap()[0].offsets[0];
            assert!(held.end > RETAINED_BYTES / 8 && held.start > start, "the oldest record moves on: {held:?}");
            start = held.start;
        }
    }
    assert!(largest <= FILE_BYTES, "the file took {largest} bytes");
    let grown = resident_bytes().saturating_sub(warm);
    assert!(grown <= MEMORY_BYTES, "memory grew by {grown} bytes");

    let held = bus.topics().await.unwrap()[0].offsets[0];
    assert_eq!(held.end, RECORDS);
    assert!(RECORDS - held.start >= RETAINED_BYTES / 8, "what the limit covers is held: {held:?}");
    let mut next = held.start;
    while next < RECORDS {
        for stored in bus.fetch("t", 0, next, 10_000, usize::MAX).await.unwrap() {
            assert_eq!((stored.offset, stored.record.value.as_slice()), (next, next.to_le_bytes().as_slice()));
            next += 1;
        }
    }
}

fn resident_bytes() -> u64 {
    let Ok(status) = fs::read_to_string(Path::new("/proc/self/status")) else {
        return 0;
    };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
