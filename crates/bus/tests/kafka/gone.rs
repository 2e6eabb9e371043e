//! Records that the brokers have deleted: told to those who come back, never skipped in silence.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use streamforge_bus::{Bus, Error, InitialOffset, Record, Seat, TopicConfig};

use crate::cluster::{fresh, kafka};

const PATIENCE: Duration = Duration::from_mins(1);

/// Deletes all records of the only partition before an offset.
async fn delete_before(offset: i64) {
    let mut config = ClientConfig::new();
    let admin: AdminClient<DefaultClientContext> =
        config.set("bootstrap.servers", kafka().bootstrap()).create().unwrap();
    let mut places = TopicPartitionList::new();
    places.add_partition_offset("t", 0, Offset::Offset(offset)).unwrap();
    let deleted = admin.delete_records(&places, &AdminOptions::new()).await.unwrap();
    deleted.elements()[0].error().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_brokers_deleted_is_told_to_readers_and_members() {
    let (bus, _turn) = fresh().await;
    let bus: Arc<dyn Bus> = Arc::new(bus);
    bus.create_topic("t", &TopicConfig::default()).await.unwrap();
    bus.publish_many("t", vec![Record::default(); 5]).await.unwrap();
    bus.commit("g", "t", 0, 1).await.unwrap();
    // A cursor that has been there before goes by the same rule.
    assert_eq!(bus.fetch("t", 0, 0, 1, usize::MAX).await.unwrap().len(), 1);
    delete_before(3).await;

    let gone = bus.fetch("t", 0, 1, 10, usize::MAX).await;
    assert!(matches!(gone, Err(Error::RecordsGone { from: 1, resume: 3, partition: 0, .. })), "{gone:?}");
    let rest = bus.read("t", 0, 1, 10, usize::MAX).await.unwrap();
    assert_eq!(rest.iter().map(|stored| stored.offset).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(bus.lag("g", "t").await.unwrap(), [2]);
    let looked = bus.look("t", vec![Some(0)], 10, usize::MAX).await.unwrap();
    assert!(matches!(looked[0].records, Err(Error::RecordsGone { resume: 3, .. })), "{looked:?}");

    let seat =
        Seat { group: "g".to_owned(), topic: "t".to_owned(), initial_offset: InitialOffset::Earliest, instance: None };
    let member = Arc::clone(&bus).join(seat).await.unwrap();
    let mut appended = member.appended();
    let told = async {
        loop {
            appended.borrow_and_update();
            let looked = member.look(vec![(0, Some(1))], 10, usize::MAX).await.unwrap();
            if let Some((0, ahead)) = looked.into_iter().next() {
                match ahead.records {
                    Err(Error::RecordsGone { from: 1, resume: 3, .. }) => return,
                    Ok(records) => assert!(records.is_empty(), "{records:?} came without a word of what is gone"),
                    Err(error) => panic!("{error}"),
                }
            }
            appended.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
    let on = async {
        loop {
            appended.borrow_and_update();
            let looked = member.look(vec![(0, Some(3))], 10, usize::MAX).await.unwrap();
            let offsets: Vec<u64> =
                looked.into_iter().flat_map(|(_, ahead)| ahead.records.unwrap()).map(|stored| stored.offset).collect();
            if !offsets.is_empty() {
                return offsets;
            }
            appended.changed().await.unwrap();
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, on).await.unwrap()[0], 3);
    member.leave().await;
}
