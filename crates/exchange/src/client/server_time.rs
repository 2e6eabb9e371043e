//! The exchange's clock, estimated from its own answers, so that the clock of this machine does not matter.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use streamforge_events::Millis;
use tokio::time::Instant;

/// How long an estimate is usually trusted: steady clocks drift by well under a millisecond in this time.
pub(super) const FRESH: Duration = Duration::from_mins(5);

/// One question for the time: when it was sent and answered on the steady clock, and what the answer was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) sent: Millis,
    pub(super) received: Millis,
    pub(super) server: Millis,
}

/// Server time as an offset to the steady clock of this process.
#[derive(Debug)]
pub(super) struct ServerTime {
    origin: Instant,
    estimate: Mutex<Option<Estimate>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Estimate {
    offset: Millis,
    uncertainty: Millis,
    measured: Millis,
}

impl ServerTime {
    pub(super) fn new() -> Self {
        Self { origin: Instant::now(), estimate: Mutex::new(None) }
    }

    /// Milliseconds of the steady clock.
    pub(super) fn steady(&self) -> Millis {
        Millis::try_from(self.origin.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    /// Best estimate of the server's time; before the first measurement, the steady clock.
    pub(super) fn now(&self) -> Millis {
        self.steady() + self.get().map_or(0, |estimate| estimate.offset)
    }

    /// A time that the server's clock has certainly reached.
    pub(super) fn reached(&self) -> Millis {
        self.now() - self.get().map_or(0, |estimate| estimate.uncertainty)
    }

    /// Whether there is a measurement at all.
    pub(super) fn is_known(&self) -> bool {
        self.get().is_some()
    }

    /// Whether the last measurement is not older than it is trusted.
    pub(super) fn is_fresh(&self, trusted: Duration) -> bool {
        self.get().is_some_and(|estimate| {
            u128::try_from(self.steady() - estimate.measured).is_ok_and(|age| age < trusted.as_millis())
        })
    }

    /// Takes the median of a few samples.
    pub(super) fn set(&self, samples: &[Sample]) {
        *self.estimate.lock().unwrap_or_else(PoisonError::into_inner) = median(samples);
    }

    fn get(&self) -> Option<Estimate> {
        *self.estimate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sample in the middle by offset; the answer is taken to have been given half-way through the round trip.
fn median(samples: &[Sample]) -> Option<Estimate> {
    let mut estimates: Vec<Estimate> = samples
        .iter()
        .map(|sample| {
            let half = (sample.received - sample.sent) / 2;
            Estimate { offset: sample.server - (sample.sent + half), uncertainty: half + 1, measured: sample.received }
        })
        .collect();
    estimates.sort_unstable_by_key(|estimate| estimate.offset);
    estimates.get(estimates.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_one_slow_answer() {
        let sample = |sent, received, server| Sample { sent, received, server };
        let samples = [sample(0, 10, 1_000_005), sample(20, 2_020, 1_000_030), sample(2_030, 2_050, 1_002_040)];
        let estimate = median(&samples).unwrap();
        assert_eq!((estimate.offset, estimate.uncertainty), (1_000_000, 6));
        assert_eq!(median(&[]), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_estimate_moves_on_and_grows_old() {
        let time = ServerTime::new();
        assert!(!time.is_known());
        time.set(&[Sample { sent: 0, received: 0, server: 5_000 }]);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!((time.now(), time.reached(), time.is_fresh(FRESH)), (7_000, 6_999, true));
        tokio::time::advance(FRESH).await;
        assert!(!time.is_fresh(FRESH));
    }
}
