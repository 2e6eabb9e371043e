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

/// Down, sideways and up.
const CLASSES: i64 = 3;

/// What is added to the score of nodes that are no neighbours.
pub(crate) const NEVER: f64 = -1e9;

/// What the network says of each symbol at the newest bar.
#[derive(Debug)]
pub struct Outputs {
    /// Logarithm of the realised volatility of the next bars, in standard deviations of the training part.
    ///
    /// # Shape
    /// symbols × batch
    pub volatility: Tensor,
    /// Scores of down, sideways and up, before the softmax.
    ///
    /// # Shape
    /// symbols × batch × 3
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

/// The graph and who of it is present at which row.
struct Neighbours<'a> {
    /// Edge weights, symbols × symbols.
    graph: &'a Tensor,
    symbols: i64,
    /// symbols × rows, 1 or 0; none where every symbol is present.
    present: Option<Tensor>,
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

    /// Computes the outputs for a batch.
    ///
    /// Symbols come first, so that the weights of a layer meet all states in one product, and so do the edges.
    ///
    /// # Shape
    /// `values`: symbols × batch × lags × features, normalised, 0 where absent, the newest bar first.
    /// `present`: symbols × batch × lags, 1 or 0; none where every symbol is present.
    #[must_use]
    pub fn forward(&self, values: &Tensor, present: Option<&Tensor>) -> Outputs {
        self.forward_with(&self.weights.views(), values, present, None)
    }

