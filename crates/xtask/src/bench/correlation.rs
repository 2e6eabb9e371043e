//! Edges among 500 symbols over 1,440 bars, beside numpy in turns, and what one more bar costs.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use graph_builder::{EdgeRule, Pair, Returns, SlidingCorrelation, correlations, edges};
use streamforge_events::{Interval, Millis};

use super::{Unit, figure, tool};

const SYMBOLS: usize = 500;
const BARS: usize = 1440;
const RUNS: usize = 21;
const SEED: u64 = 1;
const MINUTE: Millis = 60_000;
/// One return in so many is absent where symbols have gaps of their own.
const GAP: usize = 50;
/// Magnitude that makes an edge: some hundred pairs of these walks reach it.
const THRESHOLD: f64 = 0.4;
/// Results are the same to this.
const TOLERANCE: f64 = 1e-9;

const NUMPY: &str = "numpy==2.4.6";
const THREADS: &str = "2";

/// Takes prices and the file for the result; answers each line with the seconds that the work named there took.
const SCRIPT: &str = "
import sys, time, numpy
prices = numpy.fromfile(sys.argv[1]).reshape(int(sys.argv[3]), -1)
returns = numpy.diff(numpy.log(prices))
numpy.corrcoef(returns).tofile(sys.argv[2])
print(flush=True)
def edges():
    correlations = numpy.corrcoef(returns)
    first, second = numpy.triu_indices(len(correlations), 1)
    values = correlations[first, second]
    kept = numpy.abs(values) >= float(sys.argv[4])
    return first[kept], second[kept], values[kept]
work = {'matrix': lambda: numpy.corrcoef(returns), 'edges': edges}
for line in sys.stdin:
    started = time.perf_counter()
    work[line.strip()]()
    print(time.perf_counter() - started, flush=True)
";

/// Measures edges and pairs in turns with numpy, then the same with gaps, then bar by bar.
pub(super) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (prices, result) = (folder.path().join("prices.f64"), folder.path().join("correlations.f64"));
    fs::write(&prices, random_walks())?;
    let returns = read_returns(&prices)?;
    let mut numpy = Numpy::start(&prices, &result)?;
    compare(&correlations(&returns, 2), &read(&result)?)?;
    let rule = EdgeRule { threshold: THRESHOLD, ..EdgeRule::default() };
    numpy.time("edges")?;

    let (mut ours, mut pairs, mut matrices, mut lists) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(milliseconds(|| edges(&returns, rule)));
        matrices.push(numpy.time("matrix")?);
        pairs.push(milliseconds(|| correlations(&returns, 2)));
        lists.push(numpy.time("edges")?);
    }
    let ratios = |theirs: &[f64]| theirs.iter().zip(&ours).map(|(theirs, ours)| theirs / ours).collect();
    let (matrix, list) = (ratios(&matrices), ratios(&lists));
    let what = format!("{SYMBOLS} symbols x {BARS} bars");
    let numpy = format!("{NUMPY}, {THREADS} threads");
    figure(&format!("edges among {what}: threshold {THRESHOLD} and {} nearest", rule.k), Unit::Milliseconds, ours);
    figure(&format!("numpy.corrcoef of the same, the matrix alone, {numpy}"), Unit::Milliseconds, matrices);
    figure("how many times as long numpy takes for its matrix, turn by turn", Unit::Times, matrix);
    figure(
        &format!("numpy.corrcoef, triu_indices and a mask of threshold {THRESHOLD}, {numpy}"),
        Unit::Milliseconds,
        lists,
    );
    figure("how many times as long numpy takes for its list of edges, turn by turn", Unit::Times, list);
    figure(&format!("correlations of {what}, all pairs as a list"), Unit::Milliseconds, pairs);

    let gapped = with_gaps(&returns);
    let masked = (0..RUNS).map(|_| milliseconds(|| edges(&gapped, rule))).collect();
    let what = format!("edges among {what}, one return in {GAP} absent, elsewhere for each");
    figure(&what, Unit::Milliseconds, masked);
    bar_by_bar(&returns)
}

/// Slides a window over the same returns again and again.
fn bar_by_bar(returns: &[Returns]) -> Result<()> {
    let depth = returns[0].values.len();
    let bar = |time: usize| returns.iter().map(|returns| Some(returns.values[time])).collect::<Vec<_>>();
    let bars: Vec<_> = (0..depth).map(bar).collect();
    let mut sliding = SlidingCorrelation::new(SYMBOLS, NonZeroUsize::new(depth).context("there are no returns")?);
    for bar in &bars {
        sliding.push(bar);
    }
    let (mut middle, mut mean, mut reading) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut times: Vec<f64> = bars.iter().map(|bar| 1000.0 * milliseconds(|| sliding.push(bar))).collect();
        times.sort_by(f64::total_cmp);
        middle.push(times[times.len() / 2]);
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 bars")]
        mean.push(times.iter().sum::<f64>() / times.len() as f64);
        reading.push(milliseconds(|| sliding.pairs(2)));
    }
    let full = correlations(returns, 2);
    let slid = sliding.pairs(2);
    ensure!(full.len() == slid.len(), "the window has {} pairs and the full build {}", slid.len(), full.len());
    for (full, slid) in full.iter().zip(&slid) {
        ensure!((full.correlation - slid.correlation).abs() < TOLERANCE, "{slid:?} should be {full:?}");
    }
    let what = format!("one more bar, sums of all pairs of {SYMBOLS} symbols over {BARS} bars");
    figure(&format!("{what}, usual bar"), Unit::Microseconds, middle);
    figure(&format!("{what}, mean with the refresh once a window"), Unit::Microseconds, mean);
    figure("reading all of these correlations", Unit::Milliseconds, reading);
    Ok(())
}

