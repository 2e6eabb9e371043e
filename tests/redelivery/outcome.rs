//! What a finished workflow leaves behind in a data folder, byte for byte.

use serde_json::Value;
use streamforge_events::EventType;

use crate::{log::Log, support::Folder};

pub(crate) const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
pub(crate) const INTERVAL: &str = "1m";
pub(crate) const DAYS: &str = "2026-03-01:2026-03-03";

#[derive(PartialEq)]
pub(crate) struct Outcome {
    /// The document with all its tasks, as it is stored.
    document: String,
    klines: Vec<String>,
    graph: String,
    graphs: usize,
    dead_letters: Vec<Value>,
    loaded: Vec<String>,
}

impl Outcome {
    pub(crate) fn read(folder: &Folder) -> Self {
        let url = format!("sqlite://{}", folder.path("data/store.db").display());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let [workflow] = &folder.workflows()[..] else { panic!("there is one workflow") };
        let id = workflow["id"].as_str().unwrap().parse().unwrap();
        runtime.block_on(async {
            let store = streamforge_store::open(&url).await.unwrap();
            let document = store.get(&id).await.unwrap().unwrap().document.json.to_string();
            let mut loaded = Vec::new();
            for series in store.series().await.unwrap() {
                loaded.push(format!("{series:?} {:?}", store.loaded(&series).await.unwrap()));
            }
            Self {
                document,
                klines: SYMBOLS.map(|symbol| folder.candles(symbol, INTERVAL)).to_vec(),
                graph: folder.graph().to_string(),
                graphs: store.graphs().await.unwrap().len(),
                dead_letters: folder.dead_letters(),
                loaded,
            }
        })
    }

    /// Fails unless the workflow finished, once, and nothing was given up.
    pub(crate) fn assert_good(&self, log: &Log) {
        assert!(self.document.contains(r#""status":"finished""#), "{}", self.document);
        assert_eq!(self.klines.iter().map(|rows| rows.lines().count()).sum::<usize>(), 3 * 3 * 24 * 60);
        assert_eq!((&self.dead_letters, self.graphs), (&vec![], 1));
        let ends = log.events().into_iter().filter(|[kind, ..]| kind == EventType::WorkflowFinished.as_str());
        assert_eq!(ends.count(), 1, "the workflow ended once");
    }

    /// Fails unless the other folder holds the same.
    pub(crate) fn assert_same(&self, other: &Self) {
        assert_eq!(self.document, other.document);
        assert_eq!((&self.graph, self.graphs), (&other.graph, other.graphs));
        assert_eq!(self.loaded, other.loaded);
        assert_eq!(self.dead_letters, other.dead_letters);
        assert!(self.klines == other.klines, "the klines differ");
    }
}
