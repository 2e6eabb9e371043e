//! `kill -9` at any moment: what was acknowledged is there, and the file is whole.

use std::collections::BTreeMap;

use streamforge_bus::{Bus, SqliteBus, TopicConfig};

use crate::{
    child::{self, Line, Role},
    read_topic,
};

const ROUNDS: usize = 8;
const SEED: u64 = 20_240_601;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus.db");
    let config = TopicConfig { partitions: 3, ..TopicConfig::default() };
    SqliteBus::open(&path).unwrap().create_topic("t", &config).await.unwrap();

    let mut random = fastrand::Rng::with_seed(SEED);
    let mut acknowledged = BTreeMap::new();
    for round in 0..ROUNDS {
        let mut child = child::start(Role::PublishForEver, &path, &round.to_string());
        let mut lines = Vec::new();
        // The moment of the kill is a number of acknowledged records, so that it falls into the work on any machine.
        for _ in 0..random.usize(1..300) {
            lines.push(child.next_line().expect("the child publishes until killed"));
        }
        lines.extend(child.kill());
        for line in lines {
            let Line::Acknowledged(partition, offset, value) = line else {
                panic!("unexpected {line:?}");
            };
            let earlier = acknowledged.insert((partition, offset), value);
            assert_eq!(earlier, None, "an offset was given twice");
        }

        let checked: String = rusqlite::Connection::open(&path)
            .unwrap()
            .pragma_query_value(None, "integrity_check", |row| row.get(0))
            .unwrap();
        assert_eq!(checked, "ok", "round {round}");
        let bus = SqliteBus::open(&path).unwrap();
        let stored: BTreeMap<_, _> = read_topic(&bus, "t")
            .await
            .into_iter()
            .map(|stored| ((stored.partition, stored.offset), stored.record.value))
            .collect();
        for (place, value) in &acknowledged {
            assert_eq!(stored.get(place).map(Vec::as_slice), Some(value.as_bytes()), "round {round}, {place:?}");
        }
        let distinct: std::collections::BTreeSet<_> = stored.values().collect();
        assert_eq!(distinct.len(), stored.len(), "a record is there twice");
    }
}