/// Seeded prices, symbol by symbol, as native doubles.
fn random_walks() -> Vec<u8> {
    let mut random = Rng::with_seed(SEED);
    let moves: Vec<f64> = (0..BARS).map(|_| 1e-3 * (random.f64() - 0.5)).collect();
    let mut bytes = Vec::with_capacity(SYMBOLS * BARS * 8);
    for _ in 0..SYMBOLS {
        let share = random.f64();
        let mut price = 100.0 * (1.0 + random.f64());
        for step in &moves {
            price *= f64::exp(share * step + 1e-3 * (random.f64() - 0.5));
            bytes.extend_from_slice(&price.to_ne_bytes());
        }
    }
    bytes
}

fn read(path: &Path) -> Result<Vec<f64>> {
    let bytes = fs::read(path)?;
    let (values, _) = bytes.as_chunks::<8>();
    Ok(values.iter().map(|value| f64::from_ne_bytes(*value)).collect())
}

fn read_returns(prices: &Path) -> Result<Vec<Returns>> {
    let open_times: Vec<Millis> = (0..).step_by(MINUTE.unsigned_abs().try_into()?).take(BARS).collect();
    let closes = read(prices)?;
    Ok(closes.chunks(BARS).map(|closes| Returns::of(Interval::M1, &open_times, closes)).collect())
}

/// The same returns without some of them, others for each symbol.
fn with_gaps(returns: &[Returns]) -> Vec<Returns> {
    let mut random = Rng::with_seed(SEED);
    let gapped = |returns: &Returns| {
        let rows = returns.open_times.iter().copied().zip(returns.values.iter().copied());
        let (open_times, values) = rows.filter(|_| random.usize(..GAP) > 0).unzip();
        Returns { open_times, values }
    };
    returns.iter().map(gapped).collect()
}

fn compare(pairs: &[Pair], matrix: &[f64]) -> Result<()> {
    ensure!(pairs.len() == SYMBOLS * (SYMBOLS - 1) / 2, "{} pairs", pairs.len());
    ensure!(matrix.len() == SYMBOLS * SYMBOLS, "numpy wrote {} values", matrix.len());
    for pair in pairs {
        let theirs = matrix[pair.first * SYMBOLS + pair.second];
        ensure!((pair.correlation - theirs).abs() < TOLERANCE, "{pair:?}, and numpy has {theirs}");
    }
    Ok(())
}

fn milliseconds<T>(work: impl FnOnce() -> T) -> f64 {
    let started = Instant::now();
    let result = std::hint::black_box(work());
    let elapsed = started.elapsed();
    drop(result);
    elapsed.as_secs_f64() * 1000.0
}

/// A Python process with the prices in memory.
struct Numpy {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Numpy {
    fn start(prices: &Path, result: &Path) -> Result<Self> {
        let mut process = Command::new(python()?)
            .args(["-c", SCRIPT])
            .args([prices, result])
            .args([SYMBOLS.to_string(), THRESHOLD.to_string()])
            .env("OPENBLAS_NUM_THREADS", THREADS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("python did not start")?;
        let input = process.stdin.take().context("a piped stdin")?;
        let output = BufReader::new(process.stdout.take().context("a piped stdout")?);
        let mut numpy = Self { process, input, output };
        numpy.line()?;
        Ok(numpy)
    }

    /// Milliseconds of one more run of this work.
    fn time(&mut self, work: &str) -> Result<f64> {
        writeln!(self.input, "{work}")?;
        Ok(self.line()?.parse::<f64>().context("numpy told no time")? * 1000.0)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "numpy ended");
        Ok(line.trim().to_owned())
    }
}

impl Drop for Numpy {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A Python with the pinned numpy in the cache, installed where it is missing.
fn python() -> Result<PathBuf> {
    let folder = tool(&NUMPY.replace("==", "-"))?;
    let python = folder.join("bin/python");
    let is_there = Command::new(&python).args(["-c", "import numpy"]).stderr(Stdio::null()).status();
    if !is_there.is_ok_and(|status| status.success()) {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status();
        ensure!(made.is_ok_and(|status| status.success()), "python3 with venv is needed to compare with numpy");
        let installed = Command::new(&python).args(["-m", "pip", "install", "--quiet", NUMPY]).status()?;
        ensure!(installed.success(), "{NUMPY} could not be installed");
    }
    Ok(python)
}
