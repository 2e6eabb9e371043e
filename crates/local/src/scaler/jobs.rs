//! KEDA's arithmetic of jobs: from the lag and the runs that there are to how many runs are to be started.

use super::{total, wanted};
use crate::manifest::{JobStrategy, KafkaTrigger, ScaledJob};

/// What a `ScaledJob` says about scaling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRules {
    /// Most runs at once.
    pub max: u32,
    /// How runs that there are count against the lag.
    pub strategy: JobStrategy,
    /// The lags that count; the one that asks for the most runs wins.
    pub triggers: Vec<KafkaTrigger>,
}

impl From<&ScaledJob> for JobRules {
    fn from(job: &ScaledJob) -> Self {
        Self { max: job.max_replica_count, strategy: job.strategy, triggers: job.triggers.clone() }
    }
}

/// Returns how many runs are to be started, when `running` have not ended and `pending` of them have not begun their
/// work.
///
/// `lags` has an entry for each trigger of the rules, and in it one for each partition of the topic.
///
/// # Source
/// `GetEffectiveMaxScale` of the strategies in KEDA's `pkg/scaling/executor/scale_jobs.go`:
/// <https://github.com/kedacore/keda/blob/v2.20.2/pkg/scaling/executor/scale_jobs.go>
#[must_use]
pub fn runs_to_start(rules: &JobRules, lags: &[Vec<u64>], running: u32, pending: u32) -> u32 {
    let active = rules.triggers.iter().zip(lags).filter(|(trigger, lag)| total(lag) > trigger.activation_lag_threshold);
    let asked = active.map(|(trigger, lag)| wanted(trigger, lag)).max().unwrap_or_default();
    let scale = u32::try_from(asked.min(u64::from(rules.max))).unwrap_or(rules.max);
    let free = rules.max.saturating_sub(running);
    match rules.strategy {
        // What is at work is still in the lag.
        JobStrategy::Default => scale.saturating_sub(running).min(free),
        // What is at work has left the lag, what is pending has not.
        JobStrategy::Accurate => scale.saturating_sub(pending).min(free),
        JobStrategy::Eager => scale.min(free.saturating_sub(pending)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_strategy_counts_what_is_there_in_its_way() {
        use JobStrategy::{Accurate, Default, Eager};
        let cases = [
            // strategy, lag, running, pending: to start
            (Accurate, 0, 0, 0, 0),
            (Accurate, 3, 0, 0, 3),
            (Accurate, 3, 2, 2, 1),
            // Two are at work and have left the lag.
            (Accurate, 3, 2, 0, 3),
            (Accurate, 9, 4, 0, 1),
            (Accurate, 9, 5, 0, 0),
            (Accurate, 1, 3, 1, 0),
            (Accurate, 9, 7, 0, 0),
            (Default, 3, 2, 0, 1),
            (Default, 3, 3, 3, 0),
            (Default, 9, 4, 0, 1),
            (Eager, 3, 2, 1, 2),
            (Eager, 9, 4, 1, 0),
        ];
        for (strategy, lag, running, pending, expected) in cases {
            let trigger = KafkaTrigger {
                consumer_group: "job".to_owned(),
                topic: Some("job".to_owned()),
                lag_threshold: 1,
                activation_lag_threshold: 0,
                allow_idle_consumers: true,
                limit_to_partitions_with_lag: false,
            };
            let rules = JobRules { max: 5, strategy, triggers: vec![trigger] };
            let started = runs_to_start(&rules, &[vec![lag, 0]], running, pending);
            assert_eq!(started, expected, "{strategy:?} at lag {lag} with {running} running, {pending} pending");
        }
    }
}
