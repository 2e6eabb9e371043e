//! An epoch of training beside `PyTorch` and its graph library: same samples, same start values, in turns.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::{Unit, binary, figure, tool};

/// Symbols and bars: those of a usual training, and larger graphs over fewer bars.
const SIZES: [(usize, usize); 3] = [(10, 16_384), (24, 8_192), (100, 2_048)];
const THREADS: [usize; 2] = [1, 2];
/// Epochs of each program; the first one, which loads and warms, counts for its losses alone.
const EPOCHS: usize = 6;
/// Losses are the same to this in every epoch.
const TOLERANCE: f64 = 1e-4;
const DROPOUT_PERCENT: usize = 20;

/// Measures every size, with one thread and with two.
pub(super) fn run() -> Result<()> {
    let python = python();
    if let Err(error) = &python {
        eprintln!("the trainer is measured alone, there is no PyTorch to compare with: {error:#}");
    }
    for (symbols, bars) in SIZES {
        for threads in THREADS {
            let size = Size { symbols, bars, threads };
            size.measure(python.as_deref().ok())?;
        }
    }
    Ok(())
}

/// What all programs of a turn compute.
#[derive(Clone, Copy)]
struct Size {
    symbols: usize,
    bars: usize,
    threads: usize,
}

impl Size {
    fn measure(self, python: Option<&Path>) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut programs = vec![Program::ours(self, folder.path(), 0, "cpu")?];
        if let Some(python) = python {
            programs.push(Program::python("PyTorch, dense", "dense.py", python, self, folder.path())?);
            programs.push(Program::python("PyTorch Geometric", "geometric.py", python, self, folder.path())?);
        }
        // Nobody else hides states by the same chance, nor has the same sums on a GPU.
        let mut alone = vec![Program::ours(self, folder.path(), DROPOUT_PERCENT, "cpu")?];
        alone.extend(Program::ours(self, folder.path(), 0, "cuda").ok());
        for epoch in 0..EPOCHS {
            for program in programs.iter_mut().chain(&mut alone) {
                program.epoch(epoch > 0)?;
            }
            agree(&programs, epoch)?;
        }
        let Self { symbols, bars, threads } = self;
        let what = format!("an epoch over {symbols} symbols x {bars} bars, threads: {threads}");
        let ours = programs[0].times.clone();
        for program in programs.into_iter().chain(alone) {
            let ratios = program.times.iter().zip(&ours).map(|(theirs, ours)| theirs / ours).collect();
            let name = &program.name;
            figure(&format!("{what}, {name}"), Unit::Milliseconds, program.times.clone());
            if name.starts_with("PyTorch") {
                figure(&format!("how many times as long {name} takes, turn by turn"), Unit::Times, ratios);
            }
        }
        Ok(())
    }
}

/// Refuses figures of programs that did not learn the same.
fn agree(programs: &[Program], epoch: usize) -> Result<()> {
    let [ours, others @ ..] = programs else { return Ok(()) };
    for other in others {
        for (ours, theirs) in ours.losses.iter().zip(other.losses) {
            let (name, number) = (&other.name, epoch + 1);
            ensure!((ours - theirs).abs() <= TOLERANCE, "{name} has loss {theirs} in epoch {number}, ours is {ours}");
        }
    }
    Ok(())
}

/// A process that trains an epoch for each line.
struct Program {
    name: String,
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Milliseconds of the epochs that count.
    times: Vec<f64>,
    /// Losses of training and validation in the last epoch.
    losses: [f64; 2],
}

impl Program {
    fn ours(size: Size, folder: &Path, dropout_percent: usize, device: &str) -> Result<Self> {
        let mut name = "the trainer".to_owned();
        if dropout_percent > 0 {
            name = format!("{name}, {dropout_percent} % hidden as is usual");
        }
        let mut command = Command::new(binary("gnn-trainer-epoch")?);
        if device == "cuda" {
            name += ", on the GPU";
            // Where there is none it says so and ends, which is no fault of the benchmark.
            command.stderr(Stdio::null());
        }
        let numbers = [size.symbols, size.bars, size.threads, EPOCHS, dropout_percent];
        command.arg(folder).args(numbers.map(|number| number.to_string())).arg(device);
        Self::start(name, &mut command)
    }

    fn python(name: &str, script: &str, python: &Path, size: Size, folder: &Path) -> Result<Self> {
        let threads = size.threads.to_string();
        let mut command = Command::new(python);
        command.arg(programs().join(script)).arg(folder).arg(&threads);
        command.env("OMP_NUM_THREADS", &threads).env("TORCH_USE_RTLD_GLOBAL", "1");
        Self::start(name.to_owned(), &mut command)
    }

    fn start(name: String, command: &mut Command) -> Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take().context("a piped stdin")?;
        let output = BufReader::new(process.stdout.take().context("a piped stdout")?);
        let mut program = Self { name, process, input, output, times: Vec::new(), losses: [0.0; 2] };
        program.line()?;
        Ok(program)
    }

    fn epoch(&mut self, counts: bool) -> Result<()> {
        writeln!(self.input)?;
        let line = self.line()?;
        let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>().context(line)?;
        let [seconds, training, validation] = numbers[..] else {
            anyhow::bail!("{} told {numbers:?}", self.name);
        };
        self.losses = [training, validation];
        if counts {
            self.times.push(seconds * 1000.0);
        }
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "{} ended", self.name);
        Ok(line.trim().to_owned())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The programs of the others, and what they need.
fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../trainer/bench")
}

/// A Python with what is compared in the cache, fetched where it is missing.
fn python() -> Result<PathBuf> {
    let folder = tool("pytorch")?;
    let fetched = Command::new("bash").arg(programs().join("fetch.sh")).arg(&folder).status()?;
    ensure!(fetched.success(), "fetch.sh failed");
    Ok(folder.join("bin/python"))
}
