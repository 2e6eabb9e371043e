//! What the process that never sleeps tells about workflows: how many there are, and whether they get on.
//!
//! The engine may be at zero or broken; the documents say how things stand without it.

use std::{collections::BTreeMap, sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use streamforge_events::Millis;

use crate::{
    document::{Status, Task, TaskState, Work, Workflow},
    engine::{self, Engine, Error},
};

/// How often is looked.
const INTERVAL: Duration = Duration::from_secs(10);

const STATUSES: [Status; 5] = [Status::Pending, Status::Loading, Status::Finished, Status::Stopped, Status::Error];
/// Those of a task that is not done.
const STATES: [&str; 4] = ["waiting", "sent", "started", "loaded"];
/// Those that have tasks from which one hears.
const WORKS: [&str; 4] = ["load", "compute", "job", "stream"];

type Labels = [(&'static str, &'static str); 1];
type Seconds = Gauge<f64, AtomicU64>;

/// The metrics; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    workflows: Family<Labels, Gauge>,
    tasks: Family<Labels, Gauge>,
    repeated: Gauge,
    silence: Family<Labels, Seconds>,
    overdue: Seconds,
}

/// What a look at the live workflows has found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Look {
    /// Tasks that are not done, by state.
    tasks: BTreeMap<&'static str, i64>,
    /// Those of them that were sent more than once.
    repeated: i64,
    /// For how long a stage with tasks under way was not heard of, the longest by kind of work.
    silence: BTreeMap<&'static str, Millis>,
    /// How far the earliest deadline lies back.
    overdue: Millis,
}

/// Looks at the workflows for ever.
///
/// A failure is logged; the figures stay as they were.
pub(crate) async fn run(engine: Engine, figures: Figures) {
    loop {
        if let Err(error) = figures.look(&engine).await {
            tracing::warn!(%error, "workflows could not be counted");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

impl Figures {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Workflows in the store, by status";
        registry.register("queue_manager_workflows", help, self.workflows.clone());
        let help = "Tasks of live workflows that are not done, by state";
        registry.register("queue_manager_tasks", help, self.tasks.clone());
        let help = "Tasks of live workflows that are not done and were sent more than once";
        registry.register("queue_manager_tasks_repeated", help, self.repeated.clone());
        let help = "Longest time that a stage with tasks under way was not heard of, by kind of work";
        registry.register("queue_manager_silence_seconds", help, self.silence.clone());
        let help = "How long the workflow that waits longest for the engine has waited beyond its deadline";
        registry.register("queue_manager_overdue_seconds", help, self.overdue.clone());
    }

    async fn look(&self, engine: &Engine) -> Result<(), Error> {
        let counts = engine.store().count_by_status().await?;
        let mut live = Vec::new();
        for stored in engine.store().overdue(Millis::MAX).await? {
            match engine::read(&stored.document) {
                Ok(workflow) => live.push((workflow, stored.document.next_deadline)),
                Err(error) => tracing::warn!(%error, "a workflow is left out of the figures"),
            }
        }
        for status in STATUSES.map(Status::as_str) {
            let count = counts.get(status).copied().unwrap_or_default();
            self.workflows.get_or_create(&[("status", status)]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.show(&look(&live, engine.now()));
        Ok(())
    }

    fn show(&self, look: &Look) {
        for state in STATES {
            let count = look.tasks.get(state).copied().unwrap_or_default();
            self.tasks.get_or_create(&[("state", state)]).set(count);
        }
        for work in WORKS {
            let silence = look.silence.get(work).copied().unwrap_or_default();
            self.silence.get_or_create(&[("work", work)]).set(seconds(silence));
        }
        self.repeated.set(look.repeated);
        self.overdue.set(seconds(look.overdue));
    }
}

/// What there is to tell of workflows and their deadlines.
fn look(live: &[(Workflow, Option<Millis>)], now: Millis) -> Look {
    let mut found = Look::default();
    for (workflow, deadline) in live {
        found.overdue = found.overdue.max(deadline.map_or(0, |deadline| now.saturating_sub(deadline)));
        if workflow.status.is_terminal() {
            continue;
        }
        for stage in &workflow.stages {
            for task in &stage.tasks {
                let Some(state) = state(task) else { continue };
                *found.tasks.entry(state).or_default() += 1;
                found.repeated += i64::from(task.attempt > 1);
            }
            let work = match stage.work {
                Work::Load(_) => "load",
                Work::Compute => "compute",
                Work::Job => "job",
                Work::Stream => "stream",
                // One has no tasks, the other is quiet for as long as it lives.
                Work::Store(_) | Work::Live => continue,
            };
            if stage.tasks.iter().any(Task::is_in_flight) {
                let silence = found.silence.entry(work).or_default();
                *silence = (*silence).max(now.saturating_sub(stage.heard_at));
            }
        }
    }
    found
}

fn state(task: &Task) -> Option<&'static str> {
    match task.state {
        TaskState::Waiting => Some("waiting"),
        TaskState::Sent => Some("sent"),
        TaskState::Started => Some("started"),
        TaskState::Loaded => Some("loaded"),
        TaskState::Done => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "waits are far shorter than 2^53 milliseconds")]
fn seconds(millis: Millis) -> f64 {
    millis as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use serde_json::json;
    use streamforge_events::QueueId;

    use super::*;
    use crate::{
        engine::Request,
        testing::{NOW, World},
    };

    async fn started(world: &World) -> QueueId {
        let body = json!({
            "symbols": ["BTCUSDT", "ETHUSDT"], "time_range": "2024-01-01:2024-01-02",
            "requests": [{"target": "loader-producer", "type": "api_candles_15m"}],
        });
        let request = Request { source: "/test".to_owned(), id: "1".to_owned(), body, traceparent: None };
        let id = world.engine.accept(&request).await.unwrap();
        world.engine.attend(&id).await.unwrap();
        id
    }

    #[tokio::test]
    async fn a_workflow_that_nobody_works_on_is_told() {
        let world = World::new().await;
        let id = started(&world).await;
        let workflow = world.workflow(&id).await;
        let deadline = crate::reduce::next_deadline(&workflow, NOW);
        let later = NOW + 500_000;
        let found = look(&[(workflow.clone(), deadline)], later);
        assert_eq!(found.tasks, BTreeMap::from([("sent", 2)]));
        assert_eq!(found.silence, BTreeMap::from([("load", 500_000)]));
        assert_eq!((found.repeated, found.overdue), (0, 380_000));

        let mut repeated = workflow.clone();
        repeated.stages[0].tasks[0].attempt = 2;
        assert_eq!(look(&[(repeated, None)], NOW).repeated, 1);
        let ended = Workflow { status: Status::Stopped, ..workflow };
        assert_eq!(look(&[(ended, None)], later), Look::default());
    }

    #[tokio::test]
    async fn every_series_is_there_after_the_first_look() {
        let world = World::new().await;
        started(&world).await;
        let figures = Figures::default();
        figures.look(&world.engine).await.unwrap();
        let mut registry = Registry::default();
        figures.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for series in [
            "queue_manager_workflows{status=\"loading\"} 1",
            "queue_manager_workflows{status=\"error\"} 0",
            "queue_manager_tasks{state=\"sent\"} 2",
            "queue_manager_tasks{state=\"waiting\"} 0",
            "queue_manager_tasks_repeated 0",
            "queue_manager_silence_seconds{work=\"job\"} 0.0",
            "queue_manager_overdue_seconds 0.0",
        ] {
            assert!(text.contains(&format!("\n{series}\n")), "{series}: {text}");
        }
    }
}
