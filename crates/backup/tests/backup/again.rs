//! Another backup into the same place writes what is new, and nothing else.

use streamforge_backup::{Error, Tally};

use crate::world::{DAY, HOUR, World, assert_same, at, bars, daily, hourly, trade, trades_of};

#[tokio::test]
async fn unchanged_rows_are_not_written_again_and_a_day_writes_a_chunk_a_series() {
    let world = World::sqlite().await;
    world.fill().await;
    let place = world.place().await;
    let first = world.back_up(&place, "first").await.unwrap();
    assert_eq!(first.kept, Tally::default());
    // Three months of one series, two of another and of the trades, four years of days, nine files of models, two
    // graphs, three makers of predictions, two months of workflows.
    assert_eq!(first.written.objects, 3 + 2 + 2 + 4 + 9 + 2 + 3 + 2, "{:?}", first.manifest);
    assert_eq!(first.written.bytes, first.manifest.bytes());

    let same = world.back_up(&place, "same").await.unwrap();
    assert_eq!((same.written, same.kept), (Tally::default(), first.written));

    let store = world.store.as_ref();
    store.upsert_klines(&hourly("BTCUSDT"), &bars(at("2024-03-02"), 24, HOUR)).await.unwrap();
    store.upsert_klines(&daily("BTCUSDT"), &bars(at("2025-03-09"), 1, DAY)).await.unwrap();
    store.upsert_trades(&trades_of("ETHUSDT"), &[trade(900, at("2024-02-02"))]).await.unwrap();
    let next = world.back_up(&place, "next").await.unwrap();
    assert_eq!((next.written.objects, next.kept.objects), (3, first.written.objects - 3));

    let (old, new) = (World::sqlite().await, World::sqlite().await);
    old.take_over(&place, "first").await.unwrap();
    new.take_over(&place, "next").await.unwrap();
    assert_same(&new.told().await, &world.told().await);
    assert_eq!(old.told().await.len() + 26, new.told().await.len());
    old.take_over(&place, "next").await.unwrap();
    assert_same(&old.told().await, &world.told().await);
}

#[tokio::test]
async fn a_backup_never_changes() {
    let world = World::sqlite().await;
    let place = world.place().await;
    world.back_up(&place, "empty").await.unwrap();
    world.fill().await;
    assert!(matches!(world.back_up(&place, "empty").await, Err(Error::Exists(_))));
    assert_eq!(place.manifest(&"empty".parse().unwrap()).await.unwrap().rows(), 0);
    assert!(matches!(place.manifest(&"full".parse().unwrap()).await, Err(Error::Missing(_))));
    World::sqlite().await.take_over(&place, "empty").await.unwrap();
    assert_eq!(place.names().await.unwrap(), ["empty".parse().unwrap()]);
}
