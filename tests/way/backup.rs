//! Backups by the command line: from the files into a database and back, and beside a platform at work.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use streamforge_events::{Interval, SeriesId, SeriesKind, Split, Trade};
use streamforge_store::{
    FolderObjects, ModelFiles, ModelRegistry, PredictionStore as _, SeriesStore as _, SqliteStore, Versioned,
    arangodb_double::Double,
};
use tokio::runtime::Runtime;

use crate::support::{Ended, Exchange, Folder, Running, until};

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
const RECORDINGS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/klines_native/15m_2024-12-30_2026-04-30");

/// A data folder whose store may be elsewhere.
pub(crate) struct Home {
    pub(crate) folder: Folder,
    store: Vec<String>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: Folder::new(), store: Vec::new() }
    }

    fn with_store(url: &str) -> Self {
        Self { folder: Folder::new(), store: vec!["--store".to_owned(), url.to_owned()] }
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let store: Vec<&str> = self.store.iter().map(String::as_str).collect();
        self.folder.start(&[arguments, &store].concat())
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).wait()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.command(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.last_json()
    }

    /// Everything that the commands print of what is stored.
    pub(crate) fn printed(&self) -> Vec<(String, String)> {
        let mut commands = vec!["export graph", "export predictions --format csv", "queues list", "models list"];
        let candles =
            SYMBOLS.map(|symbol| format!("export candles --symbol {symbol} --interval 15m --format csv --header"));
        commands.extend(candles.iter().map(String::as_str));
        commands.push("export trades --symbol SOLUSDT --format ndjson");
        let print = |command: &str| {
            let words: Vec<&str> = command.split(' ').collect();
            (command.to_owned(), self.command(&words).succeeded())
        };
        commands.into_iter().map(print).collect()
    }
}

/// A data folder with a finished workflow, trades, predictions and a model.
pub(crate) fn filled(days: &str) -> Home {
    let home = Home::new();
    let request = home.folder.request(&SYMBOLS, "15m", days);
    home.folder.run(&request, "synthetic:42");
    Runtime::new().unwrap().block_on(async {
        let data = home.folder.path("data");
        let store = SqliteStore::open(&data.join("store.db")).await.unwrap();
        let series = SeriesId { symbol: "SOLUSDT".parse().unwrap(), kind: SeriesKind::Trades };
        let trade = |trade_id: i64| {
            let (price, quantity) = ("0.00002829".parse().unwrap(), "610009597781.00".parse().unwrap());
            let timestamp = 1_772_323_200_000 + trade_id / 3;
            Versioned { version: 1, value: Trade { trade_id, price, quantity, timestamp, is_buyer_maker: true } }
        };
        store.upsert_trades(&series, &(0..3000).map(trade).collect::<Vec<_>>()).await.unwrap();
        let models = ModelRegistry::new(std::sync::Arc::new(FolderObjects::open(&data.join("objects")).await.unwrap()));
        for (version, created) in [("1", 1), ("2", 2)] {
            let card = json!({"name": "gnn", "version": version, "created": created}).to_string();
            let (onnx, weights) = (version.as_bytes().to_vec(), vec![7; 10_000]);
            models.publish(&ModelFiles { onnx, weights, card: card.into_bytes() }).await.unwrap();
        }
        models.promote(&"gnn".parse().unwrap(), &"1".parse().unwrap()).await.unwrap();
        store.upsert_predictions(&predictions()).await.unwrap();
    });
    home
}

fn predictions() -> Vec<Versioned<streamforge_events::Prediction>> {
    let prediction = |bar: i64| streamforge_events::Prediction {
        model: "gnn".parse().unwrap(),
        version: "1".parse().unwrap(),
        symbol: "BTCUSDT".parse().unwrap(),
        interval: Interval::M15,
        open_time: 1_772_323_200_000 + bar * 900_000,
        horizon: 4.try_into().unwrap(),
        volatility: 0.1 + 0.2,
        probabilities: [1.0 / 3.0, 0.5, 1.0 / 6.0].into(),
        split: Split::Test,
        health: None,
    };
    (0..300).map(|bar| Versioned { version: 1, value: prediction(bar) }).collect()
}

