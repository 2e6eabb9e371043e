//! How long a function takes from exec to its first answer, and how much memory it holds then.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{Unit, binary, figure};

const RUNS: usize = 21;
const FUNCTION: &str = "loader-api-candles";
const PATIENCE: Duration = Duration::from_secs(10);

/// A command that the function takes without publishing anything.
const COMMAND: &str =
    r#"{"command":"stop","queue_id":"wf-bench","target":"loader-api-candles","telemetry_id":"bench__1"}"#;

/// Ends the function however the measurement ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the function again and again.
pub(super) fn run() -> Result<()> {
    let program = binary(FUNCTION)?;
    let runs = (0..RUNS).map(|_| one(&program)).collect::<Result<Vec<_>>>()?;
    let times = runs.iter().map(|(time, _)| milliseconds(*time)).collect();
    let memory = runs.iter().map(|(_, memory)| f64::from(*memory) / 1024.0).collect();
    figure("a function from exec to its first answer", Unit::Milliseconds, times);
    figure("resident memory of that function then", Unit::Mebibytes, memory);
    Ok(())
}

/// Time to the first answer and resident memory in KiB.
fn one(program: &Path) -> Result<(Duration, u32)> {
    let (port, metrics) = (free_port()?, free_port()?);
    let started = Instant::now();
    let child = Command::new(program)
        .env("PORT", port.to_string())
        .env("STREAMFORGE_METRICS_PORT", metrics.to_string())
        // As on the local platform: what it talks to is on loopback, without TLS.
        .env("BINANCE_API_URL", "http://127.0.0.1:9")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut process = Process(child);
    let answer = loop {
        ensure!(process.0.try_wait()?.is_none(), "{FUNCTION} ended before it answered");
        ensure!(started.elapsed() < PATIENCE, "{FUNCTION} did not answer");
        match ask(port) {
            Ok(answer) if !answer.is_empty() => break answer,
            _ => thread::yield_now(),
        }
    };
    let elapsed = started.elapsed();
    ensure!(answer.starts_with("HTTP/1.1 204"), "{FUNCTION} answered {answer}");
    Ok((elapsed, resident(process.0.id())?))
}

fn ask(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(
        stream,
        "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\nce-specversion: 1.0\r\nce-id: bench\r\nce-source: /bench\r\n\
         ce-type: io.streamforge.control.stop.v1\r\nce-queueid: wf-bench\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{COMMAND}",
        COMMAND.len(),
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn resident(process: u32) -> Result<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS line")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
