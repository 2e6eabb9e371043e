//! A closed loop of HTTP/1.1 requests over kept connections, as cheap as one thread can make it.
//!
//! It shares the cores with what it measures, so its own CPU time is told too.

use std::{
    io::{Read as _, Write as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use super::process::cpu_time;

/// What a closed loop is asked to do.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) address: SocketAddr,
    /// Connections, each with one request under way.
    pub(super) connections: u64,
    /// Requests in all.
    pub(super) requests: u64,
    /// The status that every answer must have.
    pub(super) status: &'static str,
    /// Writes request number N.
    pub(super) request: fn(u64, &mut Vec<u8>),
}

/// What came of it.
pub(super) struct Answers {
    pub(super) elapsed: Duration,
    /// Time to the answer of each request, in milliseconds.
    pub(super) latencies: Vec<f64>,
    /// CPU time of the load itself.
    pub(super) cpu: Duration,
}

impl Load {
    /// Sends all requests and waits for the last answer.
    pub(super) fn run(self) -> Result<Answers> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let cpu = cpu_time(std::process::id())?;
        let started = Instant::now();
        let latencies = runtime.block_on(async {
            let mut connections = JoinSet::new();
            for connection in 0..self.connections {
                connections.spawn(async move { self.one_connection(connection).await });
            }
            let mut latencies = Vec::new();
            while let Some(ended) = connections.join_next().await {
                latencies.extend(ended??);
            }
            anyhow::Ok(latencies)
        })?;
        Ok(Answers { elapsed: started.elapsed(), latencies, cpu: cpu_time(std::process::id())?.saturating_sub(cpu) })
    }

    async fn one_connection(self, first: u64) -> Result<Vec<f64>> {
        let mut latencies = Vec::new();
        let mut request = Vec::new();
        let mut answer = Vec::with_capacity(1024);
        let mut stream = self.connect().await?;
        let mut number = first;
        while number < self.requests {
            request.clear();
            (self.request)(number, &mut request);
            let sent = Instant::now();
            stream.write_all(&request).await?;
            let is_last = self.read(&mut stream, &mut answer).await?;
            latencies.push(sent.elapsed().as_secs_f64() * 1000.0);
            if is_last {
                stream = self.connect().await?;
            }
            number += self.connections;
        }
        Ok(latencies)
    }

    async fn connect(self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.address).await.with_context(|| format!("connect to {}", self.address))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// One connection for one request at a time.
    pub(super) fn open(self) -> Result<Connection> {
        let stream = std::net::TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        Ok(Connection { load: self, stream })
    }

    /// Reads one answer, which has no body; says whether the connection ends with it.
    async fn read(self, stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<bool> {
        answer.clear();
        while !answer.ends_with(b"\r\n\r\n") {
            ensure!(stream.read_buf(answer).await? > 0, "the connection ended before its answer");
        }
        self.check(answer)
    }

    /// Whether the connection ends with this answer.
    fn check(self, answer: &[u8]) -> Result<bool> {
        let head = std::str::from_utf8(answer)?;
        if head.get(9..12) != Some(self.status) {
            bail!("expected {}, was answered: {head}", self.status);
        }
        Ok(head.contains("connection: close"))
    }
}

/// A kept connection without a runtime, for latencies.
pub(super) struct Connection {
    load: Load,
    stream: std::net::TcpStream,
}

impl Connection {
    /// Sends request number N and answers the time to its answer, in milliseconds.
    pub(super) fn exchange(&mut self, number: u64) -> Result<f64> {
        let mut request = Vec::new();
        (self.load.request)(number, &mut request);
        let sent = Instant::now();
        self.stream.write_all(&request)?;
        let mut answer = [0; 1024];
        let mut length = 0;
        while !answer[..length].ends_with(b"\r\n\r\n") {
            let count = self.stream.read(&mut answer[length..])?;
            ensure!(count > 0, "the connection ended before its answer");
            length += count;
        }
        let elapsed = sent.elapsed().as_secs_f64() * 1000.0;
        self.load.check(&answer[..length])?;
        Ok(elapsed)
    }
}

/// The value below which this share of the values lies.
pub(super) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