#[test]
fn exports_are_the_same_byte_for_byte_through_a_database_and_back() {
    let runtime = Runtime::new().unwrap();
    let double = runtime.block_on(Double::start());
    let (files, back) = (filled("2026-03-01:2026-03-04"), Home::new());
    let database = Home::with_store(&double.url(None, "streamforge"));
    let expected = files.printed();
    let backups = tempfile::tempdir().unwrap();
    let (one, other) =
        (format!("file:{}/one", backups.path().display()), format!("file://{}/other", backups.path().display()));

    let refused = database.command(&["backup", "restore", "b", "--from", &one]);
    assert_eq!(refused.code, Some(69), "{refused:?}");
    let created = files.json(&["backup", "create", "--to", &one, "--name", "b"]);
    assert_eq!((&created["models"], &created["left_out"]), (&json!(2), &json!([])));
    database.json(&["backup", "restore", "b", "--from", &one]);
    assert!(!database.folder.path("data/store.db").exists());
    for (found, expected) in database.printed().iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    database.json(&["backup", "create", "--to", &other, "--name", "c"]);
    back.json(&["backup", "restore", "c", "--from", &other]);
    for (found, expected) in back.printed().iter().zip(&expected) {
        assert_eq!(found, expected);
    }

    // What counts as loaded came along: the same request has nothing to ask the exchange for.
    let exchange = Exchange::start(Duration::ZERO);
    let request = back.folder.request(&SYMBOLS, "15m", "2026-03-01:2026-03-04");
    let report = back.folder.json(&["run", &request, "--exchange", exchange.url(), "--again"]);
    assert_eq!((&report["status"], exchange.requests()), (&json!("finished"), 0));
    drop(double);
}

#[test]
fn backups_are_listed_named_once_and_refused_when_they_are_not_whole() {
    let home = filled("2026-03-01:2026-03-01");
    let refused = Home::new().command(&["backup", "create"]);
    assert_eq!(refused.code, Some(69), "{refused:?}");
    let first = home.json(&["backup", "create", "--name", "first"]);
    let second = home.json(&["backup", "create"]);
    assert_eq!((&second["written"]["objects"], &second["rows"]), (&json!(0), &first["rows"]));
    home.json(&["backup", "create", "--name", "part", "--symbol", "ETHUSDT", "--from-time", "2026-03-01T12:00:00Z"]);
    let listed = home.json(&["backup", "list"]);
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|backup| backup["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["part", second["name"].as_str().unwrap(), "first"]);
    assert_eq!((&listed[0]["rows"], &listed[2]["rows"]), (&json!(48), &first["rows"]));
    for (arguments, code, words) in [
        (vec!["create", "--name", "first"], 1, "backup `first` is there already"),
        (vec!["create", "--symbol", "NOSUCHUSDT"], 1, "nothing is stored of NOSUCHUSDT"),
        (vec!["create", "--to", "elsewhere"], 64, "only `file:///absolute/path` and `s3://BUCKET` can be opened"),
        (vec!["restore", "third"], 1, "backup `third` is not there"),
    ] {
        let ended = home.command(&[&["backup"], &arguments[..]].concat());
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.stderr.contains(words), "{ended:?}");
    }

    let manifest = home.folder.path("data/objects/backups/manifests/first.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replacen("\"rows\":96", "\"rows\":95", 1)).unwrap();
    let from = format!("file:{}", home.folder.path("data/objects").display());
    let ended = Home::new().command(&["backup", "restore", "first", "--from", &from]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("backups/manifests/first.json was edited"), "{ended:?}");
    let listed = home.json(&["backup", "list"]);
    assert!(listed[2]["damaged"].as_str().unwrap().contains("was edited"), "{listed}");
}

