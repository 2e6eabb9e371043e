//! A full disk: publishers are told, nothing acknowledged is lost, and writing goes on when there is room again.

use super::*;

async fn limit_pages(bus: &SqliteBus, pages: i64) {
    bus.writer
        .run(Durability::Disk, 0, move |batch| {
            // The limit is never set below the present size: https://sqlite.org/pragma.html#pragma_max_page_count
            let sql = format!("PRAGMA max_page_count = {pages}");
            batch.tables()?.query_row(&sql, [], |_| Ok(()))?;
            Ok(())
        })
        .await
        .unwrap();
}

fn record(value: Vec<u8>) -> Record {
    Record { value, ..Record::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_refuses_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus.db");
    let bus = SqliteBus::open(&path).unwrap();
    bus.create_topic("t", &TopicConfig::default()).await.unwrap();
    assert_eq!(bus.publish("t", record(vec![1])).await.unwrap(), (0, 0));

    limit_pages(&bus, 1).await;
    let (first, second) =
        tokio::join!(bus.publish("t", record(vec![2; 900_000])), bus.publish("t", record(vec![2; 900_000])),);
    for refused in [first, second] {
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
        assert!(error.is_retryable());
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    let kept = bus.read("t", 0, 0, 10, usize::MAX).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(*bus.appended().borrow(), 1);

    limit_pages(&bus, i64::from(u32::MAX) - 1).await;
    let placed = bus.publish("t", record(vec![3; 900_000])).await.unwrap();
    assert_eq!(placed, (0, 1));
    let all = bus.read("t", 0, 0, 10, usize::MAX).await.unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(all[1].record.value, vec![3; 900_000]);
}
