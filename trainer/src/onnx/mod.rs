//! A network as an ONNX model: raw features go in, both outputs come out in natural units.
//!
//! Normalisation and graph are inside, so that who serves the model has nothing to add and nothing to mistake.
//! Operators are those of set 17, which every ONNX Runtime since 1.12 knows.
//!
//! # Source
//! <https://onnx.ai/onnx/operators/>

mod message;
mod operators;

use prost::Message as _;
use tch::Tensor;

use crate::{
    architecture::{Aggregation, Temporal},
    network::{NEVER, Network, SLOPE},
    samples::FARTHEST,
    weights,
};
use message::{Attribute, Model, OperatorSet, batched};
use operators::Operators;

/// Version of the file format and of the operators.
const IR_VERSION: i64 = 8;
const OPERATOR_SET: i64 = 17;

/// What turns raw features into the network's inputs and its output into natural units.
#[derive(Clone, Debug, PartialEq)]
pub struct Export<'a> {
    /// Mean of each feature in the training part.
    pub feature_means: &'a [f32],
    /// Standard deviation of each feature in the training part.
    pub feature_deviations: &'a [f32],
    /// Mean of the logarithm of the volatility in the training part.
    pub target_mean: f32,
    /// Its standard deviation.
    pub target_deviation: f32,
}

/// Writes a network as an ONNX model.
///
/// # Shape
/// - input `features`: batch × lags × symbols × features, raw, the newest bar first; what is absent may be anything.
/// - input `present`: batch × lags × symbols, 1 or 0.
/// - output `volatility`: batch × symbols, logarithm of the realised volatility of the next bars.
/// - output `direction`: batch × symbols × 3, probabilities of down, sideways and up.
#[must_use]
pub fn model_bytes(network: &Network, export: &Export<'_>) -> Vec<u8> {
    let architecture = &network.architecture;
    let size = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (lags, symbols, features) =
        (size(architecture.lags.len()), size(architecture.symbols), size(architecture.features));
    let mut operators = Operators::default();
    write(network, export, &mut operators);
    let graph = operators.graph(
        vec![batched("features", &[lags, symbols, features]), batched("present", &[lags, symbols])],
        vec![batched("volatility", &[symbols]), batched("direction", &[symbols, 3])],
    );
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "streamforge".to_owned(),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPERATOR_SET }],
        graph: Some(graph),
    };
    model.encode_to_vec()
}

