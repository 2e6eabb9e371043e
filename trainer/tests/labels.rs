//! What comes after a bar is learned from it, and nothing is where what comes after is drawn by lot.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use fastrand::Rng;
use gnn_trainer::{Journal, Plan, Progress, train};
use serde_json::json;
use streamforge_dataset::{Dataset, Panel, Scores, SymbolBars};
use streamforge_events::Interval;

const HOUR: i64 = 3_600_000;
const BARS: i64 = 1_500;
const SYMBOLS: [&str; 3] = ["AAAUSDT", "BBBUSDT", "CCCUSDT"];

/// Keeps nothing.
struct Forgetful;

impl Journal for Forgetful {
    fn is_stopped(&self) -> bool {
        false
    }

    fn load(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn save(&self, _: &str, _: Vec<u8>) {}

    fn progress(&self, _: &Progress) {}
}

/// Markets that are calm for some days and wild for others, so that today's volatility tells of tomorrow's.
fn panel(random: &mut Rng) -> Panel {
    let mut wildness = 0.0_f64;
    let wildness: Vec<f64> = (0..BARS)
        .map(|_| {
            wildness = 0.97 * wildness + 0.4 * (random.f64() - 0.5);
            wildness
        })
        .collect();
    let symbols = SYMBOLS.map(|symbol| {
        let mut close = 100.0_f64;
        let closes: Vec<f64> = wildness
            .iter()
            .map(|wildness| {
                close *= (0.02 * wildness.exp() * (random.f64() - 0.5)).exp();
                close
            })
            .collect();
        let even = |value: f64| vec![value; closes.len()];
        SymbolBars {
            symbol: symbol.parse().unwrap(),
            open_time: (0..BARS).map(|bar| bar * HOUR).collect(),
            high: closes.iter().map(|close| close * 1.001).collect(),
            low: closes.iter().map(|close| close * 0.999).collect(),
            volume: even(10.0),
            quote_volume: even(1_000.0),
            taker_buy_volume: even(5.0),
            close: closes,
        }
    });
    Panel::new(Interval::H1, symbols.into()).unwrap()
}

fn plan() -> Plan {
    let command = json!({
        "command": "start", "queue_id": "wf-multi-gnn_train-20250101-a1b2c3", "target": "gnn-trainer",
        "type": "gnn_train", "task": "gnn-trainer-0000",
        "parameters": {
            "symbols": SYMBOLS, "interval": "1h", "from": 0, "to": BARS * HOUR, "model": "walks", "horizon": 8,
            "hidden": 8, "epochs": 15, "batch": 64, "stride": 1,
        },
    });
    Plan::parse(&serde_json::from_value(command).unwrap()).unwrap()
}

fn scores(plan: &Plan, panel: &Panel, dataset: &Dataset) -> Scores {
    train(plan, panel, dataset, None, 0, &Forgetful, 2).unwrap().card.scores
}

/// Gives every complete cell the targets of another one.
fn shuffle_targets(dataset: &mut Dataset, random: &mut Rng) {
    let cells: Vec<usize> = dataset.cells(0..dataset.features.times.len()).map(|cell| cell.index).collect();
    let mut drawn = cells.clone();
    random.shuffle(&mut drawn);
    let targets = dataset.targets.clone();
    for (cell, from) in cells.into_iter().zip(drawn) {
        dataset.targets.volatility[cell] = targets.volatility[from];
        dataset.targets.direction[cell] = targets.direction[from];
    }
}

/// The error of one guess for all, the best there is for labels drawn by lot.
fn variance(dataset: &Dataset) -> f64 {
    let values: Vec<f64> = dataset
        .cells(0..dataset.features.times.len())
        .map(|cell| f64::from(dataset.targets.volatility[cell.index]))
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "a few thousand cells")]
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let middle = mean(&values);
    mean(&values.iter().map(|value| (value - middle).powi(2)).collect::<Vec<_>>())
}

#[test]
fn labels_drawn_by_lot_teach_nothing() {
    let seed = std::env::var("STREAMFORGE_SEED").map_or(31, |seed| seed.parse().unwrap());
    println!("STREAMFORGE_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let (panel, plan) = (panel(&mut random), plan());
    let mut dataset = Dataset::compute(&panel, &plan.definition);
    let guess = variance(&dataset);

    let learned = scores(&plan, &panel, &dataset);
    let network = learned.volatility["network"].mean;
    assert!(network < 0.8 * guess, "{network} of {guess}: there is something to learn");

    shuffle_targets(&mut dataset, &mut random);
    let learned = scores(&plan, &panel, &dataset);
    for name in ["network", "network without graph", "HAR"] {
        let error = learned.volatility[name].mean;
        assert!(error > 0.97 * guess, "{name} comes to {error}, one guess for all to {guess}");
    }
    let majority = learned.direction["majority class"].mean;
    let network = learned.direction["network"].mean;
    assert!(network < majority + 0.02, "{network} of directions drawn by lot are right, {majority} of the commonest");
}
