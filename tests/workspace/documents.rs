//! The pages about the environment and the metrics say what the code says, no more and no less.

use std::{collections::BTreeSet, time::Duration};

use arango_connector::Connector;
use bookkeeper::Bookkeeper;
use clap::CommandFactory as _;
use dummy_service::{Behaviour, Dummy};
use graph_builder::GraphBuilder;
use loader_api_candles::CandleLoader;
use loader_api_trades::TradeLoader;
use predictor::{Predictor, Runtime};
use prometheus_client::{encoding::text::encode, registry::Registry};
use queue_manager::{ApiService, QueueManager};
use self_healer::SelfHealer;
use serde_json::json;
use streamforge_events::{Envelope, Event, EventType};
use streamforge_exchange::{Client, ClientConfig};
use streamforge_function::{Config, Function, METRICS, Setting, VARIABLES, job, test_util::TestIngress};
use streamforge_ledger::{Ledger, POSTGRES_VARIABLES};
use streamforge_local::{cli::Cli, metrics::METRICS as PLATFORM};
use streamforge_store::{ARANGO_VARIABLES, S3_VARIABLES};
use visualizer::Visualizer;

use crate::{assert_none, markdown::coded_rows, text};

#[test]
fn every_environment_variable_is_explained() {
    let settings: [&[Setting]; _] = [
        VARIABLES,
        job::SETTINGS,
        Connector::SETTINGS,
        Bookkeeper::SETTINGS,
        Dummy::SETTINGS,
        GraphBuilder::SETTINGS,
        CandleLoader::SETTINGS,
        TradeLoader::SETTINGS,
        Predictor::SETTINGS,
        QueueManager::SETTINGS,
        ApiService::SETTINGS,
        SelfHealer::SETTINGS,
        Visualizer::SETTINGS,
    ];
    let backends = ARANGO_VARIABLES
        .iter()
        .chain(&S3_VARIABLES)
        .chain(&POSTGRES_VARIABLES)
        .map(|(name, unit, words)| ((*name).to_owned(), format!("| `{name}` | {unit} | – | {words} |")));
    let expected: Vec<(String, String)> =
        settings.concat().iter().map(variable).chain(arguments()).chain(backends).collect();
    assert_none(&differences("docs/environment.md", &expected));
}

#[tokio::test]
async fn every_metric_is_explained() {
    let described = METRICS.iter().chain(PLATFORM).map(|metric| {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let row = format!("| `{}` | {} | {} |", metric.name, or_dash(&labels.join(", ")), metric.description);
        (metric.name.to_owned(), row)
    });
    let functions = [
        metrics_of_the_bookkeeper().await,
        metrics_of_the_dummy().await,
        metrics_of_the_connector().await,
        metrics_of_the_graph_builder().await,
        metrics_of_the_predictor().await,
        metrics_of_the_loader(),
        metrics_of_the_api().await,
        metrics_of_the_healer(),
    ]
    .concat();
    let own = functions.into_iter().map(|name| (name.clone(), format!("| `{name}` |")));
    assert_none(&differences("docs/metrics.md", &described.chain(own).collect::<Vec<_>>()));
}

fn variable(setting: &Setting) -> (String, String) {
    let default = setting.default.map(|value| format!("`{value}`")).unwrap_or_default();
    let row = format!("| `{}` | {} | {} | {} |", setting.name, setting.unit, or_dash(&default), setting.description);
    (setting.name.to_owned(), row)
}

/// Variables that stand for an argument of the command line.
fn arguments() -> Vec<(String, String)> {
    let mut names = BTreeSet::new();
    let mut commands = vec![Cli::command()];
    while let Some(command) = commands.pop() {
        let variables = command.get_arguments().filter_map(clap::Arg::get_env);
        names.extend(variables.map(|name| name.to_string_lossy().into_owned()));
        commands.extend(command.get_subcommands().cloned());
    }
    names.into_iter().map(|name| (name.clone(), format!("| `{name}` |"))).collect()
}

/// Names under which the dummy's metrics are scraped once it has answered a ping; before, some have no series.
async fn metrics_of_the_dummy() -> Vec<String> {
    let dummy = Dummy::new(Behaviour::default());
    let mut registry = Registry::default();
    dummy.register_metrics(&mut registry);
    let ingress = TestIngress::start().await;
    dummy.handle(ping(), &ingress.context(Dummy::NAME, 0)).await.expect("a dummy answers every ping");
    names(&registry)
}

