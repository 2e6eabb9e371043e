//! Predictions: one under its identity, the newest version of it, read in pages.

use streamforge_events::{Health, Interval, Prediction, Split};

use super::{
    Backend,
    samples::{MINUTE, START, prediction, range, symbol},
};
use crate::{Applied, Error, MAX_VERSION, PredictionQuery, Reject, Store, Versioned};

fn versioned(version: u64, value: Prediction) -> Versioned<Prediction> {
    Versioned { version, value }
}

/// Whether a prediction is among those that a query asks for.
type Selects = dyn Fn(&Prediction) -> bool;

async fn all(store: &dyn Store) -> Result<Vec<Prediction>, Error> {
    store.read_predictions(&PredictionQuery::default(), None, usize::MAX).await
}

/// Numbers come back to the last bit; each part of the identity keeps two predictions apart.
pub async fn prediction_is_read_as_it_was_put(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let first = prediction("BTCUSDT", START);
    let mut apart = vec![first.clone()];
    apart.push(Prediction { model: "other".parse().expect("a name"), ..first.clone() });
    apart.push(Prediction { version: "other".parse().expect("a version"), ..first.clone() });
    apart.push(Prediction { symbol: symbol("币安人生USDT"), ..first.clone() });
    apart.push(Prediction { interval: Interval::H1, ..first.clone() });
    apart.push(Prediction { open_time: START + 1, ..first.clone() });
    apart.push(Prediction { horizon: first.horizon.saturating_add(1), ..first.clone() });
    apart.push(Prediction { split: Split::Test, ..first.clone() });
    let health = Health { filled: 3, age: Some(1_200), ..Health::of(97, 96) };
    apart.push(Prediction { open_time: START + 2, health: Some(health), ..first });
    let rows: Vec<_> = apart.iter().cloned().map(|value| versioned(1, value)).collect();
    assert_eq!(store.upsert_predictions(&rows).await?.items, vec![Ok(Applied::Inserted); 9]);
    let read = all(&*backend.open().await?).await?;
    assert_eq!(read.len(), apart.len());
    assert!(apart.iter().all(|prediction| read.contains(prediction)), "{read:?}");
    assert_eq!(store.upsert_predictions(&rows).await?.items, vec![Ok(Applied::Unchanged); 9]);
    assert!(store.upsert_predictions(&[]).await?.items.is_empty());
    Ok(())
}

/// The higher version of a prediction stays, in a batch and across batches; equal content changes nothing.
pub async fn newer_prediction_wins(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let row = |version, volatility| versioned(version, Prediction { volatility, ..prediction("BTCUSDT", START) });
    for (rows, applied, stays) in [
        (vec![row(3, 0.3)], vec![Applied::Inserted], 0.3),
        (vec![row(2, 0.2)], vec![Applied::Unchanged], 0.3),
        (vec![row(3, 0.4)], vec![Applied::Unchanged], 0.3),
        (vec![row(5, 0.3)], vec![Applied::Unchanged], 0.3),
        (vec![row(4, 0.4)], vec![Applied::Unchanged], 0.3),
        (vec![row(6, 0.6), row(8, 0.8), row(7, 0.7)], vec![Applied::Updated; 3], 0.8),
    ] {
        let items = store.upsert_predictions(&rows).await?.items;
        assert_eq!(items, applied.into_iter().map(Ok).collect::<Vec<_>>(), "{rows:?}");
        assert_eq!(all(&*store).await?, [row(0, stays).value], "{rows:?}");
    }
    Ok(())
}

/// What no model can mean is rejected in its place, the rest of the batch is stored.
pub async fn impossible_prediction_is_rejected(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let sound = prediction("BTCUSDT", START);
    let rows = [
        versioned(1, Prediction { volatility: f64::NAN, ..prediction("BTCUSDT", START + 1) }),
        versioned(1, sound.clone()),
        versioned(1, Prediction { probabilities: [0.5, 0.5, 0.5].into(), ..sound.clone() }),
        versioned(MAX_VERSION, sound.clone()),
    ];
    let items = store.upsert_predictions(&rows).await?.items;
    assert!(matches!(items[0], Err(Reject::Prediction(_))), "{items:?}");
    assert_eq!(items[1], Ok(Applied::Inserted));
    assert!(matches!(items[2], Err(Reject::Prediction(_))), "{items:?}");
    assert_eq!(items[3], Err(Reject::Version(MAX_VERSION)));
    assert_eq!(all(&*store).await?, [sound]);
    Ok(())
}

