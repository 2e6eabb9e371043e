//! Trains a network of the usual settings on a made-up market, an epoch for each line of input, and tells what it took.
//!
//! usage: `gnn-trainer-epoch FOLDER SYMBOLS BARS THREADS EPOCHS DROPOUT_PERCENT cpu|cuda`; samples, settings and start
//! values are left in the folder, so that others can train the same.
#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

use std::{
    error::Error,
    io::{BufRead as _, StdinLock, Write as _},
    path::Path,
    time::Instant,
};

use fastrand::Rng;
use gnn_trainer::{Checkpoint, Decision, Direction, Epoch, Fit, Network, Plan, Rows, Samples, Watch, accelerator};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::json;
use tch::Device;

const SEED: u64 = 1;
/// Others that a symbol names as its neighbours.
const NEIGHBOURS: usize = 3;
/// One row in so many, the last ones, says when to end.
const VALIDATION: usize = 8;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    // Before all else: a trial of the libraries has no other arguments.
    let loaded = accelerator::load();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, numbers @ .., device] = &arguments[..] else { return Err("name a folder and a device".into()) };
    let device = match device.as_str() {
        "cpu" => Device::Cpu,
        "cuda" => loaded.map(|()| accelerator::device())?,
        other => return Err(format!("`{other}` is no device").into()),
    };
    if device == Device::Cpu && arguments.last().is_some_and(|device| device == "cuda") {
        return Err("there is no GPU that libtorch can use".into());
    }
    let numbers: Vec<usize> = numbers.iter().map(|number| number.parse()).collect::<Result<_, _>>()?;
    let [symbols, bars, threads, epochs, dropout] = numbers[..] else {
        return Err("symbols, bars, threads, epochs and a share to hide are needed".into());
    };
    tch::set_num_threads(threads.try_into()?);
    let plan = plan(symbols, epochs, dropout)?;
    let market = Market::new(symbols, bars, plan.definition.features.len());
    let first = plan.reach();
    let held = bars / VALIDATION;
    let rows = |range: std::ops::Range<usize>| range.map(i64::try_from).collect::<Result<Vec<_>, _>>();
    let rows = Rows { training: rows(first..bars - held)?, validation: rows(bars - held..bars)? };
    let mut network = Network::start(plan.architecture(), &market.graph, SEED);
    market.write(Path::new(folder), &plan, &rows, &network)?;
    let mut samples = market.samples()?;
    samples.to_device(device);
    network.to_device(device);
    let mut lines = Lines { input: std::io::stdin().lock(), started: Instant::now() };
    println!("ready");
    if lines.wait() {
        let fit = Fit::new(&mut network, &samples, &rows, &plan.settings);
        // It ends after its epochs or with the input.
        let _ = fit.run(&mut lines);
    }
    Ok(())
}

/// The settings of a training that names none, for so many symbols.
fn plan(symbols: usize, epochs: usize, dropout_percent: usize) -> Outcome<Plan> {
    let names: Vec<String> = (0..symbols).map(|number| format!("S{number}USDT")).collect();
    let command = json!({
        "command": "start", "queue_id": "wf-multi-gnn_train-20250101-a1b2c3", "target": "gnn-trainer",
        "type": "gnn_train", "task": "gnn-trainer-0000", "parameters": {
            "symbols": names, "interval": "15m", "from": 0, "to": 4_000_000_000_000_i64, "model": "bench",
            "epochs": epochs, "patience": epochs, "dropout_percent": dropout_percent,
        },
    });
    Ok(Plan::parse(&serde_json::from_value(command)?)?)
}

/// Random features, and targets that follow from them and from the neighbours.
struct Market {
    shape: [usize; 3],
    values: Vec<f32>,
    volatility: Vec<f32>,
    direction: Vec<i64>,
    graph: Vec<f32>,
}

impl Market {
    fn new(symbols: usize, bars: usize, features: usize) -> Self {
        let mut random = Rng::with_seed(SEED);
        let graph = edges(symbols, &mut random);
        let values: Vec<f32> = (0..bars * symbols * features).map(|_| (random.f32() - 0.5) * 3.5).collect();
        let mut volatility = Vec::new();
        let mut direction = Vec::new();
        for bar in values.chunks_exact(symbols * features) {
            for (edges, own) in graph.chunks_exact(symbols).zip(bar.chunks_exact(features)) {
                let heard: f32 = edges.iter().zip(bar.chunks_exact(features)).map(|(edge, of)| edge * of[1]).sum();
                let weight: f32 = edges.iter().sum();
                volatility.push(0.5 * own[0] + heard / weight.max(1.0) + 0.3 * (random.f32() - 0.5));
                direction.push(if own[2] < -0.5 { 0 } else { 1 + i64::from(own[2] > 0.5) });
            }
        }
        Self { shape: [bars, symbols, features], values, volatility, direction, graph }
    }