/// Workflows end while backups are made; each that is finished in a backup has its rows there.
#[test]
fn a_backup_beside_a_platform_holds_what_is_finished() {
    const STARTED: [&str; 6] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "ADAUSDT"];
    let (home, exchange) = (Home::new(), Exchange::start(Duration::from_millis(30)));
    let any = "127.0.0.1:0";
    let mut platform = home.start(&["up", "--ingress", any, "--api", any, "--exchange", exchange.url()]);
    platform.first_json();
    let mut backups: Vec<(String, usize)> = Vec::new();
    let finished = || {
        let of = |workflow: &Value| workflow["status"] == "finished";
        home.folder.workflows().iter().filter(|workflow| of(workflow)).count()
    };
    let mut runs = Vec::new();
    for symbol in STARTED {
        let kind = "api_candles_15m";
        let stages = json!([{"target": "loader-producer", "type": kind}, {"target": "arango-connector", "type": kind}]);
        let request = json!({"symbol": symbol, "time_range": "2026-03-01:2026-03-20", "requests": stages});
        let name = home.folder.write(&format!("{symbol}.json"), request.to_string());
        runs.push(home.start(&["run", &name, "--exchange", exchange.url()]));
        let before = finished();
        let created = home.json(&["backup", "create"]);
        backups.push((created["name"].as_str().unwrap().to_owned(), before));
    }
    for run in &mut runs {
        let ended = run.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    until("all to be finished", || (finished() == STARTED.len()).then_some(()));
    let from = format!("file:{}", home.folder.path("data/objects").display());
    for (name, least) in &backups[3..] {
        let other = Home::new();
        other.json(&["backup", "restore", name, "--from", &from]);
        let workflows = other.folder.workflows();
        assert!(workflows.len() >= *least, "{name}: {} of {least} workflows", workflows.len());
        for workflow in workflows {
            assert_eq!(workflow["status"], "finished");
            let symbol = workflow["symbol"].as_str().unwrap();
            assert_eq!(other.folder.candles(symbol, "15m"), home.folder.candles(symbol, "15m"), "{name} {symbol}");
        }
    }
    assert_eq!(platform.stop().code, Some(0));
}

#[test]
fn recorded_series_come_back_as_they_were_recorded() {
    let folder = Path::new(RECORDINGS);
    if !folder.is_dir() {
        eprintln!("skipped: there are no recordings in {}", folder.display());
        return;
    }
    let home = Home::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let recorded: Vec<(String, Vec<String>)> = files.iter().map(|path| lines(path)).collect();
    Runtime::new().unwrap().block_on(async {
        std::fs::create_dir_all(home.folder.path("data")).unwrap();
        let store = SqliteStore::open(&home.folder.path("data/store.db")).await.unwrap();
        for (symbol, lines) in &recorded {
            let series = SeriesId { symbol: symbol.parse().unwrap(), kind: SeriesKind::Klines(Interval::M15) };
            let klines = streamforge_exchange::read_klines(format!("[{}]", lines.join(",")).as_bytes()).unwrap();
            let rows = klines.into_iter().map(|value| Versioned { version: (1 << 50) + 1_777_000_000_000, value });
            store.upsert_klines(&series, &rows.collect::<Vec<_>>()).await.unwrap();
        }
    });
    home.json(&["backup", "create", "--name", "recorded"]);
    let (from, back) = (format!("file:{}", home.folder.path("data/objects").display()), Home::new());
    back.json(&["backup", "restore", "recorded", "--from", &from]);
    assert_eq!(recorded.len(), 10);
    for (symbol, lines) in recorded {
        assert!(back.folder.candles(&symbol, "15m") == lines.join("\n") + "\n", "{symbol}");
    }
}

/// The symbol and the lines of two months of a recording.
fn lines(path: &Path) -> (String, Vec<String>) {
    let mut text = String::new();
    GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let open_time = |line: &str| line[1..line.find(',').unwrap()].parse::<i64>().unwrap();
    let months = 1_738_368_000_000..1_743_465_600_000;
    let lines = text.lines().filter(|line| months.contains(&open_time(line))).map(str::to_owned).collect();
    let (symbol, _) = path.file_name().unwrap().to_str().unwrap().split_once('-').unwrap();
    (symbol.to_owned(), lines)
}
