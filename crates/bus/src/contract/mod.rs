//! What every [`Bus`] must do: checks that panic where a backend differs.
//!
//! A backend runs them all with [`bus_contract!`](crate::bus_contract); each check gets a fresh, empty bus.

#![expect(clippy::missing_panics_doc, reason = "a check panics where the bus breaks the contract")]

pub mod groups;
pub mod members;
pub mod records;
pub mod retention;
pub mod topics;

use std::sync::Arc;

use crate::{Bus, Record, StoredRecord, TopicConfig};

/// What the checks get.
type Opened = Arc<dyn Bus>;

/// Makes one test of each check of the contract.
///
/// `$open` is an async function without arguments that answers a fresh bus and whatever must live as long as it, such
/// as its folder. With `deletes_when_told`, records go at [`Bus::enforce_retention`], by the times that they carry
/// whatever these are; elsewhere the log deletes when it likes.
#[macro_export]
macro_rules! bus_contract {
    ($open:path) => {
        $crate::bus_contract!($open, topics: [
            created_once_grown_and_never_shrunk,
            impossible_ones_are_refused,
            unknown_ones_are_refused,
        ]);
        $crate::bus_contract!($open, records: [
            survive_unchanged,
            with_one_key_share_a_partition_and_keep_their_order,
            without_key_take_turns,
            come_in_batches_within_both_limits,
            of_all_partitions_come_at_once,
            above_the_limit_are_refused_as_a_whole,
            of_concurrent_publishers_leave_no_gap,
            wake_readers_and_commits_do_not,
        ]);
        $crate::bus_contract!($open, groups: [
            commit_forward_only_unless_reset,
            cannot_commit_beyond_the_end,
            are_listed_and_forgotten,
            have_lost_what_they_were_told_once,
            lag_behind_by_what_they_have_not_read,
        ]);
        $crate::bus_contract!($open, members: [
            alone_have_all_partitions_from_where_the_group_is,
            begin_where_they_were_told_and_that_is_committed,
            read_on_and_are_woken,
            are_given_partitions_that_come_later,
        ]);
    };
    ($open:path, deletes_when_told) => {
        $crate::bus_contract!($open);
        $crate::bus_contract!($open, retention: [
            by_age_deletes_the_oldest_only,
            by_bytes_keeps_the_newest,
            never_reuses_offsets,
            is_told_to_those_who_come_back,
            is_told_for_each_partition,
            by_bytes_needs_no_call,
            without_limits_keeps_everything,
            of_a_large_backlog_is_complete,
            keeps_times_of_any_age,
        ]);
    };
    ($open:path, $part:ident: [$($check:ident),* $(,)?]) => {
        mod $part {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $check() {
                    let (bus, _guard) = $open().await;
                    let bus: std::sync::Arc<dyn $crate::Bus> = std::sync::Arc::new(bus);
                    $crate::contract::$part::$check(&bus).await;
                }
            )*
        }
    };
}

fn partitions(partitions: u32) -> TopicConfig {
    TopicConfig { partitions, ..TopicConfig::default() }
}

fn keyless(value: &[u8]) -> Record {
    Record { value: value.to_vec(), ..Record::default() }
}

fn keyed(key: &str, value: &[u8]) -> Record {
    Record { key: Some(key.as_bytes().to_vec()), ..keyless(value) }
}

async fn read_all(bus: &Opened, topic: &str, partition: u32) -> Vec<StoredRecord> {
    let mut records: Vec<StoredRecord> = Vec::new();
    loop {
        let from = records.last().map_or(0, |last| last.offset + 1);
        let batch = bus.read(topic, partition, from, 100, usize::MAX).await.expect("read");
        if batch.is_empty() {
            return records;
        }
        records.extend(batch);
    }
}
