//! Members of a group: which partitions they have, where they begin, how they read on.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{Opened, keyless, partitions};
use crate::{Ahead, Error, InitialOffset, Member, Seat, Shares};

/// Longer than a group needs to come to terms.
const PATIENCE: Duration = Duration::from_mins(1);

fn seat(initial_offset: InitialOffset) -> Seat {
    Seat { group: "g".to_owned(), topic: "t".to_owned(), initial_offset, instance: None }
}

/// Waits until the member has so many partitions.
async fn shares(member: &dyn Member, count: usize) -> Shares {
    let mut shares = member.shares();
    let waited = timeout(PATIENCE, shares.wait_for(|shares| shares.len() == count)).await;
    waited.expect("in time").expect("the member is there").clone()
}

/// Reads on in one partition until so many records have come.
async fn read(member: &dyn Member, partition: u32, from: u64, count: usize) -> Vec<u64> {
    let mut appended = member.appended();
    let mut offsets: Vec<u64> = Vec::new();
    let reading = async {
        loop {
            appended.borrow_and_update();
            let position = offsets.last().map_or(from, |last| last + 1);
            for (number, Ahead { end, records }) in
                member.look(vec![(partition, Some(position))], 2, usize::MAX).await.expect("look")
            {
                if number == partition {
                    let records = records.expect("held");
                    offsets.extend(records.iter().map(|stored| stored.offset));
                    assert!(end >= offsets.last().map_or(0, |last| last + 1), "{end} lies before {offsets:?}");
                    if !records.is_empty() {
                        appended.mark_changed();
                    }
                }
            }
            if offsets.len() >= count {
                return;
            }
            appended.changed().await.expect("the log is open");
        }
    };
    timeout(PATIENCE, reading).await.expect("in time");
    offsets
}

/// What is committed is where a member begins, and a commit of it moves the group.
pub async fn alone_have_all_partitions_from_where_the_group_is(bus: &Opened) {
    bus.create_topic("t", &partitions(2)).await.expect("create");
    bus.publish_many("t", vec![keyless(b"x"); 6]).await.expect("publish");
    bus.commit("g", "t", 1, 2).await.expect("commit");
    let member = Arc::clone(bus).join(seat(InitialOffset::Earliest)).await.expect("join");
    let held = shares(member.as_ref(), 2).await;
    assert_eq!(
        held.values().map(|share| (share.start, share.is_wanted_back)).collect::<Vec<_>>(),
        [(0, false), (2, false)]
    );
    member.commit(0, 2).await.expect("commit");
    member.commit(0, 1).await.expect("a late duplicate");
    member.record_loss(1, 0, 2).await.expect("record a loss");
    member.commit(1, 3).await.expect("commit");
    assert_eq!(bus.committed("g", "t").await.expect("committed"), [Some(2), Some(3)]);
    let lost: Vec<u64> = bus.groups().await.expect("groups").iter().map(|group| group.lost).collect();
    assert_eq!(lost, [0, 2]);
    member.leave().await;
    bus.reset("g", "t", 0, 0).await.expect("nobody is in the group any more");
}

/// A group that never committed begins at the oldest record or at the end, as it was told, and its lag says so.
pub async fn begin_where_they_were_told_and_that_is_committed(bus: &Opened) {
    bus.create_topic("t", &partitions(1)).await.expect("create");
    bus.publish_many("t", vec![keyless(b"x"); 3]).await.expect("publish");
    for (group, initial_offset, start) in [("old", InitialOffset::Earliest, 0), ("new", InitialOffset::Latest, 3)] {
        let seat = Seat { group: group.to_owned(), ..seat(initial_offset) };
        let member = Arc::clone(bus).join(seat).await.expect("join");
        assert_eq!(bus.committed(group, "t").await.expect("committed"), [Some(start)]);
        assert_eq!(bus.lag(group, "t").await.expect("lag"), [3 - start]);
        assert_eq!(shares(member.as_ref(), 1).await[&0].start, start);
        member.leave().await;
    }
    let nowhere = Seat { topic: "none".to_owned(), ..seat(InitialOffset::Earliest) };
    let refused = Arc::clone(bus).join(nowhere).await.err();
    assert!(matches!(refused, Some(Error::UnknownTopic { .. })), "{refused:?}");
}

/// Records come in order from any position, and one that waits is woken by an append.
pub async fn read_on_and_are_woken(bus: &Opened) {
    bus.create_topic("t", &partitions(1)).await.expect("create");
    bus.publish_many("t", vec![keyless(b"x"); 5]).await.expect("publish");
    let member = Arc::clone(bus).join(seat(InitialOffset::Earliest)).await.expect("join");
    shares(member.as_ref(), 1).await;
    assert_eq!(read(member.as_ref(), 0, 0, 5).await, [0, 1, 2, 3, 4]);
    let later = async {
        for _ in 0..3 {
            bus.publish("t", keyless(b"y")).await.expect("publish");
        }
    };
    let (offsets, ()) = tokio::join!(read(member.as_ref(), 0, 5, 3), later);
    assert_eq!(offsets, [5, 6, 7]);
    assert_eq!(read(member.as_ref(), 0, 1, 7).await, [1, 2, 3, 4, 5, 6, 7]);
    let peeked = member.look(vec![(0, None)], 10, usize::MAX).await.expect("look");
    assert!(peeked.iter().all(|(_, ahead)| ahead.records.as_ref().is_ok_and(Vec::is_empty)), "{peeked:?}");
    member.leave().await;
}

/// A topic that grows gives its new partitions to those who read it, from their first record on.
pub async fn are_given_partitions_that_come_later(bus: &Opened) {
    bus.create_topic("t", &partitions(1)).await.expect("create");
    let member = Arc::clone(bus).join(seat(InitialOffset::Earliest)).await.expect("join");
    shares(member.as_ref(), 1).await;
    bus.create_topic("t", &partitions(2)).await.expect("grow");
    bus.publish_many("t", vec![keyless(b"x"); 2]).await.expect("publish");
    member.look(vec![(0, Some(0))], 10, usize::MAX).await.expect("look");
    let held = shares(member.as_ref(), 2).await;
    assert_eq!(held[&1].start, 0);
    assert_eq!(read(member.as_ref(), 1, 0, 1).await, [0]);
    member.leave().await;
}
