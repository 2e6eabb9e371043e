//! The clock: reminds the engine of workflows that fell due, so that the engine itself can sleep at zero.

use std::{collections::BTreeMap, time::Duration};

use streamforge_events::{Millis, QueueId};
use tokio::time::Instant;

use crate::{
    engine::{Engine, Error},
    outgoing,
};

/// How long the engine has for an answer before it is reminded of the same deadline again.
const PATIENCE: Duration = Duration::from_secs(30);

/// By how much the clock may fall behind a steady one between two looks without having been set back.
///
/// # Units
/// Milliseconds.
const TOLERANCE: i128 = 500;

/// Looks every `interval` for overdue workflows and publishes `workflow.overdue` for each, until `shutdown` resolves.
///
/// At the start and after the clock was set back every live workflow is reminded, whatever its deadline: it may have
/// been counted from a time that is yet to come again.
/// A failure is logged and tried again at the next turn. Several clocks may run: their reminders have the
/// same ids and the engine takes them as often as they come.
pub async fn run(engine: Engine, interval: Duration, shutdown: impl Future<Output = ()>) {
    let mut reminded = Reminded::default();
    let mut clock = Clock::default();
    let turns = async {
        loop {
            clock.look(engine.now(), Instant::now());
            match turn(&engine, &mut reminded, clock.horizon()).await {
                Ok(()) => clock.is_doubtful = false,
                Err(error) => tracing::warn!(%error, "overdue workflows could not be reminded"),
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
struct Reminded(BTreeMap<QueueId, (Millis, Instant)>);

impl Reminded {
    /// Whether this deadline has to be announced at `now`.
    fn is_news(&self, id: &QueueId, deadline: Millis, now: Instant) -> bool {
        self.0.get(id).is_none_or(|&(known, at)| known != deadline || now - at >= PATIENCE)
    }
}

/// The clock that deadlines are counted by, watched against a steady one.
#[derive(Debug)]
struct Clock {
    last: Option<(Millis, Instant)>,
    is_doubtful: bool,
}

impl Default for Clock {
    /// Nobody knows what happened to the clock while no process looked.
    fn default() -> Self {
        Self { last: None, is_doubtful: true }
    }
}

impl Clock {
    fn look(&mut self, now: Millis, steady: Instant) {
        if let Some((before, at)) = self.last {
            let passed = i128::try_from((steady - at).as_millis()).unwrap_or(i128::MAX);
            if i128::from(now) - i128::from(before) < passed.saturating_sub(TOLERANCE) {
                tracing::warn!(before, now, "the clock was set back; live workflows are looked at");
                self.is_doubtful = true;
            }
        }
        self.last = Some((now, steady));
    }

    /// Up to which deadline workflows are reminded.
    fn horizon(&self) -> Millis {
        match self.last {
            Some((now, _)) if !self.is_doubtful => now,
            _ => Millis::MAX,
        }
    }
}

async fn turn(engine: &Engine, reminded: &mut Reminded, horizon: Millis) -> Result<(), Error> {
    let now = Instant::now();
    let overdue = engine.store().overdue(horizon).await?;
    let due: Vec<(QueueId, Millis)> =
        overdue.into_iter().filter_map(|stored| Some((stored.document.id, stored.document.next_deadline?))).collect();
    reminded.0.retain(|id, _| due.iter().any(|(other, _)| other == id));
    for (id, deadline) in due {
        if !reminded.is_news(&id, deadline, now) {
            continue;
        }
        let event = outgoing::overdue(&id, deadline, engine.now());
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
        let now = Instant::now();
        assert!(reminded.is_news(&id, 10, now));
        reminded.0.insert(id.clone(), (10, now));
        assert!(!reminded.is_news(&id, 10, now + PATIENCE.saturating_sub(Duration::from_millis(1))));
        assert!(reminded.is_news(&id, 10, now + PATIENCE));
        assert!(reminded.is_news(&id, 11, now));
    }

    #[test]
    fn a_clock_is_doubted_at_the_start_and_when_it_was_set_back() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut clock = Clock::default();
        clock.look(5_000, at(0));
        assert_eq!(clock.horizon(), Millis::MAX);
        clock.is_doubtful = false;
        clock.look(5_900, at(1_000));
        assert_eq!(clock.horizon(), 5_900);
        clock.look(5_900 + 3_600_000, at(2_000));
        assert_eq!(clock.horizon(), 5_900 + 3_600_000);
        clock.look(6_000, at(3_000));
        assert_eq!(clock.horizon(), Millis::MAX);
    }
}