fn write(network: &Network, export: &Export<'_>, to: &mut Operators) {
    let architecture = &network.architecture;
    let hidden = i64::try_from(architecture.hidden).unwrap_or(i64::MAX);
    let symbols = i64::try_from(architecture.symbols).unwrap_or(i64::MAX);
    let lags = i64::try_from(architecture.lags.len()).unwrap_or(i64::MAX);
    for (name, shape, values) in network.weights.named() {
        to.weights(name, shape, &values);
    }
    to.floats("graph", &[symbols, symbols], &weights::values(&network.graph));
    to.floats("edges", &[symbols, symbols, 1], &weights::values(&network.graph.gt(0.0)));

    let counted = |values: &[f32]| i64::try_from(values.len()).unwrap_or(i64::MAX);
    to.floats("feature_means", &[counted(export.feature_means)], export.feature_means);
    to.floats("feature_deviations", &[counted(export.feature_deviations)], export.feature_deviations);
    to.scalar("nothing", 0.0);
    to.scalar("half", 0.5);
    to.scalar("nearest", -FARTHEST);
    to.scalar("farthest", FARTHEST);
    to.ints("last_axis", &[-1]);
    let present = to.apply("Unsqueeze", &["present", "last_axis"], &[]);
    let is_present = to.apply("Greater", &[&present, "half"], &[]);
    let centred = to.apply("Sub", &["features", "feature_means"], &[]);
    let scaled = to.apply("Div", &[&centred, "feature_deviations"], &[]);
    let clipped = to.apply("Clip", &[&scaled, "nearest", "farthest"], &[]);
    // Not a product: what is absent may be no number.
    let values = to.apply("Where", &[&is_present, &clipped, "nothing"], &[]);

    let layer = |number: usize, state: &str, to: &mut Operators| {
        let part = |name: &str| format!("layer_{number}.{name}");
        let own = to.linear(state, &part("own"), Some(&part("bias")));
        let heard = match architecture.aggregation {
            Aggregation::None => return own,
            Aggregation::Mean => {
                let heard = mean(state, &present, to);
                to.linear(&heard, &part("neighbours"), None)
            }
            Aggregation::Attention { heads } => {
                let heads = i64::try_from(heads).unwrap_or(i64::MAX);
                to.ints("heads", &[0, 0, 0, heads, hidden / heads]);
                to.ints("joined", &[0, 0, 0, hidden]);
                attention(state, &part, to)
            }
        };
        to.apply("Add", &[&own, &heard], &[])
    };
    let first = layer(0, &values, to);
    let first = to.apply("Add", &[&first, "node"], &[]);
    let first = to.apply("Relu", &[&first], &[]);
    let second = layer(1, &first, to);
    let second = to.apply("Relu", &[&second], &[]);
    let state = to.apply("Add", &[&second, &first], &[]);

    to.index("newest", 0);
    let newest = to.apply("Gather", &[&state, "newest"], &[Attribute::int("axis", 1)]);
    let state = match architecture.temporal {
        Temporal::Last => newest,
        Temporal::Mean => {
            to.ints("bars_axis", &[1]);
            let shares = to.apply("Softmax", &["bars.shares"], &[Attribute::int("axis", 0)]);
            let shares = to.apply("Unsqueeze", &[&shares, "bars_axis"], &[]);
            let bars = to.apply("Mul", &[&state, &shares], &[]);
            let bars = to.apply("ReduceSum", &[&bars, "bars_axis"], &[Attribute::int("keepdims", 0)]);
            to.apply("Concat", &[&newest, &bars], &[Attribute::int("axis", -1)])
        }
        Temporal::Gru => {
            let bars = gru(network, &state, lags, symbols, hidden, to);
            to.apply("Concat", &[&newest, &bars], &[Attribute::int("axis", -1)])
        }
    };

    to.scalar("target_mean", export.target_mean);
    to.scalar("target_deviation", export.target_deviation);
    let newest_values = to.apply("Gather", &[&values, "newest"], &[Attribute::int("axis", 1)]);
    let linear = to.linear(&newest_values, "volatility.skip", None);
    let volatility = to.linear(&state, "volatility.state", None);
    let volatility = to.apply("Add", &[&volatility, &linear], &[]);
    let volatility = to.apply("Squeeze", &[&volatility, "last_axis"], &[]);
    let volatility = to.apply("Add", &[&volatility, "volatility.bias"], &[]);
    let volatility = to.apply("Mul", &[&volatility, "target_deviation"], &[]);
    to.name("Add", &[&volatility, "target_mean"], &[], "volatility");
    let direction = to.linear(&state, "direction.state", Some("direction.bias"));
    to.name("Softmax", &[&direction], &[Attribute::int("axis", -1)], "direction");
}

/// As in the network: the mean of the neighbours that are present.
fn mean(state: &str, present: &str, to: &mut Operators) -> String {
    to.scalar("least_weight", 1e-6);
    let state = to.apply("Mul", &[state, present], &[]);
    let total = to.apply("MatMul", &["graph", &state], &[]);
    let weight = to.apply("MatMul", &["graph", present], &[]);
    let weight = to.apply("Max", &[&weight, "least_weight"], &[]);
    to.apply("Div", &[&total, &weight], &[])
}

