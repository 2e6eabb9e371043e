//! Rate policies of the HPA's `behavior` block: how far the number of workers may move within a period.

use std::{collections::VecDeque, time::Duration};

use crate::manifest::{PolicyKind, ScalingRules, SelectPolicy};

/// A change of the number of workers and when it was made.
pub(super) type Step = (Duration, i64);

pub(super) fn longest_period(rules: &ScalingRules) -> Duration {
    rules.policies.iter().map(|policy| policy.period).max().unwrap_or_default()
}

/// Returns the most workers that the policies allow.
pub(super) fn ceiling(rules: &ScalingRules, current: u32, steps: &VecDeque<Step>, now: Duration) -> u32 {
    let limits = limits(rules, current, steps, now, u32::saturating_add).into_iter();
    match rules.select_policy {
        SelectPolicy::Max => limits.max().unwrap_or(u32::MAX),
        SelectPolicy::Min => limits.min().unwrap_or(u32::MAX),
        SelectPolicy::Disabled => current,
    }
}

/// Returns the fewest workers that the policies allow.
pub(super) fn floor(rules: &ScalingRules, current: u32, steps: &VecDeque<Step>, now: Duration) -> u32 {
    let limits = limits(rules, current, steps, now, u32::saturating_sub).into_iter();
    match rules.select_policy {
        SelectPolicy::Max => limits.min().unwrap_or(0),
        SelectPolicy::Min => limits.max().unwrap_or(0),
        SelectPolicy::Disabled => current,
    }
}

/// Computes each policy's limit from the number of workers at the start of its period.
fn limits(
    rules: &ScalingRules,
    current: u32,
    steps: &VecDeque<Step>,
    now: Duration,
    apply: fn(u32, u32) -> u32,
) -> Vec<u32> {
    let limit = |policy: &crate::manifest::ScalingPolicy| {
        let recent = steps.iter().filter(|(at, _)| now.saturating_sub(*at) < policy.period);
        let moved: i64 = recent.map(|(_, step)| *step).sum();
        let start = u32::try_from((i64::from(current) - moved).max(0)).unwrap_or(u32::MAX);
        let change = match policy.kind {
            PolicyKind::Pods => policy.value,
            PolicyKind::Percent => {
                let exact = u64::from(start) * u64::from(policy.value);
                u32::try_from(exact.div_ceil(100)).unwrap_or(u32::MAX)
            }
        };
        apply(start, change)
    };
    rules.policies.iter().map(limit).collect()
}
