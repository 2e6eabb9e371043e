//! How long a function takes from exec to its first answer, and how much memory it holds then.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::{
    Unit, binary, figure,
    process::{Process, free_port, resident},
};

const RUNS: usize = 21;
const FUNCTION: &str = "loader-api-candles";
const PATIENCE: Duration = Duration::from_secs(10);

/// A command that the function takes without publishing anything.
const COMMAND: &str =
    r#"{"command":"stop","queue_id":"wf-bench","target":"loader-api-candles","telemetry_id":"bench__1"}"#;

/// Starts the function again and again.
pub(super) fn run() -> Result<()> {
    let program = binary(FUNCTION)?;
    let runs = (0..RUNS).map(|_| one(&program)).collect::<Result<Vec<_>>>()?;
    let times = runs.iter().map(|(time, _)| milliseconds(*time)).collect();
    let memory = runs.iter().map(|(_, memory)| *memory).collect();
    figure("a function from exec to its first answer", Unit::Milliseconds, times);
    figure("resident memory of that function then", Unit::Mebibytes, memory);
    Ok(())
}

/// Time to the first answer and resident memory in MiB.
fn one(program: &Path) -> Result<(Duration, f64)> {
    let (port, metrics) = (free_port()?, free_port()?);
    let started = Instant::now();
    let mut command = Command::new(program);
    command
        .env("PORT", port.to_string())
        .env("STREAMFORGE_METRICS_PORT", metrics.to_string())
        // As on the local platform: what it talks to is on loopback, without TLS.
        .env("BINANCE_API_URL", "http://127.0.0.1:9");
    let mut process = Process::start(&mut command)?;
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

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
