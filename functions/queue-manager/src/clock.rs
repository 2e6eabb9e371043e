//! The clock: reminds the engine of workflows that fell due, so that the engine itself can sleep at zero.

use std::{collections::BTreeMap, time::Duration};

use streamforge_events::{Millis, QueueId};

use crate::{
    engine::{Engine, Error},
    outgoing,
};

/// How long the engine has for an answer before it is reminded of the same deadline again.
const PATIENCE_MILLIS: Millis = 30_000;

/// Looks every `interval` for overdue workflows and publishes `workflow.overdue` for each, until `shutdown` resolves.
///
/// A failure is logged and tried again at the next turn. Several clocks may run: their reminders have the
/// same ids and the engine takes them as often as they come.
pub async fn run(engine: Engine, interval: Duration, shutdown: impl Future<Output = ()>) {
    let mut reminded = Reminded::default();
    let turns = async {
        loop {
            if let Err(error) = turn(&engine, &mut reminded).await {
                tracing::warn!(%error, "overdue workflows could not be reminded");
            }
            tokio::time::sleep(interval).await;
        }
    };
    tokio::select! {
        () = turns => {}
        () = shutdown => {}
    }
}

/// Which deadlines were announced, and when.
#[derive(Debug, Default)]
struct Reminded(BTreeMap<QueueId, (Millis, Millis)>);

impl Reminded {
    /// Whether this deadline has to be announced at `now`.
    fn is_news(&self, id: &QueueId, deadline: Millis, now: Millis) -> bool {
        self.0.get(id).is_none_or(|&(known, at)| known != deadline || now - at >= PATIENCE_MILLIS)
    }
}

async fn turn(engine: &Engine, reminded: &mut Reminded) -> Result<(), Error> {
    let now = engine.now();
    let overdue = engine.store().overdue(now).await?;
    let due: Vec<(QueueId, Millis)> =
        overdue.into_iter().filter_map(|stored| Some((stored.document.id, stored.document.next_deadline?))).collect();
    reminded.0.retain(|id, _| due.iter().any(|(other, _)| other == id));
    for (id, deadline) in due {
        if !reminded.is_news(&id, deadline, now) {
            continue;
        }
        let event = outgoing::overdue(&id, deadline, now);
        let event = event.map_err(|source| Error::Event { id: id.clone(), source })?;
        engine.publisher().publish(&event).await?;
        reminded.0.insert(id, (deadline, now));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_announced_once_until_patience_ends() {
        let id: QueueId = "wf-btcusdt-api_trades-20240801-a1b2c3".parse().unwrap();
        let mut reminded = Reminded::default();
        assert!(reminded.is_news(&id, 10, 20));
        reminded.0.insert(id.clone(), (10, 20));
        assert!(!reminded.is_news(&id, 10, 20 + PATIENCE_MILLIS - 1));
        assert!(reminded.is_news(&id, 10, 20 + PATIENCE_MILLIS));
        assert!(reminded.is_news(&id, 11, 21));
    }
}