async fn metrics_of_the_bookkeeper() -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = |kind: &str, name: &str| format!("{kind}://{}/{name}", folder.path().display());
    let ledger = Ledger::open(&url("sqlite", "ledger.db")).await.expect("a new ledger");
    let store = streamforge_store::open(&url("sqlite", "store.db")).await.expect("a new store");
    let objects = streamforge_store::open_objects(&url("file", "objects")).await.expect("a new folder");
    let mut registry = Registry::default();
    Bookkeeper::new(ledger, store, objects).register_metrics(&mut registry);
    names(&registry)
}

async fn metrics_of_the_connector() -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}/store.db", folder.path().display());
    let connector = Connector::new(streamforge_store::open(&url).await.expect("a new store"));
    let mut registry = Registry::default();
    connector.register_metrics(&mut registry);
    names(&registry)
}

async fn metrics_of_the_graph_builder() -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = |kind: &str, name: &str| format!("{kind}://{}/{name}", folder.path().display());
    let store = streamforge_store::open(&url("sqlite", "store.db")).await.expect("a new store");
    let objects = streamforge_store::open_objects(&url("file", "objects")).await.expect("a new folder");
    let mut registry = Registry::default();
    GraphBuilder::new(store, objects, Duration::ZERO).register_metrics(&mut registry);
    names(&registry)
}

async fn metrics_of_the_predictor() -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = |kind: &str, name: &str| format!("{kind}://{}/{name}", folder.path().display());
    let store = streamforge_store::open(&url("sqlite", "store.db")).await.expect("a new store");
    let objects = streamforge_store::open_objects(&url("file", "objects")).await.expect("a new folder");
    let predictor = Predictor::new(store, objects, Runtime::new(None), Duration::ZERO);
    let mut registry = Registry::default();
    predictor.register_metrics(&mut registry);
    names(&registry)
}

fn metrics_of_the_loader() -> Vec<String> {
    let client = Client::new(ClientConfig::new("http://127.0.0.1:1"));
    let mut registry = Registry::default();
    CandleLoader::new(client.expect("a client of nobody")).register_metrics(&mut registry);
    names(&registry)
}

async fn metrics_of_the_api() -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}/store.db", folder.path().display());
    let variables = [("STREAMFORGE_STORE_URL", url.as_str()), ("STREAMFORGE_INGRESS_URL", "http://127.0.0.1:1")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::from_map(&variables.into(), ApiService::SETTINGS).expect("a configuration");
    let service = ApiService::from_config(&config).await.expect("a new store");
    let mut registry = Registry::default();
    service.register_metrics(&mut registry);
    // Those with labels have series once the store was looked at.
    let looking = async {
        while !names(&registry).contains(&"queue_manager_workflows".to_owned()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), looking).await.expect("a look at the store");
    names(&registry)
}

fn metrics_of_the_healer() -> Vec<String> {
    let mut registry = Registry::default();
    SelfHealer::describe_metrics(&mut registry);
    names(&registry)
}

fn names(registry: &Registry) -> Vec<String> {
    let mut scrape = String::new();
    encode(&mut scrape, registry).expect("a string takes every text");
    let types = scrape.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.to_owned() }).collect()
}

fn ping() -> Event {
    let envelope = Envelope {
        id: "ping".to_owned(),
        source: "/streamforge/test".to_owned(),
        kind: EventType::ControlPing,
        subject: "wf-x".to_owned(),
        time: 0,
        extensions: Vec::new(),
    };
    let command = json!({"command": "ping", "queue_id": "wf-x", "target": Dummy::NAME});
    envelope.build(&command).expect("the payload is JSON")
}

/// Rows that a page lacks, and rows about something that is not there.
fn differences(page: &str, expected: &[(String, String)]) -> Vec<String> {
    let text = text(page);
    let missing = expected.iter().filter(|(_, row)| !text.lines().any(|line| line.starts_with(row.as_str())));
    let missing = missing.map(|(_, row)| format!("{page} lacks the row: {row}"));
    let unknown = coded_rows(&text).into_iter().filter(|name| !expected.iter().any(|(known, _)| known == name));
    let unknown = unknown.map(|name| format!("{page} explains `{name}`, which is not there"));
    missing.chain(unknown).collect()
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "–" } else { text }
}