    /// The same with these parts of the weights; with a source of chance, some states are hidden, as in training.
    pub(crate) fn forward_with(
        &self,
        weights: &[Tensor],
        values: &Tensor,
        present: Option<&Tensor>,
        chance: Option<&mut Rng>,
    ) -> Outputs {
        let architecture = &self.architecture;
        let mut weights = weights.iter().map(Tensor::shallow_clone);
        // Both this and parts() follow the architecture alone; a test forwards every kind of it.
        let mut next = || weights.next().unwrap_or_default();
        let layers = [layer(architecture.aggregation, &mut next), layer(architecture.aggregation, &mut next)];
        let node = next();
        let temporal: Vec<Tensor> = match architecture.temporal {
            Temporal::Last => Vec::new(),
            Temporal::Mean => vec![next()],
            Temporal::Gru => (0..4).map(|_| next()).collect(),
        };
        let (volatility, skip, bias) = (next(), next(), next());
        let (direction, direction_bias) = (next(), next());

        let mut chance = chance;
        let mut hide = |state: Tensor| match (&mut chance, architecture.dropout_percent) {
            (None, _) | (_, 0) => state,
            (Some(chance), percent) => &state * dropout(&state, percent, chance),
        };
        let (symbols, features, hidden) =
            (size(architecture.symbols), size(architecture.features), size(architecture.hidden));
        let (batch, lags) = (values.size()[1], size(architecture.lags.len()));
        let neighbours =
            Neighbours { graph: &self.graph, symbols, present: present.map(|present| present.flatten(1, 2)) };
        let start =
            (node + &layers[0].bias).unsqueeze(1).expand([symbols, batch * lags, hidden], false).reshape([-1, hidden]);
        let mut first = layers[0].forward(&values.view([-1, features]), &start, &neighbours);
        let first = hide(first.relu_());
        let second = layers[1].forward(&first, &layers[1].bias, &neighbours).relu_() + &first;
        let state = hide(second).view([symbols * batch, lags, hidden]);

        let outputs = Tensor::cat(&[volatility, direction], 0);
        let said = match architecture.temporal {
            Temporal::Last => state.flatten(1, 2).matmul(&outputs.tr()),
            Temporal::Mean => state.flatten(1, 2).matmul(&of_every_bar(&outputs, &temporal[0]).tr()),
            Temporal::Gru => {
                let newest = state.select(1, 0);
                Tensor::cat(&[&newest, &gru(&state, &temporal)], -1).matmul(&outputs.tr())
            }
        };
        let said = said.view([symbols, batch, 1 + CLASSES]);
        let linear = values.select(2, 0).matmul(&skip.tr()).squeeze_dim(-1);
        Outputs {
            volatility: said.select(2, 0) + linear + bias.unsqueeze(1),
            direction: said.narrow(2, 1, CLASSES) + direction_bias,
        }
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
    /// The states of a layer before they are cut off at zero.
    ///
    /// # Shape
    /// `state`: (symbols · rows) × width, and so is the result; `bias` is added to each row of it.
    fn forward(&self, state: &Tensor, bias: &Tensor, neighbours: &Neighbours<'_>) -> Tensor {
        let mut own = bias.addmm(state, &self.own.tr());
        match &self.heard {
            None => own,
            Some(Heard::Mean { neighbours: weight }) => own.addmm_(&neighbours.mean(state), &weight.tr()),
            Some(Heard::Attention { source, target, score, edge }) => {
                own.g_add_(&neighbours.attention(state, [source, target, score, edge]))
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

impl Neighbours<'_> {
    /// Mean of the neighbours that are present, by edge weight; 0 for a node without any.
    fn mean(&self, state: &Tensor) -> Tensor {
        // Weights of edges are correlations; a sum below this is that of no edge.
        let least = 1e-6;
        let symbol_by_symbol = [self.symbols, -1];
        let sizes = state.size();
        let mean = match &self.present {
            None => {
                let shares = self.graph / self.graph.sum_dim_intlist(1, true, Kind::Float).clamp_min(least);
                shares.mm(&state.view(symbol_by_symbol))
            }
            Some(present) => {
                let state = state * present.view([-1, 1]);
                let total = self.graph.mm(&state.view(symbol_by_symbol)).view(&sizes[..]);
                total / self.graph.mm(present).clamp_min(least).view([-1, 1])
            }
        };
        mean.view(&sizes[..])
    }

    /// Sum of what the neighbours say, by the attention that the node pays them; 0 for a node without any.
    fn attention(&self, state: &Tensor, weights: [&Tensor; 4]) -> Tensor {
        let [source, target, score, edge] = weights;
        let (heads, width) = score.size2().expect("scores are heads × width");
        let by_head = [self.symbols, -1, heads, width];
        let said = state.mm(&source.tr()).view(by_head);
        let asked = state.mm(&target.tr()).view(by_head);
        // node × neighbour × rows × heads
        let pairs = said.unsqueeze(0) + asked.unsqueeze(1);
        let slope = Tensor::full([1], SLOPE, (Kind::Float, state.device()));
        let pairs = (pairs.prelu(&slope) * score).sum_dim_intlist(-1, false, Kind::Float);
        let wide = |graph: &Tensor| graph.unsqueeze(-1).unsqueeze(-1);
        let all = wide(&self.graph.gt(0.0).to_kind(Kind::Float));
        let edges = self.present.as_ref().map_or_else(|| all.shallow_clone(), |present| &all * present.unsqueeze(-1));
        let scores: Tensor = pairs + wide(self.graph) * edge + (1.0 - &edges) * NEVER;
        let attention = scores.softmax(1, Kind::Float) * edges;
        Tensor::einsum("ijrh,jrhd->irhd", &[attention, said], None::<i64>).reshape([-1, heads * width])
    }
}

/// The outputs' weights for each bar: those of a mean with learned shares, and of the newest bar beside it.
///
/// # Shape
/// outputs × (newest, mean) becomes outputs × (lags · hidden).
fn of_every_bar(outputs: &Tensor, shares: &Tensor) -> Tensor {
    let parts = outputs.chunk(2, 1);
    let bars = parts[1].unsqueeze(1) * shares.softmax(0, Kind::Float);
    let older = shares.size()[0] - 1;
    (bars + parts[0].unsqueeze(1).constant_pad_nd([0, 0, 0, older])).flatten(1, 2)
}

/// The last state of a recurrent unit that reads the bars from the oldest on.
fn gru(state: &Tensor, weights: &[Tensor]) -> Tensor {
    let (rows, _, hidden) = state.size3().expect("states are rows × lags × hidden");
    let oldest_first = state.flip([1]).transpose(0, 1);
    let start = Tensor::zeros([1, rows, hidden], (Kind::Float, state.device()));
    let (_, last) = oldest_first.gru(&start, weights, true, 1, 0.0, false, false, false);
    last.squeeze_dim(0)
}

/// Sizes of layers are small.
fn size(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
