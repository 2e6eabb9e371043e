//! The log of a data folder: what was published, read again from its beginning, or published again.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use streamforge_bus::{Bus, Record, SqliteBus};

use crate::support::{Folder, until};

pub(crate) struct Log {
    bus: SqliteBus,
    runtime: tokio::runtime::Runtime,
}

impl Log {
    pub(crate) fn open(folder: &Folder) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { bus: SqliteBus::open(&folder.path("data/bus.db")).unwrap(), runtime }
    }

    /// Every topic with its records.
    fn records(&self) -> BTreeMap<String, Vec<Record>> {
        self.runtime.block_on(async {
            let mut topics = BTreeMap::new();
            for topic in self.bus.topics().await.unwrap() {
                let mut records = Vec::new();
                for (partition, offsets) in (0..).zip(topic.offsets) {
                    let mut next = offsets.start;
                    while next < offsets.end {
                        let stored = self.bus.read(&topic.name, partition, next, 1000, usize::MAX).await.unwrap();
                        next = stored.last().unwrap().offset + 1;
                        records.extend(stored.into_iter().map(|stored| stored.record));
                    }
                }
                topics.insert(topic.name, records);
            }
            topics
        })
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.records().values().map(Vec::len).sum()
    }

    /// Type, source and id of everything that was ever published; what comes again under the same names is no news.
    pub(crate) fn events(&self) -> BTreeSet<[String; 3]> {
        let header = |record: &Record, name: &str| {
            String::from_utf8(record.header(name).unwrap_or_else(|| panic!("no {name}")).to_vec()).unwrap()
        };
        let all = self.records().into_values().flatten();
        all.map(|record| ["ce_type", "ce_source", "ce_id"].map(|name| header(&record, name))).collect()
    }

    /// Sends every consumer group back to the beginning.
    pub(crate) fn rewind(&self) {
        self.runtime.block_on(async {
            for group in self.bus.groups().await.unwrap() {
                self.bus.reset(&group.group, &group.topic, group.partition, 0).await.unwrap();
            }
        });
    }

    /// Publishes everything twice more, in any order.
    pub(crate) fn publish_again(&self, random: &mut Rng) {
        for (topic, records) in self.records() {
            let mut records = [records.clone(), records].concat();
            random.shuffle(&mut records);
            self.runtime.block_on(self.bus.publish_many(&topic, records)).unwrap();
        }
    }

    /// Waits until every group has read everything: what a handler publishes is published before its event is done.
    pub(crate) fn wait_until_read(&self) {
        until("the end of the log", || {
            self.runtime.block_on(async {
                for group in self.bus.groups().await.unwrap() {
                    let lag: u64 = self.bus.lag(&group.group, &group.topic).await.unwrap().iter().sum();
                    if lag > 0 {
                        return None;
                    }
                }
                Some(())
            })
        });
    }
}
