//! Networks of a few operators, written byte by byte: for tests, one whose sums can be computed by hand; for
//! benchmarks, one of the usual size.
//!
//! # Source
//! <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>

/// Lengths of the axes behind the batch.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say all")]
pub struct Size {
    pub lags: usize,
    pub symbols: usize,
    pub features: usize,
}

const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// Weight of a feature of a bar in the sum that is the logarithm of the volatility.
#[must_use]
pub fn weight(size: Size, lag: usize, feature: usize) -> f32 {
    [0.01, -0.02, 0.03, -0.004, 0.005][(lag * size.features + feature) % 5]
}

/// What the sum is multiplied by to say how likely each direction is.
pub const DIRECTIONS: [f32; 3] = [0.1, 0.2, -0.1];

/// A network that says `offset` plus the weighted sum of all present features of a symbol.
#[must_use]
pub fn network(size: Size, offset: f32) -> Vec<u8> {
    let Size { lags, features, .. } = size;
    let weights: Vec<f32> = (0..lags * features).map(|at| weight(size, at / features, at % features)).collect();
    model(
        size,
        &[
            node("Unsqueeze", &["present", "last"], "present_1", None),
            node("Mul", &["features", "present_1"], "there", None),
            node("Mul", &["there", "weights"], "weighted", None),
            node("ReduceSum", &["weighted", "bars_and_features"], "sum", Some(("keepdims", 0))),
            node("Add", &["sum", "offset"], "volatility", None),
            node("Unsqueeze", &["volatility", "last"], "column", None),
            node("MatMul", &["column", "directions"], "scores", None),
            node("Softmax", &["scores"], "direction", Some(("axis", -1))),
            floats("weights", &[lags, 1, features], &weights),
            floats("offset", &[1], &[offset]),
            floats("directions", &[1, 3], &DIRECTIONS),
            integers("last", &[-1]),
            integers("bars_and_features", &[1, 3]),
        ],
    )
}

/// A network of two layers that hear each symbol's neighbours at each lag, as wide as trained ones are.
#[must_use]
pub fn deep_network(size: Size, hidden: usize) -> Vec<u8> {
    let Size { lags, symbols, features } = size;
    let some =
        |count: usize| -> Vec<f32> { [0.02, -0.01, 0.015, -0.02, 0.005].into_iter().cycle().take(count).collect() };
    model(
        size,
        &[
            node("Unsqueeze", &["present", "last"], "there", None),
            node("Mul", &["features", "there"], "clean", None),
            node("MatMul", &["clean", "first"], "first_own", None),
            node("MatMul", &["graph", "first_own"], "first_heard", None),
            node("Add", &["first_own", "first_heard"], "first_sum", None),
            node("Relu", &["first_sum"], "first_out", None),
            node("MatMul", &["first_out", "second"], "second_own", None),
            node("MatMul", &["graph", "second_own"], "second_heard", None),
            node("Add", &["second_own", "second_heard"], "second_sum", None),
            node("Relu", &["second_sum"], "second_out", None),
            node("ReduceSum", &["second_out", "bars"], "state", Some(("keepdims", 0))),
            node("MatMul", &["state", "to_volatility"], "column", None),
            node("Squeeze", &["column", "last"], "logarithm", None),
            node("Sub", &["logarithm", "six"], "volatility", None),
            node("MatMul", &["state", "to_direction"], "scores", None),
            node("Softmax", &["scores"], "direction", Some(("axis", -1))),
            floats("graph", &[symbols, symbols], &some(symbols * symbols)),
            floats("first", &[features, hidden], &some(features * hidden)),
            floats("second", &[hidden, hidden], &some(hidden * hidden)),
            floats("to_volatility", &[hidden, 1], &some(hidden)),
            floats("to_direction", &[hidden, 3], &some(hidden * 3)),
            floats("six", &[1], &[6.0]),
            integers("last", &[-1]),
            integers("bars", &[i64::from(lags > 0)]),
        ],
    )
}

/// A model of these operators and constants, with the tensors that a predictor reads and writes.
fn model(size: Size, parts: &[Vec<u8>]) -> Vec<u8> {
    let Size { lags, symbols, features } = size;
    let tensors = [
        tensor(11, "features", &[lags, symbols, features]),
        tensor(11, "present", &[lags, symbols]),
        tensor(12, "volatility", &[symbols]),
        tensor(12, "direction", &[symbols, 3]),
    ];
    let graph = [parts.concat(), text(2, "network"), tensors.concat()].concat();
    [number(1, 8), bytes(7, &graph), bytes(8, &number(2, 17))].concat()
}

fn node(operator: &str, inputs: &[&str], output: &str, attribute: Option<(&str, i64)>) -> Vec<u8> {
    let mut fields: Vec<Vec<u8>> = inputs.iter().map(|input| text(1, input)).collect();
    fields.extend([text(2, output), text(4, operator)]);
    fields.extend(
        attribute
            .map(|(name, value)| bytes(5, &[text(1, name), number(3, value.cast_unsigned()), number(20, 2)].concat())),
    );
    bytes(1, &fields.concat())
}

fn floats(name: &str, shape: &[usize], values: &[f32]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    constant(name, shape, FLOAT, &raw)
}

fn integers(name: &str, values: &[i64]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    constant(name, &[values.len()], INT64, &raw)
}

fn constant(name: &str, shape: &[usize], kind: u64, raw: &[u8]) -> Vec<u8> {
    let shape: Vec<u8> = shape.iter().flat_map(|length| number(1, *length as u64)).collect();
    bytes(5, &[shape, number(2, kind), text(8, name), bytes(9, raw)].concat())
}

/// An input or output whose first axis has any length.
fn tensor(field: u64, name: &str, shape: &[usize]) -> Vec<u8> {
    let batch = bytes(1, &text(2, "batch"));
    let lengths = shape.iter().flat_map(|length| bytes(1, &number(1, *length as u64)));
    let shape: Vec<u8> = batch.into_iter().chain(lengths).collect();
    let kind = bytes(1, &[number(1, FLOAT), bytes(2, &shape)].concat());
    bytes(field, &[text(1, name), bytes(2, &kind)].concat())
}

fn text(field: u64, text: &str) -> Vec<u8> {
    bytes(field, text.as_bytes())
}

fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut encoded = Vec::new();
    while value >= 0x80 {
        encoded.push(low(value) | 0x80);
        value >>= 7;
    }
    encoded.push(low(value));
    encoded
}

/// The seven lowest bits.
fn low(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}
