//! What the `SQLite` log promises beyond the contract: one file, several processes, any of which may die.

#![expect(clippy::unwrap_used, reason = "test code outside of test functions, too, fails by panicking")]

mod child;
mod files;
mod kill;
mod processes;

use streamforge_bus::{Bus, Record, StoredRecord};

/// Longer than anything here takes; only a hang reaches it.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(2);

fn record(value: &str) -> Record {
    Record { key: Some(value.as_bytes().to_vec()), value: value.as_bytes().to_vec(), ..Record::default() }
}

/// Reads every partition to its end, and checks that no offset is missing.
async fn read_topic(bus: &dyn Bus, topic: &str) -> Vec<StoredRecord> {
    let mut records = Vec::new();
    let ends = bus.end_offsets(topic).await.unwrap();
    for (partition, end) in (0..).zip(ends) {
        let mut next = 0;
        while next < end {
            let batch = bus.read(topic, partition, next, 500, usize::MAX).await.unwrap();
            for stored in batch {
                assert_eq!(stored.offset, next, "a gap in partition {partition}");
                next += 1;
                records.push(stored);
            }
        }
    }
    records
}
