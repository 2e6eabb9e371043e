//! Waits between the tries of a delivery.

use std::time::Duration;

use crate::manifest::BackoffPolicy;

/// Growth and unit of the waits.
///
/// # Source
/// <https://github.com/knative-extensions/eventing-kafka-broker/blob/main/proto/contract.proto>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// How waits grow.
    pub policy: BackoffPolicy,
    /// The unit.
    pub delay: Duration,
}

impl Backoff {
    /// The wait before retry number `retry`, which counts from 1.
    #[must_use]
    pub fn wait(&self, retry: u32) -> Duration {
        let factor = match self.policy {
            BackoffPolicy::Linear => retry,
            BackoffPolicy::Exponential => 2_u32.saturating_pow(retry),
        };
        self.delay.saturating_mul(factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_by_policy_and_never_overflow() {
        let delay = Duration::from_millis(200);
        let waits = |policy| {
            let backoff = Backoff { policy, delay };
            [1, 2, 3, 4].map(|retry| backoff.wait(retry).as_millis())
        };
        assert_eq!(waits(BackoffPolicy::Linear), [200, 400, 600, 800]);
        assert_eq!(waits(BackoffPolicy::Exponential), [400, 800, 1600, 3200]);
        let endless = Backoff { policy: BackoffPolicy::Exponential, delay: Duration::MAX };
        assert_eq!(endless.wait(u32::MAX), Duration::MAX);
    }
}
