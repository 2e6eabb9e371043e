//! Requests a second of a function through the whole host, beside a bare axum handler in the same run.

use std::{
    net::{SocketAddr, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    Unit, binary, figure,
    load::{Load, quantile},
    process::{Process, cpu_time, free_port, resident},
};

const RUNS: usize = 5;
const REQUESTS: u64 = 40_000;
const WARM_UP: u64 = 2_000;
const CONNECTIONS: u64 = 16;
const PATIENCE: Duration = Duration::from_secs(10);

/// A command that is parsed and handled without an output: 120 bytes.
const COMMAND: &str = r#"{"command":"start","queue_id":"wf-bench","target":"dummy-service","type":"dummy","parameters":{"noop":true},"symbol":"X"}"#;

struct Contender {
    name: &'static str,
    process: Process,
    address: SocketAddr,
    rates: Vec<f64>,
    rates_by_core: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    load_share: Vec<f64>,
}

/// Measures both in turns.
pub(super) fn run() -> Result<()> {
    let mut contenders = [function()?, bare_axum()?];
    for contender in &contenders {
        load(contender.address, WARM_UP).run()?;
    }
    for _ in 0..RUNS {
        for contender in &mut contenders {
            contender.measure()?;
        }
    }
    for contender in contenders {
        contender.tell()?;
    }
    Ok(())
}

fn function() -> Result<Contender> {
    let program = binary("dummy-service")?;
    let (port, metrics) = (free_port()?, free_port()?);
    let mut command = Command::new(program);
    command.env("PORT", port.to_string()).env("STREAMFORGE_METRICS_PORT", metrics.to_string());
    Contender::new("function", &mut command, port)
}

fn bare_axum() -> Result<Contender> {
    let port = free_port()?;
    let mut command = Command::new(std::env::current_exe()?);
    Contender::new("bare axum", command.arg("bare-axum").arg(port.to_string()), port)
}

impl Contender {
    fn new(name: &'static str, command: &mut Command, port: u16) -> Result<Self> {
        let process = Process::start(command)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(started.elapsed() < PATIENCE, "{name} does not listen");
            thread::yield_now();
        }
        let (rates, rates_by_core, p50, p99, load_share) = Default::default();
        Ok(Self { name, process, address, rates, rates_by_core, p50, p99, load_share })
    }

    fn measure(&mut self) -> Result<()> {
        let before = cpu_time(self.process.id())?;
        let answers = load(self.address, REQUESTS).run().context(self.name)?;
        let used = cpu_time(self.process.id())?.saturating_sub(before);
        let requests = f64::from(u32::try_from(REQUESTS)?);
        self.rates.push(requests / answers.elapsed.as_secs_f64());
        self.rates_by_core.push(requests / used.as_secs_f64());
        self.p50.push(quantile(&answers.latencies, 0.5));
        self.p99.push(quantile(&answers.latencies, 0.99));
        self.load_share.push(requests / answers.cpu.as_secs_f64());
        Ok(())
    }

    fn tell(self) -> Result<()> {
        let name = self.name;
        let unit = Unit::PerSecond("requests");
        figure(&format!("{name}, {CONNECTIONS} connections, load on the same cores"), unit, self.rates);
        figure(&format!("{name}, by a second of its own CPU time"), unit, self.rates_by_core);
        figure(&format!("{name}, by a second of the load's CPU time"), unit, self.load_share);
        figure(&format!("{name}, answer, p50"), Unit::Milliseconds, self.p50);
        figure(&format!("{name}, answer, p99"), Unit::Milliseconds, self.p99);
        figure(&format!("{name}, resident memory afterwards"), Unit::Mebibytes, vec![resident(self.process.id())?]);
        Ok(())
    }
}

fn load(address: SocketAddr, requests: u64) -> Load {
    Load { address, connections: CONNECTIONS, requests, status: "204", request: write_request }
}

fn write_request(number: u64, request: &mut Vec<u8>) {
    let length = COMMAND.len();
    let text = format!(
        "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\nce-specversion: 1.0\r\nce-id: {number}\r\nce-source: /bench\r\n\
         ce-type: io.streamforge.control.start.v1\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{COMMAND}"
    );
    request.extend_from_slice(text.as_bytes());
}
