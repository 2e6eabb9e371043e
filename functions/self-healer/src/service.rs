//! The process: the healer's loop beside the host's probes, metrics and drain.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kube::{Client, Config as ClusterConfig};
use prometheus_client::registry::Registry;
use streamforge_events::{Event, EventType, Millis};
use streamforge_function::{BuildError, Config, ConfigError, Context, Error, Function, Publisher, Setting};
use tokio::task::AbortHandle;

use crate::{cluster::Cluster, error::chain, healer::Healer, metrics::Metrics, plan::Deadlines};

const INTERVAL: &str = "STREAMFORGE_HEAL_INTERVAL";
const START: &str = "STREAMFORGE_START_DEADLINE";
const PENDING: &str = "STREAMFORGE_PENDING_DEADLINE";
const INSTANCE: &str = "HOSTNAME";

/// How long the API server may take for an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Heals the namespace that it runs in.
pub struct SelfHealer {
    metrics: Metrics,
    healing: AbortHandle,
}

impl SelfHealer {
    /// The healer as the environment describes it; it looks from now on.
    ///
    /// # Errors
    /// [`BuildError`] if the configuration is wrong, the store cannot be opened or there is no cluster to be in.
    pub async fn from_config(config: &Config) -> Result<Self, BuildError> {
        let positive = |name: &'static str| match config.duration(name)? {
            duration if duration >= Duration::from_millis(100) => Ok(duration),
            _ => Err(ConfigError::invalid(name, "a duration of at least `100ms`")),
        };
        let interval = positive(INTERVAL)?;
        let deadlines = Deadlines { start: millis(positive(START)?), pending: millis(positive(PENDING)?) };
        let unusable = |error: &dyn std::error::Error| BuildError::Unusable(chain(error));
        let store = streamforge_store::open(config.store_url()?).await.map_err(|error| match error {
            streamforge_store::Error::Url { reason, .. } => {
                BuildError::Config(ConfigError::invalid("STREAMFORGE_STORE_URL", reason))
            }
            error => unusable(&error),
        })?;
        let publisher = Publisher::new(config).map_err(|error| unusable(&error))?;
        let mut cluster = ClusterConfig::infer().await.map_err(|error| unusable(&error))?;
        cluster.read_timeout = Some(ANSWER);
        cluster.connect_timeout = Some(ANSWER);
        let client = Client::try_from(cluster).map_err(|error| unusable(&error))?;
        let metrics = Metrics::default();
        let instance = config.setting(INSTANCE).unwrap_or(Self::NAME);
        let cluster = Cluster::new(&client, instance);
        let healer = Healer { cluster, store, publisher, deadlines, metrics: metrics.clone(), clock: system_clock };
        let healing = tokio::spawn(healer.run(interval)).abort_handle();
        Ok(Self { metrics, healing })
    }

    /// The metrics as they are scraped, without a cluster to heal.
    pub fn describe_metrics(registry: &mut Registry) {
        Metrics::default().register(registry);
    }
}

impl Drop for SelfHealer {
    fn drop(&mut self) {
        self.healing.abort();
    }
}

impl Function for SelfHealer {
    const NAME: &'static str = "self-healer";

    const SETTINGS: &'static [Setting] = &[
        Setting {
            name: INTERVAL,
            unit: "duration",
            default: Some("5s"),
            description: "how often Jobs, pods and tasks are looked at",
        },
        Setting {
            name: START,
            unit: "duration",
            default: Some("120s"),
            description: "how long a pod with a node may take to run, or a run may go without a task; images take longer",
        },
        Setting {
            name: PENDING,
            unit: "duration",
            default: Some("30m"),
            description: "how long a pod may wait for a node",
        },
        Setting {
            name: INSTANCE,
            unit: "name",
            default: Some("self-healer"),
            description: "tells processes apart that write events",
        },
    ];

    fn accepts(&self) -> &'static [EventType] {
        &[]
    }

    async fn handle(&self, event: Event, _: &Context) -> Result<Vec<Event>, Error> {
        drop(event);
        Err(Error::Unprocessable("the healer takes no events".to_owned()))
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

fn system_clock() -> Millis {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
