//! Every event comes to a function that accepts it, every function gets what it accepts, and nothing turns in circles.
//!
//! The Triggers are followed as an event would follow them, from the Broker of its type's topic.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use arango_connector::Connector;
use bookkeeper::Bookkeeper;
use dummy_service::Dummy;
use graph_builder::GraphBuilder;
use loader_api_candles::CandleLoader;
use loader_api_trades::TradeLoader;
use predictor::Predictor;
use queue_manager::QueueManager;
use streamforge_events::EventType;
use streamforge_function::{Function, test_util::config};
use streamforge_local::{
    functions,
    manifest::{Destination, Manifests, ObjectName},
    message::Message,
};

use crate::{assert_finds, assert_sound, tree::Tree};

/// What a function's host answers where the function does not accept it.
const ANSWERED_BY_HOST: [EventType; 2] = [EventType::ControlStop, EventType::ControlPing];

/// Types that no function has to read, and who does.
const READ_ELSEWHERE: [(EventType, &str); 4] = [
    (EventType::ModelTrained, "the live feeds of the API"),
    (EventType::PredictionMade, "the live feeds of the API"),
    (EventType::DepthUpdated, "the live feeds of the API"),
    (EventType::FeedInterrupted, "the live feeds of the API"),
];

/// Who reports what all readers of reports want to know.
const REPORTER: &str = "/streamforge/gnn-trainer";

/// Types that a function is to get only where a loader marked them as fresh.
const NEWS_ALONE: [(EventType, &str); 2] =
    [(EventType::KlinesLoaded, GraphBuilder::NAME), (EventType::KlinesLoaded, Predictor::NAME)];

#[test]
fn every_event_comes_to_a_function_that_accepts_it() {
    assert_sound(problems);
}

#[test]
fn an_event_that_goes_astray_is_found() {
    let klines = "        - exact: {type: io.streamforge.klines.loaded.v1}\n";
    let circle = "  filters:\n    - exact: {target: dummy-service}\n    - prefix: {type: io.streamforge.control.}\n  subscriber:\n    ref:\n      apiVersion: eventing.knative.dev/v1\n      kind: Broker\n      name: dummy-service";
    assert_finds(
        problems,
        &[
            ("triggers/arango-connector.yaml", klines, "", "klines.loaded"),
            ("triggers/arango-connector.yaml", "klines.loaded.v1", "klines.load.v1", "klines.loaded"),
            ("triggers/dummy-service.yaml", "{target: dummy-service}", "{target: graph-builder}", "dummy-service"),
            (
                "triggers/dummy-service.yaml",
                circle,
                &circle.replace("name: dummy", "name: queue").replace("queue-service", "queue-control"),
                "circle",
            ),
            ("triggers/queue-manager.yaml", "type: io.streamforge.queue.reported.v1", "type: \"\"", "does not accept"),
            (
                "triggers/bookkeeper.yaml",
                "finished.v1}\n        - exact: {type: io.streamforge.queue.reported.v1, source",
                "done.v1}\n        - exact: {type: io.streamforge.queue.reported.v1, source",
                "workflow.finished",
            ),
            ("triggers/bookkeeper.yaml", ", source: /streamforge/predictor", "", "not meant for it"),
            ("triggers/graph-builder.yaml", ", fresh: \"true\"", "", "no news"),
            ("triggers/predictor.yaml", ", fresh: \"true\"", "", "no news"),
            ("triggers/predictor.yaml", "fresh: \"true\"", "fresh: \"false\"", "never comes"),
            ("triggers/queue-manager.yaml", "broker: workflows", "broker: market-data", "workflow.requested"),
            (
                "triggers/graph-builder.yaml",
                "- prefix: {type: io.streamforge.control.}",
                "- prefix: {type: io.streamforge.control.p}",
                "control.start",
            ),
        ],
    );
}

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let manifests = &tree.manifests;
    let mut problems = Vec::new();
    let mut delivered: BTreeMap<String, BTreeSet<EventType>> = BTreeMap::new();
    for kind in EventType::ALL {
        let mut readers = 0;
        for target in functions::NAMES {
            let journey = follow(manifests, kind, target, true);
            problems.extend(journey.circle.map(|broker| format!("{kind} runs in a circle through Broker {broker}")));
            let is_command = kind.topic() == streamforge_events::Topic::QueueControl;
            if is_command && journey.services.iter().any(|name| name != target) {
                problems.push(format!("{kind} for {target} comes to {:?}", journey.services));
            }
            readers += journey.services.len();
            for name in journey.services {
                delivered.entry(name).or_default().insert(kind);
            }
        }
        for name in follow(manifests, kind, functions::NAMES[0], false).services {
            if NEWS_ALONE.contains(&(kind, name.as_str())) {
                problems.push(format!("{kind} comes to {name} though it is no news"));
            }
        }
        problems.extend(reports_of_strangers(manifests, kind));
        if readers == 0 && !READ_ELSEWHERE.iter().any(|(other, _)| *other == kind) {
            problems.push(format!("{kind} has no reader"));
        }
    }
    for (name, accepted) in accepted() {
        let delivered = delivered.remove(*name).unwrap_or_default();
        let is_welcome = |kind: &&EventType| accepted.contains(kind) || ANSWERED_BY_HOST.contains(kind);
        let unwelcome = delivered.iter().filter(|kind| !is_welcome(kind));
        problems.extend(unwelcome.map(|kind| format!("{name} gets {kind}, which it does not accept")));
        let missing = accepted.iter().filter(|kind| !delivered.contains(kind));
        problems.extend(missing.map(|kind| format!("{name} accepts {kind}, which never comes to it")));
    }
    problems.extend(delivered.into_keys().map(|name| format!("events come to {name}, which is no function")));
    problems
}

