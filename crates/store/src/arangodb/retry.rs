//! When to try again: after pauses that double and are drawn by lot, until the caller's patience is over.

use std::time::{Duration, Instant};

use super::{ArangoOptions, failure::Failure};

/// Doublings after which the pause stays as it is.
const MOST_DOUBLINGS: u32 = 5;

/// The tries of one call.
pub(super) struct Tries {
    started: Instant,
    patience: Duration,
    pause: Duration,
    failed: u32,
}

impl Tries {
    pub(super) fn start(options: &ArangoOptions) -> Self {
        Self { started: Instant::now(), patience: options.patience, pause: options.pause, failed: 0 }
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] with the last reason once the patience is over.
    pub(super) async fn wait(&mut self, reason: &str) -> Result<(), Failure> {
        let pause = longest_pause(self.pause, self.failed).mul_f64(fastrand::f64());
        self.failed += 1;
        if self.started.elapsed() + pause > self.patience {
            let tries = self.failed;
            return Err(Failure::Unavailable(format!("{reason} (tried {tries} times)")));
        }
        tracing::debug!(reason, ?pause, "the database is asked again");
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// Callers that failed together must not come back together, so each draws its pause from nought to this.
///
/// # Source
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>
fn longest_pause(first: Duration, failed: u32) -> Duration {
    first * 2_u32.pow(failed.min(MOST_DOUBLINGS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let pauses = [0, 1, 2, 5, 6, 900].map(|failed| longest_pause(Duration::from_millis(10), failed).as_millis());
        assert_eq!(pauses, [10, 20, 40, 320, 320, 320]);
    }

    #[tokio::test]
    async fn patience_ends_with_the_last_reason() {
        let options = ArangoOptions { patience: Duration::ZERO, ..ArangoOptions::default() };
        let mut tries = Tries { pause: Duration::from_secs(9), ..Tries::start(&options) };
        // A pause of nought may be drawn, though hardly twice.
        let (first, second) = (tries.wait("first").await, tries.wait("second").await);
        assert!(matches!(first.and(second), Err(Failure::Unavailable(reason)) if reason.contains("tried")));
    }
}
