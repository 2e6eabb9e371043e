//! The network: states of nodes, two layers over the graph, several bars to one, two outputs.
//!
//! The maths stands here once for libtorch and once in `onnx` for those who serve it; tests hold the two together.

use fastrand::Rng;
use tch::{Kind, Tensor};

use crate::{
    architecture::{Aggregation, Architecture, Temporal},
    weights::{Part, Start, Weights},
};

/// Slope of the scores of attention below zero.
pub(crate) const SLOPE: f64 = 0.2;

/// What is added to the score of nodes that are no neighbours.
pub(crate) const NEVER: f64 = -1e9;

/// What the network says of each symbol at the newest bar.
#[derive(Debug)]
pub struct Outputs {
    /// Logarithm of the realised volatility of the next bars, in standard deviations of the training part.
    ///
    /// # Shape
    /// batch × symbols
    pub volatility: Tensor,
    /// Scores of down, sideways and up, before the softmax.
    ///
    /// # Shape
    /// batch × symbols × 3
    pub direction: Tensor,
}

/// A network over a fixed graph.
#[derive(Debug)]
pub struct Network {
    /// Which weights it has.
    pub architecture: Architecture,
    /// The weights.
    pub weights: Weights,
    /// Edge weights, symbols × symbols, 0 where there is no edge.
    pub(crate) graph: Tensor,
}

/// The weights of a layer over the graph.
struct Layer {
    own: Tensor,
    bias: Tensor,
    heard: Option<Heard>,
}

/// The weights of what a node hears.
enum Heard {
    Mean { neighbours: Tensor },
    Attention { source: Tensor, target: Tensor, score: Tensor, edge: Tensor },
}

/// The same graph in the forms that the layers need.
struct Neighbours {
    /// Edge weights.
    weights: Tensor,
    /// 1 where there is an edge.
    edges: Tensor,
}

impl Network {
    /// A network with start values that follow from the seed.
    ///
    /// # Shape
    /// `graph` holds the weights of the edges, row by row, symbols × symbols.
    #[must_use]
    pub fn start(architecture: Architecture, graph: &[f32], seed: u64) -> Self {
        let symbols = size(architecture.symbols);
        let weights = Weights::start(parts(&architecture), seed);
        Self { weights, graph: Tensor::from_slice(graph).view([symbols, symbols]), architecture }
    }

    /// Computes the outputs for a batch; with a source of chance, some states are hidden, as in training.
    ///
    /// # Shape
    /// `values`: batch × lags × symbols × features, normalised, 0 where absent, the newest bar first.
    /// `present`: batch × lags × symbols, 1 or 0; none where every symbol is present.
    #[must_use]
    pub fn forward(&self, values: &Tensor, present: Option<&Tensor>, chance: Option<&mut Rng>) -> Outputs {
        let architecture = &self.architecture;
        let mut weights = self.weights.views().into_iter();
        // Both this and parts() follow the architecture alone; a test forwards every kind of it.
        let mut next = || weights.next().unwrap_or_default();
        let layers = [layer(architecture.aggregation, &mut next), layer(architecture.aggregation, &mut next)];
        let node = next();
        let temporal: Vec<Tensor> = match architecture.temporal {
            Temporal::Last => Vec::new(),
            Temporal::Mean => vec![next()],
            Temporal::Gru => (0..4).map(|_| next()).collect(),
        };
        let (out, skip, bias) = (next(), next(), next());
        let (class, class_bias) = (next(), next());

        let mut chance = chance;
        let mut hide = |state: Tensor| match (&mut chance, architecture.dropout_percent) {
            (None, _) | (_, 0) => state,
            (Some(chance), percent) => &state * dropout(&state, percent, chance),
        };
        let neighbours =
            Neighbours { edges: self.graph.gt(0.0).to_kind(Kind::Float), weights: self.graph.shallow_clone() };
        let first = layers[0].forward(values, present, &neighbours) + node;
        let first = hide(first.relu());
        let second = layers[1].forward(&first, present, &neighbours).relu() + &first;
        let state = hide(second);
        let newest = state.select(1, 0);
        let state = match architecture.temporal {
            Temporal::Last => newest,
            Temporal::Mean => {
                let shares = temporal[0].softmax(0, Kind::Float).unsqueeze(1);
                Tensor::cat(&[&newest, &(&state * shares).sum_dim_intlist(1, false, Kind::Float)], -1)
            }
            Temporal::Gru => Tensor::cat(&[&newest, &gru(&state, &temporal)], -1),
        };
        let linear = values.select(1, 0).linear(&skip, None::<&Tensor>).squeeze_dim(-1);
        let volatility = state.linear(&out, None::<&Tensor>).squeeze_dim(-1) + linear + bias;
        Outputs { volatility, direction: state.linear(&class, Some(&class_bias)) }
    }

