//! What the log has for a consumer group: where its partitions end, and the records that come next.

use streamforge_bus::{Bus, Error, StoredRecord};
use tracing::error;

use super::Subscription;

/// Bytes read at once from a partition.
const READ_BYTES: usize = 1 << 20;

/// What a look at the log has found.
pub(super) struct News {
    /// End of each partition.
    pub(super) ends: Vec<u64>,
    pub(super) batches: Vec<Batch>,
}

/// The next records of one partition.
pub(super) struct Batch {
    pub(super) partition: usize,
    /// Where reading began: beyond the position asked for if the records between were gone.
    pub(super) from: u64,
    pub(super) records: Vec<StoredRecord>,
}

/// Looks how far all partitions reach, and reads on in those that have a position; the others are not read now.
///
/// What the group has missed is said and kept in mind.
pub(super) async fn read(
    bus: &dyn Bus,
    subscription: &Subscription,
    positions: Vec<Option<u64>>,
    batch: usize,
) -> Result<News, Error> {
    let mut news = News { ends: Vec::new(), batches: Vec::new() };
    // A partition that is not known yet was added while running, so it begins at 0.
    let found = bus.look(&subscription.topic, positions, batch, READ_BYTES).await?;
    for (index, (number, ahead)) in (0..).zip(found).enumerate() {
        news.ends.push(ahead.end);
        let (from, records) = match ahead.records {
            Ok(records) => match records.first() {
                Some(first) => (first.offset, records),
                None => continue,
            },
            Err(Error::RecordsGone { from, .. }) => fetch(bus, subscription, number, from, batch).await?,
            Err(error) => return Err(error),
        };
        news.batches.push(Batch { partition: index, from, records });
    }
    Ok(news)
}

/// Reads on behind records that are gone, once the group has missed them.
async fn fetch(
    bus: &dyn Bus,
    subscription: &Subscription,
    partition: u32,
    mut from: u64,
    batch: usize,
) -> Result<(u64, Vec<StoredRecord>), Error> {
    let Subscription { group, topic, .. } = subscription;
    loop {
        match bus.fetch(topic, partition, from, batch, READ_BYTES).await {
            Ok(records) => return Ok((from, records)),
            Err(Error::RecordsGone { resume, .. }) if resume > from => {
                bus.record_loss(group, topic, partition, from, resume).await?;
                let lost = resume - from;
                error!(%group, %topic, partition, from, resume, lost, "records were gone before they were delivered");
                from = resume;
            }
            Err(error) => return Err(error),
        }
    }
}
