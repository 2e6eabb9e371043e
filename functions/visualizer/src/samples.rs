//! How many replicas each function has had and how much waits for it, for the last minutes.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use streamforge_events::Millis;
use tokio::sync::watch;

/// A quarter of an hour of seconds.
const KEPT: usize = 900;

/// What is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Takes events as they come.
    Function,
    /// Takes one task and ends.
    Job,
}

/// A start of a function that slept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColdStart {
    /// When its first worker was asked for.
    pub at: Millis,
    /// How long the oldest event had waited by then, where one did.
    pub scale_ms: Option<Millis>,
    /// How long it took from there until a worker took events, or a run of a job had claimed a task.
    pub ready_ms: Millis,
    /// How long it took from there until a first event was answered, once one was.
    pub first_event_ms: Option<Millis>,
}

/// A function or a job as the platform sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FunctionState {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Workers that take events, or runs under way, where they are counted.
    pub replicas: Option<u32>,
    /// Workers that the scaler asks for, where that is known.
    pub wanted: Option<u32>,
    /// Records that its consumer groups have yet to read.
    pub lag: u64,
    /// The most workers that it may have, where that is known.
    pub max: Option<u32>,
    /// Its last starts from zero, oldest first, where they are seen.
    pub cold_starts: Option<Vec<ColdStart>>,
}

/// One look at all functions: replicas and lag of each.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Sample {
    pub(crate) at: Millis,
    pub(crate) functions: BTreeMap<String, (Option<u32>, u64)>,
}

/// The looks of the last minutes; clones share them.
#[derive(Clone)]
pub struct Samples {
    kept: Arc<Mutex<Kept>>,
    newest: watch::Sender<Millis>,
}

#[derive(Default)]
struct Kept {
    functions: Vec<FunctionState>,
    samples: VecDeque<Arc<Sample>>,
}

impl Default for Samples {
    fn default() -> Self {
        Self { kept: Arc::default(), newest: watch::Sender::new(Millis::MIN) }
    }
}

impl Samples {
    /// Adds a look; one that is not later than the last one, as after the clock was set back, counts as just after it.
    pub fn add(&self, at: Millis, functions: Vec<FunctionState>) {
        let at = at.max(self.newest.borrow().saturating_add(1));
        let sample = functions.iter().map(|function| (function.name.clone(), (function.replicas, function.lag)));
        let sample = Arc::new(Sample { at, functions: sample.collect() });
        {
            let mut kept = self.kept();
            kept.functions = functions;
            kept.samples.push_back(sample);
            if kept.samples.len() > KEPT {
                kept.samples.pop_front();
            }
        }
        self.newest.send_replace(at);
    }

    /// The functions as they were at the last look.
    pub(crate) fn functions(&self) -> Vec<FunctionState> {
        self.kept().functions.clone()
    }

    /// The looks that are kept and later than this one, ascending.
    pub(crate) fn after(&self, at: Millis) -> VecDeque<Arc<Sample>> {
        self.kept().samples.iter().filter(|sample| sample.at > at).cloned().collect()
    }

    /// When the last look was, and the next ones will be.
    pub(crate) fn newest(&self) -> watch::Receiver<Millis> {
        self.newest.subscribe()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic while holding the lock cannot leave it half changed.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_an_hour_is_kept_and_time_only_goes_on() {
        let samples = Samples::default();
        for second in 0..1000 {
            samples.add(second * 1000, Vec::new());
        }
        assert_eq!(samples.after(Millis::MIN).len(), KEPT);
        assert_eq!(samples.after(Millis::MIN).front().map(|sample| sample.at), Some(100_000));
        samples.add(5, Vec::new());
        assert_eq!((samples.after(999_000).len(), *samples.newest().borrow()), (1, 999_001));
    }
}
