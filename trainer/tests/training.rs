//! A fit learns what is there, goes on to the bit where it was interrupted, and stops when it is told to.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use common::{architectures, graph, samples, settings};
use gnn_trainer::{
    Aggregation, Architecture, Checkpoint, Decision, Epoch, Fit, Network, Rows, Stopped, Watch, predict,
};

/// Keeps the checkpoint of each epoch, and stops after some steps.
#[derive(Default)]
struct Keeper {
    checkpoints: Vec<Checkpoint>,
    epochs: Vec<Epoch>,
    steps_left: Option<usize>,
}

impl Watch for Keeper {
    fn decide(&mut self) -> Decision {
        match &mut self.steps_left {
            Some(0) => Decision::Stop,
            Some(left) => {
                *left -= 1;
                Decision::Continue
            }
            None => Decision::Continue,
        }
    }

    fn epoch(&mut self, epoch: &Epoch, _: bool, checkpoint: &dyn Fn() -> Checkpoint) {
        self.checkpoints.push(checkpoint());
        self.epochs.push(epoch.clone());
    }
}

fn rows() -> Rows {
    Rows { training: (8..400).collect(), validation: (410..500).collect() }
}

fn bits(network: &Network) -> Vec<u8> {
    network.weights.to_safetensors().unwrap()
}

#[test]
fn an_interrupted_fit_ends_with_the_same_weights() {
    for (number, architecture) in architectures().into_iter().enumerate() {
        let samples = samples(500, 1, (number % 2 == 1).then_some(17));
        let settings = settings(4);
        let mut calm = Network::start(architecture.clone(), &graph(), 3);
        let mut keeper = Keeper::default();
        Fit::new(&mut calm, &samples, &rows(), &settings).run(&mut keeper).unwrap();

        let bytes = keeper.checkpoints[1].to_bytes("fit").unwrap();
        let checkpoint = Checkpoint::from_bytes(&bytes, "fit").unwrap();
        // Other start values: all must come from the checkpoint.
        let mut resumed = Network::start(architecture.clone(), &graph(), 99);
        let rows = rows();
        let mut fit = Fit::new(&mut resumed, &samples, &rows, &settings);
        fit.resume(&checkpoint).unwrap();
        let mut rest = Keeper::default();
        fit.run(&mut rest).unwrap();
        assert!(bits(&resumed) == bits(&calm), "other weights after going on: {architecture:?}");
        assert_eq!(rest.epochs, keeper.epochs[2..]);
    }
}

#[test]
fn a_fit_stops_before_the_next_step() {
    let samples = samples(500, 1, None);
    let mut network = Network::start(architectures().remove(0), &graph(), 3);
    let mut keeper = Keeper { steps_left: Some(9), ..Keeper::default() };
    let (rows, settings) = (rows(), settings(50));
    let outcome = Fit::new(&mut network, &samples, &rows, &settings).run(&mut keeper);
    assert_eq!(outcome, Err(Stopped));
    assert_eq!(keeper.epochs.len(), 1, "an epoch has seven steps");
}

#[test]
fn the_graph_carries_what_the_neighbours_know() {
    let best = |aggregation: Aggregation| {
        let samples = samples(500, 1, None);
        let architecture = Architecture { aggregation, dropout_percent: 0, ..architectures().remove(0) };
        let mut network = Network::start(architecture, &graph(), 3);
        let (rows, settings) = (rows(), settings(60));
        let epochs = Fit::new(&mut network, &samples, &rows, &settings).run(&mut Keeper::default()).unwrap();
        epochs.iter().map(|epoch| epoch.validation_loss).fold(f64::INFINITY, f64::min)
    };
    let alone = best(Aggregation::None);
    for aggregation in [Aggregation::Mean, Aggregation::Attention { heads: 2 }] {
        let together = best(aggregation);
        assert!(together < alone / 2.0, "{aggregation:?}: {together} with the graph, {alone} without");
    }
}

#[test]
fn an_absent_symbol_changes_nothing_for_others_whatever_it_holds() {
    for architecture in architectures() {
        let network = Network::start(architecture.clone(), &graph(), 3);
        let every = predict(&network, &samples(40, 1, None), &[30, 31]);
        let some = predict(&network, &samples(40, 1, Some(1_000)), &[30, 31]);
        assert_eq!(every.volatility, some.volatility, "{architecture:?}: only the first bar lacks a symbol");
    }
}
