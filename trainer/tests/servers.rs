//! Each part in a server of its own, with TLS and a login: the same end as in the folder, and no secret in what is written.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each target needs its own part")]
mod support;

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::{Value, json};
use streamforge_servers::{Kafka, Lifetime, Postgres, S3, Server as _, Validity, kafka::Settings};
use streamforge_store::arangodb_double::Double;
use support::{Ended, Folder, Running};
use tokio::runtime::Runtime;

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
/// What the store's user has to say; the other servers make up their own.
const STORE_PASSWORD: &str = "open-sesame-store-8d1f";

/// A server for each part. All of them live as long as this does.
struct Servers {
    kafka: Kafka,
    s3: S3,
    postgres: Postgres,
    double: Double,
    store_password: PathBuf,
}

impl Servers {
    fn start(folder: &Folder, runtime: &Runtime) -> Self {
        let kafka = Kafka::start(&Settings { secured: Some(Validity::Valid), ..Settings::default() }).unwrap();
        let identity = fs::read_to_string(kafka.file("server.pem")).unwrap();
        let double = runtime.block_on(Double::start_secure(&identity, &identity));
        double.require_user("streamforge", STORE_PASSWORD);
        Self {
            kafka,
            s3: S3::start(Lifetime::WithStarter, None, Some(Validity::Valid)).unwrap(),
            postgres: Postgres::start(Lifetime::WithStarter, true).unwrap(),
            double,
            store_password: folder.write("store-password", STORE_PASSWORD).into(),
        }
    }

    /// What every command is told beside the data folder.
    fn arguments(&self) -> Vec<String> {
        let file = |name| self.kafka.file(name).display().to_string();
        let bus = format!(
            "kafka+ssl://{}?ca={}&user={}&password={}",
            self.kafka.bootstrap_secured().unwrap(),
            file("ca.pem"),
            file("user"),
            file("user-password"),
        );
        let store = self.double.url(Some("streamforge"), "streamforge");
        let places =
            [("--bus", bus), ("--store", store), ("--objects", self.s3.url()), ("--ledger", self.postgres.url())];
        places.into_iter().flat_map(|(name, url)| [name.to_owned(), url]).collect()
    }

    /// What the URLs do not say.
    fn variables(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("ARANGO_PASSWORD_FILE", self.store_password.clone()),
            ("ARANGO_CA_FILE", self.kafka.file("ca.pem")),
            ("S3_ENDPOINT", self.s3.endpoint().into()),
            ("S3_ACCESS_KEY_FILE", self.s3.access_key_file()),
            ("S3_SECRET_KEY_FILE", self.s3.secret_key_file()),
            ("S3_CA_FILE", self.s3.authority_file().unwrap()),
            ("POSTGRES_PASSWORD_FILE", self.postgres.password_file()),
            ("POSTGRES_CA_FILE", self.postgres.file("ca.pem")),
            // All that the libraries below have to say, too.
            ("STREAMFORGE_LOG", "debug".into()),
        ]
    }

    fn secrets(&self) -> Vec<String> {
        let files = [self.kafka.file("user-password"), self.s3.secret_key_file(), self.postgres.password_file()];
        let read = files.iter().map(|file| fs::read_to_string(file).unwrap().trim().to_owned());
        read.chain([STORE_PASSWORD.to_owned()]).collect()
    }
}

/// A data folder whose parts may be elsewhere, and all that its commands said.
struct Home {
    folder: Folder,
    arguments: Vec<String>,
    variables: Vec<(&'static str, PathBuf)>,
    said: Vec<u8>,
}

impl Home {
    fn new(folder: Folder) -> Self {
        Self { folder, arguments: Vec::new(), variables: Vec::new(), said: Vec::new() }
    }

    fn command(&mut self, arguments: &[&str]) -> Ended {
        let global = self.folder.global();
        let all = arguments.iter().copied().chain(global.iter().chain(&self.arguments).map(String::as_str));
        let variables: Vec<(&str, &OsStr)> =
            self.variables.iter().map(|(name, value)| (*name, value.as_os_str())).collect();
        let ended = Running::start_in(&all.collect::<Vec<_>>(), &variables, Stdio::null()).wait();
        self.said.extend(format!("{}{}", ended.stdout, ended.stderr).bytes());
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended
    }

    fn run(&mut self, request: &Value) -> Value {
        let file = self.folder.write("request.json", request.to_string());
        let jobs = Path::new(env!("CARGO_BIN_EXE_gnn-trainer")).parent().unwrap().display().to_string();
        let mut report = self.command(&["run", &file, "--exchange", "synthetic:42", "--job-path", &jobs]).last_json();
        report["seconds"] = Value::Null;
        report
    }

    /// What is stored, as the commands print it.
    fn printed(&mut self) -> Vec<String> {
        let commands = ["export candles --symbol ETHUSDT --interval 1h", "export graph", "export predictions", "roi"];
        commands.map(|command| self.command(&command.split(' ').collect::<Vec<_>>()).stdout).to_vec()
    }
}

fn request() -> Value {
    json!({
        "symbols": SYMBOLS, "time_range": "2026-01-01:2026-02-10",
        "requests": [
            {"target": "loader-producer", "type": "api_candles_1h"},
            {"target": "arango-connector", "type": "api_candles_1h"},
            {"target": "graph-builder", "type": "gnn_graph", "collection_output": "three"},
            {"target": "gnn-trainer", "type": "gnn_train", "graph_collection": "three", "model_output": "small",
             "horizon": 4, "hidden": 8, "epochs": 2, "batch": 64},
            {"target": "predictor", "type": "gnn_infer"},
        ],
    })
}

#[test]
fn a_request_becomes_the_same_model_in_servers_and_no_secret_is_written() {
    let mut own = Home::new(Folder::new());
    let expected = own.run(&request());
    assert_eq!(expected["status"], "finished", "{expected}");

    let folder = Folder::new();
    let runtime = Runtime::new().unwrap();
    let servers = Servers::start(&folder, &runtime);
    let mut home = Home { arguments: servers.arguments(), variables: servers.variables(), ..Home::new(folder) };
    assert_eq!(home.run(&request()), expected);
    assert_eq!(home.printed(), own.printed());

    let url = format!("{}/exports/graph.json", servers.s3.url());
    home.command(&["export", "graph", "--output", &url]);
    let file = home.folder.path("graph.json").display().to_string();
    own.command(&["export", "graph", "--output", &file]);
    let object = servers.s3.folder().join("buckets").join("streamforge/exports/graph.json");
    assert_eq!(fs::read(object).unwrap(), fs::read(file).unwrap());

    let backups = format!("{}/backups", servers.s3.url());
    home.command(&["backup", "create", "--to", &backups]);
    home.command(&["experiments", "list"]);
    home.command(&["settings", "set", "ada", "theme", "dark"]);

    let data = PathBuf::from(home.folder.data());
    let written = files_below(&data);
    for part in ["bus.db", "store.db", "ledger.db", "objects/models"] {
        assert!(!data.join(part).exists(), "{part} is left in the folder");
    }
    assert!(written.len() > 5, "workers and the job have a log each: {written:?}");
    let texts = written.iter().map(|file| fs::read(file).unwrap()).chain([home.said]);
    for text in texts {
        let text = String::from_utf8_lossy(&text);
        for secret in servers.secrets() {
            assert!(!text.contains(&secret), "a secret is in what was written");
        }
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
