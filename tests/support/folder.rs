//! A data folder of a test's own, and the commands that work on it.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use streamforge_servers::{Kafka, Server as _, kafka::Settings};
use tempfile::TempDir;

use super::{Ended, Running};

/// Where the event log of a data folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    Folder,
    /// On a Kafka of its own: topics have the names of the manifests, so two platforms on one would be one platform.
    Kafka,
}

/// A temporary folder with a data folder in it.
pub(crate) struct Folder {
    root: TempDir,
    /// Holds the event log instead of the folder.
    kafka: Option<Kafka>,
    /// URL of a store that is not in the folder.
    store: Option<String>,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().expect("a temporary folder"), kafka: None, store: None }
    }

    pub(crate) fn on(log: Log) -> Self {
        let kafka = || Kafka::start(&Settings::default()).expect("a Kafka for the test");
        Self { kafka: (log == Log::Kafka).then(kafka), ..Self::new() }
    }

    /// A folder whose store is elsewhere.
    pub(crate) fn with_store(self, url: &str) -> Self {
        Self { store: Some(url.to_owned()), ..self }
    }

    /// URL of the event log.
    pub(crate) fn log(&self) -> String {
        match &self.kafka {
            Some(kafka) => kafka.url(),
            None => format!("sqlite://{}/bus.db", self.data()),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn data(&self) -> String {
        self.path("data").display().to_string()
    }

    /// Writes a file beside the data folder and returns its path.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("the root is above")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    /// Writes a request for these symbols and days: loader, connector and graph.
    pub(crate) fn request(&self, symbols: &[&str], interval: &str, days: &str) -> String {
        let kind = format!("api_candles_{interval}");
        let requests = json!([
            {"target": "loader-producer", "type": kind},
            {"target": "arango-connector", "type": kind},
            {"target": "graph-builder", "type": "gnn_graph"},
        ]);
        let request = json!({"symbols": symbols, "time_range": days, "requests": requests});
        let name = format!("{interval}-{}.json", days.replace(':', "-"));
        self.write(&name, request.to_string())
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&[arguments, &self.global().iter().map(String::as_str).collect::<Vec<_>>()].concat())
    }

    /// What every command is told: where the data lies.
    pub(crate) fn global(&self) -> Vec<String> {
        let bus = self.kafka.iter().flat_map(|kafka| ["--bus".to_owned(), kafka.url()]);
        let store = self.store.iter().flat_map(|url| ["--store".to_owned(), url.clone()]);
        let folder = ["--json".to_owned(), "--data-dir".to_owned(), self.data()];
        folder.into_iter().chain(bus).chain(store).collect()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).wait()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.command(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.last_json()
    }

    /// Runs a request to its end, which must be a good one, and returns the report.
    pub(crate) fn run(&self, request: &str, exchange: &str) -> Value {
        self.json(&["run", request, "--exchange", exchange])
    }

    /// Returns the stored klines, one row of twelve fields a line.
    pub(crate) fn candles(&self, symbol: &str, interval: &str) -> String {
        let arguments = ["export", "candles", "--symbol", symbol, "--interval", interval, "--format", "ndjson"];
        self.command(&arguments).succeeded()
    }

    pub(crate) fn graph(&self) -> Value {
        self.json(&["export", "graph"])
    }

    pub(crate) fn workflows(&self) -> Vec<Value> {
        list(self.json(&["queues", "list"]))
    }

    pub(crate) fn dead_letters(&self) -> Vec<Value> {
        list(self.json(&["dead-letters", "list"]))
    }
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list,
        other => panic!("not a list: {other}"),
    }
}
