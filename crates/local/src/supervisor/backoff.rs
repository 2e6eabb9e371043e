//! How long to wait before a function that keeps crashing is started again.

use std::time::Duration;

use tokio::time::Instant;

/// A worker that lived this long was healthy; its end begins a new count.
const HEALTHY: Duration = Duration::from_secs(10);
const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Counts the crashes of a function in a row.
#[derive(Debug, Default)]
pub(crate) struct CrashLoop {
    in_a_row: u32,
    blocked_until: Option<Instant>,
}

impl CrashLoop {
    /// Notes the end of a worker that `lived` so long, and returns the delay before the next start.
    pub(crate) fn note(&mut self, lived: Duration, now: Instant) -> Duration {
        self.in_a_row = if lived >= HEALTHY { 1 } else { self.in_a_row.saturating_add(1) };
        let delay = delay(self.in_a_row);
        self.blocked_until = Some(now + delay);
        delay
    }

    /// Returns until when no worker may be started.
    pub(super) fn wait_until(&self, now: Instant) -> Option<Instant> {
        self.blocked_until.filter(|until| *until > now)
    }
}

/// The first crash costs nothing, since anything may die once; then the delay doubles.
fn delay(in_a_row: u32) -> Duration {
    match in_a_row {
        0 | 1 => Duration::ZERO,
        many => {
            let factor = 2_u32.saturating_pow(many - 2);
            FIRST_DELAY.saturating_mul(factor).min(LONGEST_DELAY)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let millis: Vec<u128> = [0, 1, 2, 3, 4, 7, 8, 9, u32::MAX].map(|n| delay(n).as_millis()).to_vec();
        assert_eq!(millis, [0, 0, 500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000]);
    }

    #[test]
    fn a_healthy_life_begins_a_new_count() {
        let now = Instant::now();
        let mut crash_loop = CrashLoop::default();
        assert_eq!(crash_loop.wait_until(now), None);
        for expected in [0, 500, 1_000] {
            assert_eq!(crash_loop.note(Duration::ZERO, now).as_millis(), expected);
        }
        assert_eq!(crash_loop.wait_until(now), Some(now + Duration::from_secs(1)));
        assert_eq!(crash_loop.note(HEALTHY, now), Duration::ZERO);
        assert_eq!(crash_loop.wait_until(now), None);
    }
}
