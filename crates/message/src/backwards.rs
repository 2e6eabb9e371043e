//! The newest records of a topic, newest first, and page by page towards the oldest.

use streamforge_bus::{Bus, Error, StoredRecord, TopicDescription};

use crate::Places;

/// Held in memory at once, beside what is kept of the records before.
const BYTES_PER_READ: usize = 4 << 20;

/// Records, newest first.
#[derive(Debug)]
pub struct Page<T> {
    /// What was kept of each record.
    pub rows: Vec<T>,
    /// Where the page before begins; none if nothing is left.
    pub earlier: Option<Places>,
}

/// What was kept of a record, and what it is ordered by.
struct Kept<T> {
    timestamp: i64,
    offset: u64,
    row: T,
}

/// Reads the last `max` records before these places, or before the end, and keeps of each what `keep` makes of it.
///
/// Partitions are merged by time; within each, records stay in the order of their offsets.
///
/// # Errors
/// A failure of the log.
pub async fn newest<T>(
    bus: &dyn Bus,
    topic: &TopicDescription,
    before: Option<&Places>,
    max: usize,
    keep: impl Fn(StoredRecord) -> T + Send + Sync,
) -> Result<Page<T>, Error> {
    let mut partitions = Vec::new();
    let (mut ends, mut windows) = (Vec::new(), Vec::new());
    for (number, held) in (0..).zip(&topic.offsets) {
        let asked = before.and_then(|places| places.0.get(number as usize).copied());
        let end = asked.unwrap_or(held.end).clamp(held.start, held.end);
        let start = end.saturating_sub(max as u64).max(held.start);
        ends.push(end);
        windows.push(start);
        partitions.push(tail(bus, &topic.name, number, (start, end), &keep).await?);
    }
    let mut rows = Vec::new();
    while rows.len() < max {
        let heads = partitions.iter().enumerate().filter_map(|(number, tail)| Some((tail.last()?.timestamp, number)));
        let Some((_, number)) = heads.max() else { break };
        let Some(head) = partitions[number].pop() else { break };
        ends[number] = head.offset;
        rows.push(head.row);
    }
    for ((end, start), tail) in ends.iter_mut().zip(windows).zip(&partitions) {
        // Offsets of records that are gone hold nobody up.
        if tail.is_empty() {
            *end = start;
        }
    }
    let has_earlier = ends.iter().zip(&topic.offsets).any(|(end, held)| *end > held.start);
    Ok(Page { rows, earlier: has_earlier.then_some(Places(ends)) })
}

/// The records of a partition between two offsets, ascending.
async fn tail<T>(
    bus: &dyn Bus,
    topic: &str,
    partition: u32,
    (start, end): (u64, u64),
    keep: &(impl Fn(StoredRecord) -> T + Send + Sync),
) -> Result<Vec<Kept<T>>, Error> {
    let mut next = start;
    let mut kept = Vec::new();
    while next < end {
        let wanted = usize::try_from(end - next).unwrap_or(usize::MAX);
        let records = bus.read(topic, partition, next, wanted, BYTES_PER_READ).await?;
        let Some(last) = records.last() else { break };
        next = last.offset + 1;
        let within = records.into_iter().filter(|stored| stored.offset < end);
        kept.extend(within.map(|stored| Kept {
            timestamp: stored.record.timestamp,
            offset: stored.offset,
            row: keep(stored),
        }));
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use streamforge_bus::{Record, SqliteBus, TopicConfig};

    use super::*;

    #[tokio::test]
    async fn pages_join_from_the_newest_to_the_oldest() {
        let folder = tempfile::tempdir().unwrap();
        let bus = SqliteBus::open(&folder.path().join("bus.db")).unwrap();
        bus.create_topic("t", &TopicConfig { partitions: 3, ..TopicConfig::default() }).await.unwrap();
        for timestamp in 0..40 {
            let key = Some(format!("key {timestamp}").into_bytes());
            bus.publish("t", Record { key, timestamp, value: vec![0; 600_000], ..Record::default() }).await.unwrap();
        }
        let topic = bus.topics().await.unwrap().remove(0);
        for max in [1, 7, 40, 100] {
            let (mut before, mut found) = (None, Vec::new());
            loop {
                let page = newest(&bus, &topic, before.as_ref(), max, |stored| stored.record.timestamp).await.unwrap();
                assert!(page.rows.len() <= max && !page.rows.is_empty());
                found.extend(page.rows);
                before = page.earlier;
                if before.is_none() {
                    break;
                }
            }
            assert_eq!(found, (0..40).rev().collect::<Vec<_>>(), "pages of {max}");
        }
        let beyond = Places(vec![u64::MAX; 3]);
        assert_eq!(newest(&bus, &topic, Some(&beyond), 1, |stored| stored.record.timestamp).await.unwrap().rows, [39]);
        let none = newest(&bus, &topic, Some(&Places(vec![0, 0, 0])), 5, |stored| stored.offset).await.unwrap();
        assert!(none.rows.is_empty() && none.earlier.is_none());
    }
}