    fn samples(&self) -> Outcome<Samples> {
        let volatility: Vec<Option<f32>> = self.volatility.iter().copied().map(Some).collect();
        let class = |class: &i64| match class {
            0 => Some(Direction::Down),
            1 => Some(Direction::Sideways),
            _ => Some(Direction::Up),
        };
        let direction: Vec<Option<Direction>> = self.direction.iter().map(class).collect();
        Ok(Samples::new(self.shape, &self.values, &vec![true; volatility.len()], &volatility, &direction)?)
    }

    fn write(&self, folder: &Path, plan: &Plan, rows: &Rows, network: &Network) -> Outcome<()> {
        let [bars, symbols, features] = self.shape;
        let orders: Vec<Vec<i64>> = (0..plan.settings.epochs).map(|epoch| rows.order(&plan.settings, epoch)).collect();
        // Where rows do not divide by the stride, some epochs have one more.
        let steps = orders.iter().map(Vec::len).min().unwrap_or_default();
        if orders.iter().any(|order| order.len() != steps) {
            return Err("the rows to learn from must divide by the stride".into());
        }
        let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let integers = |values: &[i64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let parts = [
            ("values", Dtype::F32, vec![bars, symbols, features], floats(&self.values)),
            ("volatility", Dtype::F32, vec![bars, symbols], floats(&self.volatility)),
            ("direction", Dtype::I64, vec![bars, symbols], integers(&self.direction)),
            ("graph", Dtype::F32, vec![symbols, symbols], floats(&self.graph)),
            ("validation", Dtype::I64, vec![rows.validation.len()], integers(&rows.validation)),
            ("orders", Dtype::I64, vec![orders.len(), steps], integers(&orders.concat())),
        ];
        let mut views = Vec::new();
        for (name, kind, shape, bytes) in &parts {
            views.push((*name, TensorView::new(*kind, shape.clone(), bytes)?));
        }
        std::fs::write(folder.join("samples.safetensors"), safetensors::serialize(views, &None)?)?;
        std::fs::write(folder.join("weights.safetensors"), network.weights.to_safetensors()?)?;
        let settings = &plan.settings;
        let settings = json!({
            "symbols": symbols, "features": features, "hidden": plan.hidden, "lags": plan.lags,
            "batch": settings.batch, "learning_rate": settings.learning_rate, "rate_decay": settings.rate_decay,
            "weight_decay": settings.weight_decay, "longest_gradient": settings.longest_gradient,
            "direction_weight": settings.direction_weight,
        });
        Ok(std::fs::write(folder.join("settings.json"), settings.to_string())?)
    }
}

/// Edges of some strength from each symbol to a few others, both ways.
fn edges(symbols: usize, random: &mut Rng) -> Vec<f32> {
    let mut graph = vec![0.0; symbols * symbols];
    for symbol in 0..symbols {
        for _ in 0..NEIGHBOURS {
            let other = (symbol + random.usize(1..symbols)) % symbols;
            let weight = 0.5 + random.f32() / 2.0;
            graph[symbol * symbols + other] = weight;
            graph[other * symbols + symbol] = weight;
        }
    }
    graph
}

/// Lets an epoch begin with each line of input, and answers it with its seconds and losses.
struct Lines {
    input: StdinLock<'static>,
    started: Instant,
}

impl Lines {
    /// Whether there is one more line.
    fn wait(&mut self) -> bool {
        let is_line = self.input.read_line(&mut String::new()).is_ok_and(|length| length > 0);
        self.started = Instant::now();
        is_line
    }
}

impl Watch for Lines {
    fn decide(&mut self) -> Decision {
        Decision::Continue
    }

    fn epoch(&mut self, epoch: &Epoch, is_last: bool, _: &dyn Fn() -> Checkpoint) {
        let seconds = self.started.elapsed().as_secs_f64();
        println!("{seconds} {} {}", epoch.training_loss, epoch.validation_loss);
        let _ = std::io::stdout().flush();
        if !is_last && !self.wait() {
            std::process::exit(0);
        }
    }
}
