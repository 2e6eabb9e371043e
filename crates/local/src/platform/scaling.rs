//! Follows the lag of every function's consumer groups and tells the supervisor how many workers to keep.
//!
//! A `ScaledObject`'s polling interval is the longest wait. The lag is also looked at soon after a record was appended,
//! at most every 25 ms: on a laptop nobody wants to wait for a poll that a cluster needs for the sake of its broker.

use std::{sync::Arc, time::Duration};

use streamforge_bus::Bus;
use streamforge_events::Millis;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::wiring::Scale;
use crate::{
    manifest::{KafkaTrigger, ObjectName},
    scaler::{State, decide, share},
};

/// The shortest time between two looks at the lag.
pub(super) const SHORTEST_WAIT: Duration = Duration::from_millis(25);

/// The longest time without any look, for functions that never scale.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

pub(super) struct Scaling {
    pub(super) bus: Arc<dyn Bus>,
    pub(super) functions: Vec<ScaledFunction>,
    pub(super) max_workers: u32,
}

pub(super) struct ScaledFunction {
    pub(super) name: String,
    pub(super) service: ObjectName,
    pub(super) desired: watch::Sender<u32>,
    pub(super) scale: Scale,
    pub(super) state: State,
    pub(super) due: Instant,
}

impl Scaling {
    /// Scales until the shutdown.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let started = Instant::now();
        let mut appended = self.bus.appended();
        let mut all_are_due = true;
        loop {
            appended.borrow_and_update();
            let now = Instant::now();
            for function in &mut self.functions {
                if all_are_due || function.due <= now {
                    let has_changed = function.evaluate(self.bus.as_ref(), now.duration_since(started)).await;
                    // The HPA takes over from KEDA's first worker, and that step should not wait for a whole poll.
                    let wait = if has_changed { SHORTEST_WAIT } else { function.scale.polling_interval() };
                    function.due = now + wait;
                }
            }
            self.apply();
            let next = self.functions.iter().map(|function| function.due).min().unwrap_or(now + LONGEST_WAIT);
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep_until(next.max(now + SHORTEST_WAIT)) => all_are_due = false,
                changed = appended.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    tokio::time::sleep_until(now + SHORTEST_WAIT).await;
                    all_are_due = true;
                }
            }
        }
    }

    fn apply(&self) {
        let wanted: Vec<u32> = self.functions.iter().map(ScaledFunction::wanted).collect();
        let granted = share(&wanted, self.max_workers);
        for (function, count) in self.functions.iter().zip(granted) {
            function.desired.send_if_modified(|desired| std::mem::replace(desired, count) != count);
        }
    }
}

impl ScaledFunction {
    fn wanted(&self) -> u32 {
        match self.scale {
            Scale::Fixed(count) => count,
            Scale::OnLag { .. } => self.state.desired(),
        }
    }

    /// Looks at the lag and decides; returns whether the number of workers changed.
    async fn evaluate(&mut self, bus: &dyn Bus, now: Duration) -> bool {
        let Scale::OnLag { rules, .. } = &self.scale else {
            return false;
        };
        let lags = match lags(bus, &rules.triggers).await {
            Ok(lags) => lags,
            // As KEDA without a fallback: what is unknown changes nothing.
            Err(error) => {
                warn!(function = %self.name, %error, "lag is not known");
                return false;
            }
        };
        let before = self.state.desired();
        let desired = decide(rules, &mut self.state, &lags, now);
        if desired == before {
            return false;
        }
        let lag = lags.iter().flatten().fold(0, |sum: u64, part| sum.saturating_add(*part));
        info!(function = %self.name, lag, from = before, to = desired, "scaling");
        true
    }
}

/// The lag of each trigger, by partition.
pub(super) async fn lags(bus: &dyn Bus, triggers: &[KafkaTrigger]) -> Result<Vec<Vec<u64>>, streamforge_bus::Error> {
    let mut lags = Vec::with_capacity(triggers.len());
    for trigger in triggers {
        lags.push(lag(bus, trigger).await?);
    }
    Ok(lags)
}

async fn lag(bus: &dyn Bus, trigger: &KafkaTrigger) -> Result<Vec<u64>, streamforge_bus::Error> {
    let mut lag = Vec::new();
    for topic in topics(bus, trigger).await? {
        lag.extend(bus.lag(&trigger.consumer_group, &topic).await?);
    }
    Ok(lag)
}

/// When the oldest record that waits for one of these triggers was appended.
pub(super) async fn oldest_waiting(
    bus: &dyn Bus,
    triggers: &[KafkaTrigger],
) -> Result<Option<Millis>, streamforge_bus::Error> {
    let mut oldest: Option<Millis> = None;
    for trigger in triggers {
        for topic in topics(bus, trigger).await? {
            let places = bus.committed(&trigger.consumer_group, &topic).await?;
            for partition in bus.look(&topic, places, 1, 1).await? {
                let appended = partition.records?.first().map(|stored| stored.record.timestamp);
                oldest = oldest.into_iter().chain(appended).min();
            }
        }
    }
    Ok(oldest)
}

/// The topics that a trigger looks at: the one that it names, or all that its group reads.
async fn topics(bus: &dyn Bus, trigger: &KafkaTrigger) -> Result<Vec<String>, streamforge_bus::Error> {
    if let Some(topic) = &trigger.topic {
        return Ok(vec![topic.clone()]);
    }
    let groups = bus.groups().await?;
    let mut topics: Vec<String> =
        groups.into_iter().filter(|offset| offset.group == trigger.consumer_group).map(|offset| offset.topic).collect();
    topics.dedup();
    Ok(topics)
}

impl Scale {
    fn polling_interval(&self) -> Duration {
        match self {
            Self::OnLag { polling_interval, .. } => (*polling_interval).max(SHORTEST_WAIT),
            Self::Fixed(_) => LONGEST_WAIT,
        }
    }
}
