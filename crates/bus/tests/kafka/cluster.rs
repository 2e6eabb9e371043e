//! One Kafka for all tests of this binary; each has it for itself, without topics and groups.

use std::{sync::OnceLock, time::Duration};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
};
use streamforge_bus::KafkaBus;
use streamforge_servers::{Kafka, Server as _, kafka::Settings};
use tokio::sync::{Mutex, MutexGuard};

const PATIENCE: Duration = Duration::from_secs(30);

/// Held by the test whose turn it is.
pub(crate) type Turn = MutexGuard<'static, ()>;

/// The cluster.
pub(crate) fn kafka() -> &'static Kafka {
    static KAFKA: OnceLock<Kafka> = OnceLock::new();
    KAFKA.get_or_init(|| Kafka::start(&Settings::default()).expect("a Kafka for the tests"))
}

/// Waits for the turn, takes away what the test before has left, and opens the log.
pub(crate) async fn fresh() -> (KafkaBus, Turn) {
    static TURNS: Mutex<()> = Mutex::const_new(());
    let turn = TURNS.lock().await;
    let open = || {
        let kafka = kafka();
        clear(&kafka.bootstrap());
        KafkaBus::open(&kafka.url()).expect("a log")
    };
    let bus = tokio::task::spawn_blocking(open).await.unwrap();
    (bus, turn)
}

fn clear(bootstrap: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    let consumer: BaseConsumer = config.create().unwrap();
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let runtime = tokio::runtime::Handle::current();
    let topics = || -> Vec<String> {
        let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
        let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
        names.filter(|name| !name.starts_with("__")).collect()
    };
    let groups = consumer.fetch_group_list(None, PATIENCE).unwrap();
    let names: Vec<&str> = groups.groups().iter().map(rdkafka::groups::GroupInfo::name).collect();
    if !names.is_empty() {
        for deleted in runtime.block_on(admin.delete_groups(&names, &options)).unwrap() {
            deleted.unwrap();
        }
    }
    let left = topics();
    if !left.is_empty() {
        let names: Vec<&str> = left.iter().map(String::as_str).collect();
        runtime.block_on(admin.delete_topics(&names, &options)).unwrap();
    }
    while !topics().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
}
