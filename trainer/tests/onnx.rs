//! The exported model says what the network says: in ONNX Runtime, and in Python's checker and runtime.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::{path::PathBuf, process::Command};

use common::{FEATURES, SYMBOLS, architectures, graph};
use fastrand::Rng;
use gnn_trainer::{Architecture, Export, Network, model_bytes};
use ort::{
    environment::Environment,
    session::{Session, builder::GraphOptimizationLevel},
    value::Tensor as Value,
};
use tch::{Kind, Tensor};

/// Random inputs for each kind of network.
const CASES: usize = 1_000;

const MEANS: [f32; FEATURES] = [1.0, -200.0, 0.0];
const DEVIATIONS: [f32; FEATURES] = [0.5, 30.0, 1.0];
const EXPORT: Export<'_> =
    Export { feature_means: &MEANS, feature_deviations: &DEVIATIONS, target_mean: -6.2, target_deviation: 0.7 };

/// A network none of whose weights is zero.
fn network(architecture: &Architecture, random: &mut Rng) -> Network {
    let mut network = Network::start(architecture.clone(), &graph(), 3);
    let bytes = network.weights.to_safetensors().unwrap();
    let header = usize::try_from(u64::from_le_bytes(*bytes.first_chunk().unwrap())).unwrap() + 8;
    let values = (header..bytes.len()).step_by(4).flat_map(|_| (random.f32() - 0.5).to_le_bytes());
    let bytes: Vec<u8> = bytes[..header].iter().copied().chain(values).collect();
    network.weights.read_safetensors(&bytes).unwrap();
    network
}

/// Raw features and presence; what is absent is no number.
fn inputs(architecture: &Architecture, random: &mut Rng) -> (Vec<f32>, Vec<f32>) {
    let cells = CASES * architecture.lags.len() * SYMBOLS;
    let present: Vec<f32> = (0..cells).map(|_| if random.f32() < 0.9 { 1.0 } else { 0.0 }).collect();
    let mut values = Vec::new();
    for is_present in &present {
        for (mean, deviation) in MEANS.iter().zip(DEVIATIONS) {
            // Some lie beyond what counts.
            let value = mean + deviation * (random.f32() - 0.5) * 16.0;
            values.push(if *is_present > 0.0 { value } else { f32::NAN });
        }
    }
    (values, present)
}

/// What libtorch says, in natural units.
fn wanted(network: &Network, values: &[f32], present: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let sizes = |inner: &[usize]| -> Vec<i64> {
        let outer = [CASES, network.architecture.lags.len(), SYMBOLS];
        outer.iter().chain(inner).map(|size| i64::try_from(*size).unwrap()).collect()
    };
    let normalised: Vec<f32> = values
        .iter()
        .enumerate()
        .map(|(place, value)| {
            let feature = place % FEATURES;
            if value.is_nan() { 0.0 } else { ((value - MEANS[feature]) / DEVIATIONS[feature]).clamp(-5.0, 5.0) }
        })
        .collect();
    let values = Tensor::from_slice(&normalised).view(&sizes(&[FEATURES])[..]).permute([2, 0, 1, 3]).contiguous();
    let present = Tensor::from_slice(present).view(&sizes(&[])[..]).permute([2, 0, 1]).contiguous();
    let outputs = tch::no_grad(|| network.forward(&values, Some(&present)));
    let volatility = outputs.volatility * f64::from(EXPORT.target_deviation) + f64::from(EXPORT.target_mean);
    let floats = |tensor: Tensor| Vec::<f32>::try_from(tensor.transpose(0, 1).contiguous().view([-1])).unwrap();
    (floats(volatility), floats(outputs.direction.softmax(-1, Kind::Float)))
}

/// ONNX Runtime's library; Python's packages lie beside its folder.
fn library() -> PathBuf {
    std::env::var_os("ORT_DYLIB_PATH").expect("ORT_DYLIB_PATH names the library, as in `make test`").into()
}

fn environment() -> Environment {
    ort::init_from(library()).unwrap().build().unwrap()
}

fn session(environment: &Environment, bytes: &[u8]) -> Session {
    let builder = Session::builder(environment).unwrap();
    let builder = builder.with_optimization_level(GraphOptimizationLevel::Level3).unwrap();
    builder.with_intra_threads(1).unwrap().commit_from_memory(bytes).unwrap()
}

fn largest_difference(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f32::max)
}

#[test]
fn runtime_and_network_agree() {
    let environment = environment();
    for (number, architecture) in architectures().iter().enumerate() {
        let mut random = Rng::with_seed(u64::try_from(number).unwrap());
        let network = network(architecture, &mut random);
        let (values, present) = inputs(architecture, &mut random);
        let (volatility, direction) = wanted(&network, &values, &present);
        let mut session = session(&environment, &model_bytes(&network, &EXPORT));
        let lags = architecture.lags.len();
        let values = Value::from_array(([CASES, lags, SYMBOLS, FEATURES], values)).unwrap();
        let present = Value::from_array(([CASES, lags, SYMBOLS], present)).unwrap();
        let outputs = session.run(ort::inputs!["features" => values, "present" => present]).unwrap();
        for (name, wanted) in [("volatility", volatility), ("direction", direction)] {
            let (_, found) = outputs[name].try_extract_tensor::<f32>().unwrap();
            let difference = largest_difference(found, &wanted);
            assert!(difference <= 1e-5, "{architecture:?}: {name} differs by {difference}");
        }
    }
}

#[test]
fn python_checks_and_runs_the_models() {
    let folder = tempfile::tempdir().unwrap();
    for (number, architecture) in architectures().iter().enumerate() {
        let mut random = Rng::with_seed(u64::try_from(number).unwrap());
        let network = network(architecture, &mut random);
        let (values, present) = inputs(architecture, &mut random);
        let (volatility, direction) = wanted(&network, &values, &present);
        let write = |name: &str, bytes: Vec<u8>| {
            std::fs::write(folder.path().join(format!("{number}.{name}")), bytes).unwrap();
        };
        let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        write("onnx", model_bytes(&network, &EXPORT));
        for (name, values) in
            [("features", &values), ("present", &present), ("volatility", &volatility), ("direction", &direction)]
        {
            write(name, floats(values));
        }
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/check_models.py");
    let packages = library().ancestors().nth(2).unwrap().join("python");
    let checked = Command::new("python3").env("PYTHONPATH", packages).arg(script).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said}{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(said.lines().count(), architectures().len(), "{said}");
}
