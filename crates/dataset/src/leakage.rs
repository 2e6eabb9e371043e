//! What is known at a bar knows nothing of later ones, and nothing of a test is known in its training.

use fastrand::Rng;
use streamforge_events::Interval;

use crate::{
    Dataset, Definition, Features, Fold, Normalisation, Panel, Scale, Targets,
    synthetic::{panel, random},
};

const ROWS: usize = 420;

fn definition() -> Definition {
    Definition::standard(Interval::H1, 6).unwrap()
}

/// Says whether features up to a row stay the same to the last bit, whatever happens behind it.
fn check_causal(
    panel: &Panel,
    row: usize,
    random: &mut Rng,
    compute: impl Fn(&Panel) -> Features,
) -> Result<(), String> {
    let known = compute(panel);
    let rows = panel.times().len();
    let mut shuffled: Vec<usize> = (0..rows).collect();
    random.shuffle(&mut shuffled[row + 1..]);
    let gone: Vec<usize> = (0..=row).collect();
    for (what, other) in [
        ("is shuffled", panel.reordered(&shuffled)),
        ("is missing", panel.reordered(&gone)),
        ("is not there yet", panel.slice(0..row + 1)),
    ] {
        let found = compute(&other);
        let cells = (row + 1) * panel.symbols().len();
        let same_bits = |cell| {
            let bits = |features: &Features| features.row(cell).iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            bits(&known) == bits(&found)
        };
        if known.present[..cells] != found.present[..cells] || !(0..cells).all(same_bits) {
            return Err(format!("features up to row {row} change when the future {what}"));
        }
    }
    Ok(())
}

#[test]
fn features_know_nothing_of_the_future() {
    let mut random = random(21);
    let panel = panel(&mut random, Interval::H1, ROWS);
    let features = definition().features;
    for row in [0, 1, 25, 170, 200, 215, 300, ROWS - 2] {
        check_causal(&panel, row, &mut random, |panel| Features::compute(panel, &features)).unwrap();
    }
}

#[test]
fn each_feature_that_looks_a_bar_ahead_is_caught() {
    let mut random = random(22);
    let panel = panel(&mut random, Interval::H1, ROWS);
    let features = definition().features;
    // The clock is known in advance.
    let leaking = features.iter().enumerate().filter(|(_, feature)| feature.look_back(Interval::H1) > 0);
    for (column, feature) in leaking {
        let shifted = |panel: &Panel| {
            let mut features = Features::compute(panel, &features);
            let (width, symbols) = (features.features.len(), features.symbols.len());
            for cell in 0..features.present.len() - symbols {
                features.values[cell * width + column] = features.values[(cell + symbols) * width + column];
            }
            features
        };
        assert!(check_causal(&panel, 300, &mut random, shifted).is_err(), "{feature} of the next bar is not noticed");
    }
}

#[test]
fn the_last_bars_alone_yield_the_same_features() {
    let mut random = random(23);
    let panel = panel(&mut random, Interval::H1, ROWS);
    let definition = definition();
    let whole = Features::compute(&panel, &definition.features);
    let last = Features::compute(&panel.tail(definition.look_back() + 1), &definition.features);
    let cells = panel.symbols().len();
    assert!(whole.present[whole.present.len() - cells..].iter().any(|present| *present));
    assert_eq!(whole.present[whole.present.len() - cells..], last.present[last.present.len() - cells..]);
    for cell in 1..=cells {
        let bits = |features: &Features| {
            features.row(features.present.len() - cell).iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(bits(&whole), bits(&last));
    }
    let short = Features::compute(&panel.tail(definition.look_back()), &definition.features);
    assert!(!short.present.contains(&true), "a bar less is too few");
}

#[test]
fn volatility_to_come_knows_nothing_of_the_past_and_no_direction_more_than_its_band() {
    let mut random = random(24);
    let panel = panel(&mut random, Interval::H1, ROWS);
    let row = 300;
    // The order of past bars changes; the band of nought needs their volatility for nothing.
    let mut order: Vec<usize> = (0..ROWS).collect();
    order[row - 40..row].reverse();
    let definition = Definition { band: 0.0, ..definition() };
    let (known, found) =
        (Targets::compute(&panel, &definition), Targets::compute(&panel.reordered(&order), &definition));
    let from = row * panel.symbols().len();
    assert_eq!(known.volatility[from..], found.volatility[from..]);
    assert_eq!(known.direction[from..], found.direction[from..]);
    assert_ne!(known.volatility[..from], found.volatility[..from], "the past would have mattered");
}

#[test]
fn a_training_shares_no_bar_with_its_test() {
    let mut random = random(25);
    let panel = panel(&mut random, Interval::H1, 900);
    let definition = definition();
    let dataset = Dataset::compute(&panel, &definition);
    let folds = dataset.walk_forward(&[0.6, 0.8, 0.99], definition.embargo()).unwrap();
    for fold in &folds {
        // Everything that the first row of the test reads, and all that follows, is another market.
        let read = fold.test.start - definition.look_back();
        let mut order: Vec<usize> = (0..900).collect();
        random.shuffle(&mut order[read..]);
        let other = Dataset::compute(&panel.reordered(&order), &definition);
        assert_eq!(learned(&dataset, fold), learned(&other, fold));
        let earlier = Fold { training: fold.training.start..fold.training.end + 1, test: fold.test.clone() };
        assert_ne!(learned(&dataset, &earlier), learned(&other, &earlier), "a bar less between them is too few");
        let both = |dataset: &Dataset| {
            (Normalisation::fit(dataset, fold).unwrap(), Scale::of_volatility(dataset, fold).unwrap())
        };
        assert_eq!(both(&dataset), both(&other), "scales are those of the training alone");
    }
}

/// Cells of a training with their features and targets.
fn learned(dataset: &Dataset, fold: &Fold) -> Vec<(usize, Vec<u32>, u32, usize)> {
    let learned = dataset.cells(fold.training.clone()).map(|cell| {
        let features = dataset.features.row(cell.index).iter().map(|value| value.to_bits()).collect();
        let direction = dataset.targets.direction[cell.index].index();
        (cell.index, features, dataset.targets.volatility[cell.index].to_bits(), direction)
    });
    learned.collect()
}