/// Each part of a query selects, ranges are half-open, and the order is that of the identity.
pub async fn query_selects_predictions(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let mut expected = Vec::new();
    for (model, split) in [("a", Split::Live), ("a", Split::Test), ("b", Split::Live)] {
        for name in ["BTCUSDT", "ETHUSDT"] {
            for bar in 0..3 {
                let model = model.parse().expect("a name");
                expected.push(Prediction { model, split, ..prediction(name, START + bar * MINUTE) });
            }
        }
    }
    let rows: Vec<_> = expected.iter().rev().cloned().map(|value| versioned(1, value)).collect();
    store.upsert_predictions(&rows).await?;
    assert_eq!(all(&*store).await?, expected);
    let every = PredictionQuery::default;
    let cases: [(PredictionQuery, &Selects); 7] = [
        (PredictionQuery { model: "a".parse().ok(), ..every() }, &|row| row.model.as_str() == "a"),
        (PredictionQuery { version: "2".parse().ok(), ..every() }, &|_| false),
        (PredictionQuery { symbol: Some(symbol("ETHUSDT")), ..every() }, &|row| row.symbol.as_str() == "ETHUSDT"),
        (PredictionQuery { interval: Some(Interval::H1), ..every() }, &|_| false),
        (PredictionQuery { split: Some(Split::Test), ..every() }, &|row| row.split == Split::Test),
        (PredictionQuery { range: Some(range(START, START + 2 * MINUTE)), ..every() }, &|row| {
            row.open_time < START + 2 * MINUTE
        }),
        (PredictionQuery { model: "b".parse().ok(), symbol: Some(symbol("BTCUSDT")), ..every() }, &|row| {
            row.model.as_str() == "b" && row.symbol.as_str() == "BTCUSDT"
        }),
    ];
    for (query, is_meant) in cases {
        let meant: Vec<_> = expected.iter().filter(|row| is_meant(row)).cloned().collect();
        assert_eq!(store.read_predictions(&query, None, 99).await?, meant, "{query:?}");
    }
    Ok(())
}

/// Pages join without a hole or a repeat, across symbols and models, also when the last row read was not stored.
pub async fn prediction_pages_join(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let mut expected = Vec::new();
    for name in ["BTCUSDT", "ETHUSDT", "XRPUSDT"] {
        expected.extend((0..4).map(|bar| prediction(name, START + bar * MINUTE)));
    }
    let rows: Vec<_> = expected.iter().cloned().map(|value| versioned(1, value)).collect();
    store.upsert_predictions(&rows).await?;
    for max in [1, 3, 4, 5, 12, 13] {
        let mut found: Vec<Prediction> = Vec::new();
        loop {
            let page = store.read_predictions(&PredictionQuery::default(), found.last(), max).await?;
            assert!(page.len() <= max);
            let is_last = page.len() < max;
            found.extend(page);
            if is_last {
                break;
            }
        }
        assert_eq!(found, expected, "pages of {max}");
    }
    let between = prediction("DOGEUSDT", START);
    let rest = store.read_predictions(&PredictionQuery::default(), Some(&between), 99).await?;
    assert_eq!(rest, expected[4..]);
    Ok(())
}

/// A prediction is read with the version it was written under, or with that of the same content written later.
pub async fn prediction_versions_come_back(backend: &impl Backend) -> Result<(), Error> {
    let store = backend.open().await?;
    let row = |version, bar| versioned(version, prediction("BTCUSDT", START + bar * MINUTE));
    store.upsert_predictions(&[row(5, 0), row(MAX_VERSION - 1, 1)]).await?;
    store.upsert_predictions(&[row(7, 0), row(9, 1)]).await?;
    let every = PredictionQuery::default();
    let read = store.read_versioned_predictions(&every, None, 9).await?;
    assert_eq!(read, [row(7, 0), row(MAX_VERSION - 1, 1)]);
    assert_eq!(store.read_versioned_predictions(&every, Some(&read[0].value), 9).await?, read[1..]);
    Ok(())
}
