//! How consumer groups stand: what they have yet to do, and what they have missed.
//!
//! Asking takes many round trips to a cluster's log. So nobody asks twice within a few seconds, and whoever scrapes
//! waits for the answer only shortly and gets the one before otherwise.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use streamforge_bus::{Bus, Error};
use streamforge_function::MetricDescription;
use tokio::{
    task::{AbortHandle, JoinHandle},
    time::{Instant, timeout},
};
use tracing::warn;

use super::Labels;

pub(super) const LAG: MetricDescription = MetricDescription {
    name: "streamforge_consumer_group_lag",
    labels: &["group", "topic"],
    description: "Records that the consumer group has not committed yet; every process tells the same",
};
pub(super) const LOST: MetricDescription = MetricDescription {
    name: "streamforge_records_lost_total",
    labels: &["group", "topic"],
    description: "Records that retention or damage took before the consumer group came to them",
};

/// How long an answer is new enough.
const FRESH: Duration = Duration::from_secs(5);
/// How long a scrape waits for a new one; Prometheus gives up after ten seconds, and some set it to less.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long an old answer is better than none.
const KEPT: Duration = Duration::from_mins(1);

/// How a group stands in a topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Standing {
    lag: u64,
    lost: u64,
}

/// By group and topic.
type Standings = BTreeMap<(String, String), Standing>;

/// The groups of a log.
pub(super) struct Groups {
    bus: Arc<dyn Bus>,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    asking: Option<AbortHandle>,
    answer: Option<(Instant, Arc<Standings>)>,
}

impl Groups {
    pub(super) fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus, last: Mutex::default() }
    }

    /// Registers how the groups stand; nothing if the log has not answered for a while.
    pub(super) async fn register(self: &Arc<Self>, registry: &mut Registry) {
        if let Some(asking) = self.ask_anew() {
            timeout(PATIENCE, asking).await.ok();
        }
        let answer = self.last().answer.clone();
        if let Some((_, standings)) = answer.filter(|(at, _)| at.elapsed() < KEPT) {
            register(registry, &standings);
        } else {
            warn!("groups are missing from the metrics");
        }
    }

    /// Begins to ask, unless the last answer is new or somebody is asking.
    fn ask_anew(self: &Arc<Self>) -> Option<JoinHandle<()>> {
        let mut last = self.last();
        let is_fresh = last.answer.as_ref().is_some_and(|(at, _)| at.elapsed() < FRESH);
        let is_asking = last.asking.as_ref().is_some_and(|asking| !asking.is_finished());
        if is_fresh || is_asking {
            return None;
        }
        let groups = Arc::clone(self);
        let asking = tokio::spawn(async move { groups.ask().await });
        last.asking = Some(asking.abort_handle());
        Some(asking)
    }

    async fn ask(&self) {
        match standings(&*self.bus).await {
            Ok(standings) => self.last().answer = Some((Instant::now(), Arc::new(standings))),
            Err(error) => warn!(%error, "groups could not be asked for"),
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        // A panic while holding the lock cannot leave it half changed.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn standings(bus: &dyn Bus) -> Result<Standings, Error> {
    let offsets = bus.groups().await?;
    let mut ends: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for offset in &offsets {
        if !ends.contains_key(offset.topic.as_str()) {
            ends.insert(&offset.topic, bus.end_offsets(&offset.topic).await?);
        }
    }
    let mut standings = Standings::new();
    for offset in &offsets {
        let ends = ends.get(offset.topic.as_str()).map_or(&[][..], Vec::as_slice);
        let end = ends.get(offset.partition as usize).copied().unwrap_or(offset.next);
        let standing = standings.entry((offset.group.clone(), offset.topic.clone())).or_default();
        standing.lag += end.saturating_sub(offset.next);
        standing.lost += offset.lost;
    }
    Ok(standings)
}

fn register(registry: &mut Registry, standings: &Standings) {
    let (lag, lost): (Family<Labels<2>, Gauge>, Family<Labels<2>, Counter>) = Default::default();
    for ((group, topic), standing) in standings {
        let labels = [("group", group.clone()), ("topic", topic.clone())];
        lag.get_or_create(&labels).set(i64::try_from(standing.lag).unwrap_or(i64::MAX));
        lost.get_or_create(&labels).inc_by(standing.lost);
    }
    super::register(registry, LAG, lag);
    super::register(registry, LOST, lost);
}