/// Where an event ends.
#[derive(Default)]
struct Journey {
    services: Vec<String>,
    /// A Broker that it passed twice.
    circle: Option<String>,
}

/// The Services that an event comes to where it is meant for a function.
pub(crate) fn readers(manifests: &Manifests, kind: EventType, target: &str) -> Vec<String> {
    follow(manifests, kind, target, true).services
}

fn follow(manifests: &Manifests, kind: EventType, target: &str, is_fresh: bool) -> Journey {
    let mut message = Message::default();
    message.set("type", kind.as_str());
    message.set("target", target);
    message.set("source", REPORTER);
    if is_fresh {
        message.set("fresh", "true");
    }
    travel(manifests, kind, &message)
}

/// Reports of functions whose reports are none of its business, but come to the bookkeeper.
fn reports_of_strangers(manifests: &Manifests, kind: EventType) -> Option<String> {
    let mut message = Message::default();
    message.set("type", kind.as_str());
    message.set("source", "/streamforge/arango-connector");
    let is_report = kind == EventType::QueueReported;
    let comes = is_report && travel(manifests, kind, &message).services.iter().any(|name| name == Bookkeeper::NAME);
    comes.then(|| format!("{kind} of every batch comes to {}, it is not meant for it", Bookkeeper::NAME))
}

fn travel(manifests: &Manifests, kind: EventType, message: &Message) -> Journey {
    let mut journey = Journey::default();
    let mut passed: BTreeSet<String> = BTreeSet::new();
    let mut ahead = vec![kind.topic().to_string()];
    while let Some(broker) = ahead.pop() {
        if !passed.insert(broker.clone()) {
            journey.circle = Some(broker);
            break;
        }
        for trigger in &manifests.triggers {
            if trigger.broker.name != broker || !trigger.filter.matches(message) {
                continue;
            }
            match &trigger.subscriber {
                Destination::Service { name: ObjectName { name, .. }, .. } => journey.services.push(name.clone()),
                Destination::Broker(next) => ahead.push(next.name.clone()),
                Destination::KafkaSink(_) | Destination::Uri(_) => {}
            }
        }
    }
    journey
}

/// What each function accepts, asked once: the functions want a store, which costs more than the checks.
fn accepted() -> &'static [(&'static str, &'static [EventType])] {
    static ACCEPTED: OnceLock<Vec<(&'static str, &'static [EventType])>> = OnceLock::new();
    ACCEPTED.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("there is a runtime");
        runtime.block_on(ask())
    })
}

async fn ask() -> Vec<(&'static str, &'static [EventType])> {
    fn entry<F: Function>(function: &F) -> (&'static str, &'static [EventType]) {
        (F::NAME, function.accepts())
    }
    let folder = tempfile::tempdir().expect("there is room for a store");
    let url = format!("sqlite://{}", folder.path().join("store.db").display());
    let objects = format!("file://{}", folder.path().join("objects").display());
    let ledger = format!("sqlite://{}", folder.path().join("ledger.db").display());
    let variables = [
        ("STREAMFORGE_STORE_URL", url.as_str()),
        ("STREAMFORGE_OBJECTS_URL", &objects),
        ("STREAMFORGE_LEDGER_URL", &ledger),
    ];
    let settings = [QueueManager::SETTINGS, Predictor::SETTINGS, Bookkeeper::SETTINGS, GraphBuilder::SETTINGS].concat();
    let config = config(&variables, &settings);
    let built = "the function is built from a sound configuration";
    let entries = vec![
        entry(&Connector::from_config(&config).await.expect(built)),
        entry(&Bookkeeper::from_config(&config).await.expect(built)),
        entry(&Dummy::from_config(&config).await.expect(built)),
        entry(&GraphBuilder::from_config(&config).await.expect(built)),
        entry(&CandleLoader::from_config(&config).await.expect(built)),
        entry(&TradeLoader::from_config(&config).await.expect(built)),
        entry(&Predictor::from_config(&config).await.expect(built)),
        entry(&QueueManager::from_config(&config).await.expect(built)),
    ];
    let names: Vec<&str> = entries.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, functions::NAMES, "the functions of the binary");
    entries
}
