//! What the log has for a member of a consumer group: where its partitions end, and the records that come next.

use streamforge_bus::{Bus, Error, Member, StoredRecord};
use tracing::error;

use super::Subscription;

/// Bytes read at once from a partition.
const READ_BYTES: usize = 1 << 20;

/// Where a partition is to be looked at.
pub(super) struct Place {
    pub(super) partition: u32,
    /// Which time it is ours.
    pub(super) epoch: u64,
    /// Where to read on; none while there are records left to start.
    pub(super) position: Option<u64>,
}

/// What a look at a partition has found.
pub(super) struct Found {
    pub(super) partition: u32,
    pub(super) epoch: u64,
    /// How far it reaches.
    pub(super) end: u64,
    /// Where reading began: beyond the position asked for if the records between were gone; none if there is nothing.
    pub(super) from: Option<u64>,
    pub(super) records: Vec<StoredRecord>,
}

/// Looks how far partitions reach, and reads on in those that have a position; the others are not read now.
///
/// What the group has missed is said and kept in mind.
pub(super) async fn read(
    bus: &dyn Bus,
    member: &dyn Member,
    subscription: &Subscription,
    places: &[Place],
    batch: usize,
) -> Result<Vec<Found>, Error> {
    let positions = places.iter().map(|place| (place.partition, place.position)).collect();
    let mut all = Vec::with_capacity(places.len());
    for (partition, ahead) in member.look(positions, batch, READ_BYTES).await? {
        // One that nobody asked for has come a moment ago, and is asked for next.
        let Some(place) = places.iter().find(|place| place.partition == partition) else { continue };
        let (from, records) = match ahead.records {
            Ok(records) => (records.first().map(|first| first.offset), records),
            Err(Error::RecordsGone { from, .. }) => {
                let (from, records) = fetch(bus, member, subscription, partition, from, batch).await?;
                (Some(from), records)
            }
            Err(error) => return Err(error),
        };
        all.push(Found { partition, epoch: place.epoch, end: ahead.end, from, records });
    }
    Ok(all)
}

/// Reads on behind records that are gone, once the group has missed them.
async fn fetch(
    bus: &dyn Bus,
    member: &dyn Member,
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
                member.record_loss(partition, from, resume).await?;
                let lost = resume - from;
                error!(%group, %topic, partition, from, resume, lost, "records were gone before they were delivered");
                from = resume;
            }
            Err(error) => return Err(error),
        }
    }
}
