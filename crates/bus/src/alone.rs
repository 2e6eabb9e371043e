//! The member of a group on a log that knows none: it has all partitions, always.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{Ahead, Bus, Error, InitialOffset, Member, Seat, Share, Shares};

/// A member that shares with nobody.
pub(crate) struct Alone {
    bus: Arc<dyn Bus>,
    seat: Seat,
    shares: watch::Sender<Shares>,
}

impl Alone {
    /// Joins; the group has an offset in each partition when this returns, so that its lag is defined.
    pub(crate) async fn join(bus: Arc<dyn Bus>, seat: Seat) -> Result<Arc<dyn Member>, Error> {
        let Seat { group, topic, initial_offset, .. } = &seat;
        let topics = bus.topics().await?;
        let described = topics.into_iter().find(|described| described.name == *topic);
        let ranges = described.ok_or_else(|| Error::UnknownTopic { topic: topic.clone() })?.offsets;
        let committed = bus.committed(group, topic).await?;
        let mut shares = Shares::new();
        for (number, range) in (0..).zip(ranges) {
            let start = match (committed.get(number as usize).copied().flatten(), initial_offset) {
                (Some(next), _) => next,
                (None, InitialOffset::Earliest) => range.start,
                (None, InitialOffset::Latest) => range.end,
            };
            bus.commit(group, topic, number, start).await?;
            shares.insert(number, Share { epoch: 0, start, is_wanted_back: false });
        }
        let shares = watch::Sender::new(shares);
        Ok(Arc::new(Self { bus, seat, shares }))
    }
}

#[async_trait]
impl Member for Alone {
    fn shares(&self) -> watch::Receiver<Shares> {
        self.shares.subscribe()
    }

    fn appended(&self) -> watch::Receiver<u64> {
        self.bus.appended()
    }

    async fn look(
        &self,
        positions: Vec<(u32, Option<u64>)>,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<(u32, Ahead)>, Error> {
        let mut by_number = Vec::new();
        for (number, position) in positions {
            let index = number as usize;
            if by_number.len() <= index {
                by_number.resize(index + 1, None);
            }
            by_number[index] = position;
        }
        let known = by_number.len();
        let found = self.bus.look(&self.seat.topic, by_number, max_records, max_bytes).await?;
        if found.len() > known {
            // Added while this member reads, so none of their records can have been read yet.
            self.shares.send_if_modified(|shares| {
                let before = shares.len();
                for (number, _) in (0..).zip(&found).skip(known) {
                    shares.entry(number).or_insert(Share { epoch: 0, start: 0, is_wanted_back: false });
                }
                shares.len() > before
            });
        }
        Ok((0..).zip(found).collect())
    }

    async fn commit(&self, partition: u32, next: u64) -> Result<(), Error> {
        self.bus.commit(&self.seat.group, &self.seat.topic, partition, next).await
    }

    async fn record_loss(&self, partition: u32, from: u64, to: u64) -> Result<(), Error> {
        self.bus.record_loss(&self.seat.group, &self.seat.topic, partition, from, to).await
    }

    fn release(&self, _: u32) {}

    async fn leave(&self) {}
}