    /// Moves weights and graph to a device.
    pub fn to_device(&mut self, device: tch::Device) {
        self.weights.flat = self.weights.flat.to_device(device);
        self.graph = self.graph.to_device(device);
    }
}

/// The parts of the weights in the order in which [`Network::forward`] takes them.
fn parts(architecture: &Architecture) -> Vec<Part> {
    let (symbols, features, hidden) = (architecture.symbols, architecture.features, architecture.hidden);
    let mut parts = Vec::new();
    let mut add = |name: String, shape: &[usize], start: Start| {
        parts.push(Part { name, shape: shape.iter().copied().map(size).collect(), start });
    };
    for (number, from) in [features, hidden].into_iter().enumerate() {
        let name = |part: &str| format!("layer_{number}.{part}");
        add(name("own"), &[hidden, from], Start::Inputs(from));
        add(name("bias"), &[hidden], Start::Inputs(from));
        match architecture.aggregation {
            Aggregation::None => {}
            // From zero, so that the network begins as the one without the graph.
            Aggregation::Mean => add(name("neighbours"), &[hidden, from], Start::Zero),
            Aggregation::Attention { heads } => {
                add(name("source"), &[hidden, from], Start::Inputs(from));
                add(name("target"), &[hidden, from], Start::Inputs(from));
                add(name("score"), &[heads, hidden / heads], Start::Inputs(hidden / heads));
                add(name("edge"), &[heads], Start::One);
            }
        }
    }
    add("node".to_owned(), &[symbols, hidden], Start::Zero);
    let lags = architecture.lags.len();
    match architecture.temporal {
        Temporal::Last => {}
        Temporal::Mean => add("bars.shares".to_owned(), &[lags, hidden], Start::Zero),
        Temporal::Gru => {
            for part in ["input", "state"] {
                add(format!("bars.{part}"), &[3 * hidden, hidden], Start::Inputs(hidden));
            }
            for part in ["input_bias", "state_bias"] {
                add(format!("bars.{part}"), &[3 * hidden], Start::Inputs(hidden));
            }
        }
    }
    let state = if architecture.temporal == Temporal::Last { hidden } else { 2 * hidden };
    add("volatility.state".to_owned(), &[1, state], Start::Zero);
    add("volatility.skip".to_owned(), &[1, features], Start::Inputs(features));
    add("volatility.bias".to_owned(), &[symbols], Start::Zero);
    add("direction.state".to_owned(), &[3, state], Start::Zero);
    add("direction.bias".to_owned(), &[3], Start::Zero);
    parts
}

fn layer(aggregation: Aggregation, next: &mut impl FnMut() -> Tensor) -> Layer {
    let (own, bias) = (next(), next());
    let heard = match aggregation {
        Aggregation::None => None,
        Aggregation::Mean => Some(Heard::Mean { neighbours: next() }),
        Aggregation::Attention { .. } => {
            Some(Heard::Attention { source: next(), target: next(), score: next(), edge: next() })
        }
    };
    Layer { own, bias, heard }
}

