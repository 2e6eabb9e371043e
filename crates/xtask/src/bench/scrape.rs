//! How many events a function has done, as its own metrics tell.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use anyhow::{Context, Result, ensure};

use super::process::listening;

/// A kept connection to a worker's metrics.
pub(super) struct Scrape(TcpStream);

impl Scrape {
    /// Finds the metrics among the ports that the worker listens on.
    pub(super) fn of(worker: u32) -> Result<Self> {
        for port in listening(worker)? {
            let mut scrape = Self(TcpStream::connect(("127.0.0.1", port))?);
            scrape.0.set_nodelay(true)?;
            if scrape.text().is_ok_and(|text| text.contains("streamforge_build_info")) {
                return Ok(scrape);
            }
        }
        anyhow::bail!("worker {worker} serves no metrics yet")
    }

    /// Events that the function has answered with "done".
    pub(super) fn done(&mut self) -> Result<u64> {
        let text = self.text()?;
        let lines =
            text.lines().filter(|line| line.starts_with("streamforge_events_total{") && line.contains("\"DONE\""));
        lines.map(|line| Ok(line.rsplit(' ').next().context("a metric without a value")?.parse::<u64>()?)).sum()
    }

    /// A number that has no labels of its own.
    pub(super) fn value(&mut self, name: &str) -> Result<f64> {
        let text = self.text()?;
        let line = text.lines().find(|line| line.split(['{', ' ']).next() == Some(name));
        let value = line.and_then(|line| line.rsplit(' ').next()).with_context(|| format!("no metric {name}"))?;
        Ok(value.parse()?)
    }

    fn text(&mut self) -> Result<String> {
        self.0.write_all(b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")?;
        let mut answer = Vec::new();
        let mut chunk = [0; 16_384];
        loop {
            let count = self.0.read(&mut chunk)?;
            ensure!(count > 0, "the metrics' connection ended");
            answer.extend_from_slice(&chunk[..count]);
            let text = String::from_utf8_lossy(&answer);
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.context("an answer without a length")?.parse()? {
                return Ok(body.to_owned());
            }
        }
    }
}
