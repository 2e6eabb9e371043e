//! From one backend to the other and back: everything is there, with its versions and to the last digit.

use streamforge_backup::{Counts, Limits, create};
use streamforge_events::TimeRange;

use crate::world::{World, assert_same, at, order, range};

#[tokio::test]
async fn a_store_comes_back_whole_through_both_backends() {
    let (first, database, last) = (World::sqlite().await, World::database().await, World::sqlite().await);
    first.fill().await;
    let expected = first.told().await;
    assert!(expected.len() > 2000, "{} lines", expected.len());

    let place = first.place().await;
    let created = first.back_up(&place, "files").await.unwrap();
    assert_eq!(created.manifest.series.len(), 5);
    assert!(created.manifest.left_out.is_empty());
    let restored = database.take_over(&place, "files").await.unwrap();
    assert_eq!(restored.rows, Counts { inserted: 768 + 100 + 800 + 500, ..Counts::default() });
    assert_eq!((restored.models.inserted, restored.graphs.inserted, restored.predictions.inserted), (3, 2, 240));
    assert_eq!(restored.workflows.inserted, 3);
    let under_way: Vec<String> = restored.under_way.iter().map(ToString::to_string).collect();
    assert_eq!(under_way, ["wf-btcusdt-api_trades-20240801-a1b2c3"]);
    assert_same(&database.told().await, &expected);

    let place = database.place().await;
    let moved = database.back_up(&place, "database").await.unwrap();
    assert_eq!(moved.manifest.series, created.manifest.series, "the same rows make other chunks");
    last.take_over(&place, "database").await.unwrap();
    assert_same(&last.told().await, &expected);

    let again = last.take_over(&place, "database").await.unwrap();
    for counts in [again.rows, again.predictions, again.graphs, again.models, again.workflows] {
        assert_eq!((counts.inserted, counts.updated), (0, 0), "{again:?}");
    }
    assert_same(&last.told().await, &expected);
}

#[tokio::test]
async fn limits_take_series_and_predictions_alone_and_cut_what_counts_as_loaded() {
    let (world, part) = (World::sqlite().await, World::sqlite().await);
    world.fill().await;
    let place = world.place().await;
    let february = range("2024-02-10", "2024-02-29");
    // A symbol that is named twice is there once.
    let limits = Limits { symbols: vec!["BTCUSDT".parse().unwrap(); 2], range: Some(february) };
    create(&world.holdings(), &place, order("part", limits)).await.unwrap();
    let restored = part.take_over(&place, "part").await.unwrap();
    assert_eq!(restored.rows.inserted, 19 * 24 + 19);
    assert_eq!(restored.predictions.inserted, 3 * 24);
    assert_eq!((restored.graphs, restored.workflows, restored.models), Default::default());
    let series = part.store.series().await.unwrap();
    assert!(series.iter().all(|series| series.symbol.as_str() == "BTCUSDT"), "{series:?}");
    let loaded = part.store.loaded(&crate::world::hourly("BTCUSDT")).await.unwrap();
    let expected = [(at("2024-02-10"), at("2024-02-15")), (at("2024-02-20"), at("2024-02-29"))];
    assert_eq!(loaded, expected.map(|(from, to)| TimeRange::new(from, to).unwrap()));
}