impl Layer {
    fn forward(&self, state: &Tensor, present: Option<&Tensor>, neighbours: &Neighbours) -> Tensor {
        let own = state.linear(&self.own, Some(&self.bias));
        match &self.heard {
            None => own,
            Some(Heard::Mean { neighbours: weight }) => {
                own + mean(state, present, neighbours).linear(weight, None::<&Tensor>)
            }
            Some(Heard::Attention { source, target, score, edge }) => {
                own + attention(state, present, neighbours, [source, target, score, edge])
            }
        }
    }
}

/// 0 at random places, and elsewhere what keeps the mean as it is.
///
/// libtorch's own source of chance belongs to the whole process, so that two fits at once would disturb each other.
fn dropout(state: &Tensor, percent: u8, chance: &mut Rng) -> Tensor {
    let kept = 100.0 / (100.0 - f32::from(percent));
    let limit = u16::try_from(u32::from(percent) * 65_536 / 100).unwrap_or(u16::MAX);
    let factors = (0..state.numel().div_ceil(4)).flat_map(|_| {
        let bits = chance.u64(..);
        [0, 16, 32, 48].map(|place| if (bits >> place) & 0xFFFF < u64::from(limit) { 0.0 } else { kept })
    });
    let factors: Vec<f32> = factors.take(state.numel()).collect();
    Tensor::from_slice(&factors).view(&state.size()[..]).to_device(state.device())
}

/// Mean of the neighbours that are present, by edge weight; 0 for a node without any.
fn mean(state: &Tensor, present: Option<&Tensor>, neighbours: &Neighbours) -> Tensor {
    let (state, weight) = match present {
        None => (state.shallow_clone(), neighbours.weights.sum_dim_intlist(1, true, Kind::Float)),
        Some(present) => {
            let present = present.unsqueeze(-1);
            (state * &present, neighbours.weights.matmul(&present))
        }
    };
    // Weights of edges are correlations; a sum below this is that of no edge.
    neighbours.weights.matmul(&state) / weight.clamp_min(1e-6)
}

/// Sum of what the neighbours say, by the attention that the node pays them; 0 for a node without any.
fn attention(state: &Tensor, present: Option<&Tensor>, neighbours: &Neighbours, weights: [&Tensor; 4]) -> Tensor {
    let [source, target, score, edge] = weights;
    let mut heads = state.size();
    heads.pop();
    heads.extend(score.size());
    let said = state.linear(source, None::<&Tensor>).view(&heads[..]);
    let asked = state.linear(target, None::<&Tensor>).view(&heads[..]);
    // … × node × neighbour × heads
    let pairs = said.unsqueeze(-4) + asked.unsqueeze(-3);
    let pairs = (pairs.maximum(&(&pairs * SLOPE)) * score).sum_dim_intlist(-1, false, Kind::Float);
    let mut edges = neighbours.edges.unsqueeze(-1);
    if let Some(present) = present {
        edges = present.unsqueeze(-2).unsqueeze(-1) * edges;
    }
    let scores: Tensor = pairs + neighbours.weights.unsqueeze(-1) * edge + (1.0 - &edges) * NEVER;
    let attention = scores.softmax(-2, Kind::Float) * edges;
    let heard = Tensor::einsum("...ijh,...jhd->...ihd", &[attention, said], None::<i64>);
    heard.flatten(-2, -1)
}

/// The last state of a recurrent unit that reads the bars from the oldest on.
fn gru(state: &Tensor, weights: &[Tensor]) -> Tensor {
    let (batch, bars, symbols, hidden) = state.size4().expect("states are batch × lags × symbols × hidden");
    let oldest_first = state.flip([1]).permute([1, 0, 2, 3]).reshape([bars, batch * symbols, hidden]);
    let start = Tensor::zeros([1, batch * symbols, hidden], (Kind::Float, state.device()));
    let (_, last) = oldest_first.gru(&start, weights, true, 1, 0.0, false, false, false);
    last.view([batch, symbols, hidden])
}

/// Sizes of layers are small.
fn size(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
