//! A backup restored beside what is there: versions decide, and what is there otherwise is told.

use crate::world::{HOUR, World, at, files, graph, hourly, kline, version, workflow};

#[tokio::test]
async fn newer_rows_stay_and_older_ones_give_way() {
    let (world, other) = (World::sqlite().await, World::sqlite().await);
    let series = hourly("BTCUSDT");
    let start = at("2024-02-01");
    let bar = |version, close: &str| kline(start, HOUR, version, close);
    let next = kline(start + HOUR, HOUR, 1 << 50, "7");
    world.store.upsert_klines(&series, &[bar(1 << 50, "5")]).await.unwrap();
    world.store.put_graph(&graph(1)).await.unwrap();
    world.store.create(&workflow(1, "finished")).await.unwrap();
    let place = world.place().await;
    world.back_up(&place, "b").await.unwrap();

    for (there, stays) in [(bar(9, "1"), "5"), ((bar(1 << 50 | 1, "6")), "6")] {
        other.store.upsert_klines(&series, &[there, next.clone()]).await.unwrap();
        other.take_over(&place, "b").await.unwrap();
        let rows = other.store.read_klines(&series, streamforge_events::TimeRange::WIDEST, None, 9).await.unwrap();
        let closes: Vec<String> = rows.iter().map(|row| row.close.to_string()).collect();
        assert_eq!(closes, [stays, "7"]);
    }
    let mut newer = graph(1);
    newer.version = 5;
    newer.parameters = "newer".into();
    other.store.put_graph(&newer).await.unwrap();
    let restored = other.take_over(&place, "b").await.unwrap();
    assert_eq!((restored.graphs.unchanged, restored.workflows.unchanged), (1, 1));
    assert_eq!(other.store.graph(None).await.unwrap(), Some(newer));
}

#[tokio::test]
async fn a_workflow_that_is_known_stays_as_it_is() {
    let (world, other) = (World::sqlite().await, World::sqlite().await);
    world.store.create(&workflow(1, "finished")).await.unwrap();
    let place = world.place().await;
    world.back_up(&place, "b").await.unwrap();
    let known = workflow(1, "loading");
    other.store.create(&known).await.unwrap();
    other.take_over(&place, "b").await.unwrap();
    assert_eq!(other.store.get(&known.id).await.unwrap().unwrap().document, known);
}

#[tokio::test]
async fn a_version_with_other_content_stays_and_is_told_and_the_rest_is_restored() {
    let (world, other) = (World::sqlite().await, World::sqlite().await);
    world.fill().await;
    let place = world.place().await;
    world.back_up(&place, "b").await.unwrap();
    other.models.publish(&files(2, "of another")).await.unwrap();
    let restored = other.take_over(&place, "b").await.unwrap();
    let [conflict] = &restored.conflicts[..] else { panic!("{:?}", restored.conflicts) };
    assert!(conflict.contains("model `gnn` version `2`"), "{conflict}");
    assert_eq!((restored.models.inserted, restored.workflows.inserted), (2, 3));
    let kept = other.models.load(&"gnn".parse().unwrap(), Some(&version(2))).await.unwrap();
    assert_eq!(kept.files, files(2, "of another"));
}