/// As in the network: what the neighbours say, by the attention that the node pays them.
fn attention(state: &str, part: &dyn Fn(&str) -> String, to: &mut Operators) -> String {
    to.scalar("one", 1.0);
    #[expect(clippy::cast_possible_truncation, reason = "a constant that f32 holds")]
    to.scalar("never", NEVER as f32);
    to.ints("node_axis", &[2]);
    to.ints("neighbour_axis", &[3]);
    let said = to.linear(state, &part("source"), None);
    let said = to.apply("Reshape", &[&said, "heads"], &[]);
    let asked = to.linear(state, &part("target"), None);
    let asked = to.apply("Reshape", &[&asked, "heads"], &[]);
    let every_said = to.apply("Unsqueeze", &[&said, "node_axis"], &[]);
    let every_asked = to.apply("Unsqueeze", &[&asked, "neighbour_axis"], &[]);
    let pairs = to.apply("Add", &[&every_said, &every_asked], &[]);
    #[expect(clippy::cast_possible_truncation, reason = "a constant near enough")]
    let pairs = to.apply("LeakyRelu", &[&pairs], &[Attribute::float("alpha", SLOPE as f32)]);
    let pairs = to.apply("Mul", &[&pairs, &part("score")], &[]);
    let pairs = to.apply("ReduceSum", &[&pairs, "last_axis"], &[Attribute::int("keepdims", 0)]);
    let weight = to.apply("Unsqueeze", &["graph", "last_axis"], &[]);
    let weight = to.apply("Mul", &[&weight, &part("edge")], &[]);
    let present = to.apply("Unsqueeze", &["present", "node_axis"], &[]);
    let present = to.apply("Unsqueeze", &[&present, "last_axis"], &[]);
    let edges = to.apply("Mul", &["edges", &present], &[]);
    let absent = to.apply("Sub", &["one", &edges], &[]);
    let absent = to.apply("Mul", &[&absent, "never"], &[]);
    let scores = to.apply("Add", &[&pairs, &weight], &[]);
    let scores = to.apply("Add", &[&scores, &absent], &[]);
    let attention = to.apply("Softmax", &[&scores], &[Attribute::int("axis", 3)]);
    let attention = to.apply("Mul", &[&attention, &edges], &[]);
    let equation = Attribute::text("equation", "...ijh,...jhd->...ihd");
    let heard = to.apply("Einsum", &[&attention, &said], &[equation]);
    to.apply("Reshape", &[&heard, "joined"], &[])
}

/// As in the network, with the gates in ONNX's order.
///
/// # Source
/// libtorch orders the gates reset, update, new; ONNX update, reset, hidden, and `linear_before_reset` makes both the
/// same recurrence: <https://onnx.ai/onnx/operators/onnx__GRU.html>
fn gru(network: &Network, state: &str, lags: i64, symbols: i64, hidden: i64, to: &mut Operators) -> String {
    let gates = |name: &str| {
        let (_, shape, values) = network
            .weights
            .named()
            .into_iter()
            .find(|(part, _, _)| *part == name)
            .expect("a recurrent unit has its parts");
        let parts = Tensor::from_slice(&values).view(shape).chunk(3, 0);
        weights::values(&Tensor::cat(&[&parts[1], &parts[0], &parts[2]], 0))
    };
    to.floats("gates.input", &[1, 3 * hidden, hidden], &gates("bars.input"));
    to.floats("gates.state", &[1, 3 * hidden, hidden], &gates("bars.state"));
    let biases = [gates("bars.input_bias"), gates("bars.state_bias")].concat();
    to.floats("gates.biases", &[1, 6 * hidden], &biases);
    let oldest_first: Vec<i64> = (0..lags).rev().collect();
    to.ints("oldest_first", &oldest_first);
    to.ints("sequence", &[lags, -1, hidden]);
    to.ints("last_state", &[-1, symbols, hidden]);
    let bars = to.apply("Gather", &[state, "oldest_first"], &[Attribute::int("axis", 1)]);
    let bars = to.apply("Transpose", &[&bars], &[Attribute::ints("perm", &[1, 0, 2, 3])]);
    let bars = to.apply("Reshape", &[&bars, "sequence"], &[]);
    let attributes = [Attribute::int("hidden_size", hidden), Attribute::int("linear_before_reset", 1)];
    let last = to.recurrent(&[&bars, "gates.input", "gates.state", "gates.biases"], &attributes);
    to.apply("Reshape", &[&last, "last_state"], &[])
}
