//! KEDA's arithmetic: from the lag of consumer groups to the number of workers, as a pure state machine.
//!
//! Two controllers share the work on a cluster, and both are here: KEDA itself switches between zero and
//! one, the horizontal pod autoscaler (HPA) moves between one and the maximum.
//! The HPA's tolerance of 10 % and its waiting for pods that are not ready are deliberately absent: they smooth
//! noisy metrics of large fleets and would only make a single machine sluggish.

mod behavior;
mod fair;
mod jobs;

use std::{collections::VecDeque, time::Duration};

use crate::manifest::{Behavior, KafkaTrigger, ScaledObject};
use behavior::Step;

pub use fair::share;
pub use jobs::{JobRules, runs_to_start};

/// What a `ScaledObject` says about scaling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Fewest workers; zero lets the function go to sleep.
    pub min: u32,
    /// Most workers.
    pub max: u32,
    /// Time after the last active evaluation before the step to zero.
    pub cooldown: Duration,
    /// How fast the number of workers may grow and shrink.
    pub behavior: Behavior,
    /// The lags that count; the one that asks for the most workers wins.
    pub triggers: Vec<KafkaTrigger>,
}

impl From<&ScaledObject> for Rules {
    fn from(scaled: &ScaledObject) -> Self {
        Self {
            min: scaled.min_replica_count,
            max: scaled.max_replica_count,
            cooldown: scaled.cooldown_period,
            behavior: scaled.behavior.clone(),
            triggers: scaled.triggers.clone(),
        }
    }
}

impl Rules {
    /// Returns the HPA's recommendation: never below one.
    fn recommend(&self, lags: &[Vec<u64>]) -> u32 {
        let wanted = self.triggers.iter().zip(lags).map(|(trigger, lag)| wanted(trigger, lag)).max();
        let bounded = wanted.unwrap_or(0).min(u64::from(self.max));
        u32::try_from(bounded).unwrap_or(self.max).max(self.min).max(1)
    }

    fn is_active(&self, lags: &[Vec<u64>]) -> bool {
        self.triggers.iter().zip(lags).any(|(trigger, lag)| total(lag) > trigger.activation_lag_threshold)
    }
}

fn total(lag: &[u64]) -> u64 {
    lag.iter().fold(0, |sum, part| sum.saturating_add(*part))
}

/// Returns how many workers one lag asks for.
fn wanted(trigger: &KafkaTrigger, lag: &[u64]) -> u64 {
    let wanted = total(lag).div_ceil(trigger.lag_threshold.max(1));
    if trigger.limit_to_partitions_with_lag {
        return wanted.min(lag.iter().filter(|part| **part > 0).count() as u64);
    }
    if trigger.allow_idle_consumers {
        return wanted;
    }
    wanted.min(lag.len() as u64)
}

/// What a scaler remembers between two evaluations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    desired: u32,
    last_active: Option<Duration>,
    /// Earlier recommendations, for the stabilization windows.
    recommendations: VecDeque<(Duration, u32)>,
    /// Steps taken by the HPA, for the rate policies.
    steps: VecDeque<Step>,
}

impl State {
    /// Returns the number of workers that the last evaluation asked for.
    #[must_use]
    pub fn desired(&self) -> u32 {
        self.desired
    }
}

/// Decides how many workers there should be, and remembers it in `state`.
///
/// `lags` has an entry for each trigger of the rules, and in it one for each partition of the topic; `now` is the
/// time since any fixed start.
pub fn decide(rules: &Rules, state: &mut State, lags: &[Vec<u64>], now: Duration) -> u32 {
    let is_active = rules.is_active(lags);
    if is_active {
        state.last_active = Some(now);
    }
    if state.desired == 0 {
        // KEDA wakes a sleeping function with one worker (or the minimum); the HPA takes over from there.
        let woken = if is_active { rules.min.max(1) } else { rules.min };
        state.desired = woken.min(rules.max);
        return state.desired;
    }
    if !is_active && rules.min == 0 && has_cooled_down(rules, state, now) {
        *state = State { last_active: state.last_active, ..State::default() };
        return 0;
    }
    state.desired = stabilized(rules, state, rules.recommend(lags), now);
    state.desired
}

fn has_cooled_down(rules: &Rules, state: &State, now: Duration) -> bool {
    state.last_active.is_none_or(|last| now.saturating_sub(last) >= rules.cooldown)
}

/// Applies the HPA's windows and policies to a recommendation.
///
/// # Source
/// `kubernetes/pkg/controller/podautoscaler/horizontal.go`, `stabilizeRecommendationWithBehaviors` and
/// `convertDesiredReplicasWithBehaviorRate`.
fn stabilized(rules: &Rules, state: &mut State, recommendation: u32, now: Duration) -> u32 {
    let (scale_up, scale_down) = (&rules.behavior.scale_up, &rules.behavior.scale_down);
    let longest = scale_up.stabilization_window.max(scale_down.stabilization_window);
    state.recommendations.push_back((now, recommendation));
    while state.recommendations.front().is_some_and(|(at, _)| now.saturating_sub(*at) > longest) {
        state.recommendations.pop_front();
    }
    let within = |window: Duration| {
        let recent = state.recommendations.iter().filter(move |(at, _)| now.saturating_sub(*at) <= window);
        recent.map(|(_, count)| *count)
    };
    let up = within(scale_up.stabilization_window).min().unwrap_or(recommendation);
    let down = within(scale_down.stabilization_window).max().unwrap_or(recommendation);
    let current = state.desired;
    let stable = current.max(up).min(down.max(up));

    let longest = behavior::longest_period(scale_up).max(behavior::longest_period(scale_down));
    while state.steps.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= longest) {
        state.steps.pop_front();
    }
    let limited = if stable > current {
        stable.min(behavior::ceiling(scale_up, current, &state.steps, now)).max(current)
    } else {
        stable.max(behavior::floor(scale_down, current, &state.steps, now)).min(current)
    };
    let bounded = limited.max(rules.min).max(1).min(rules.max.max(1));
    if bounded != current {
        state.steps.push_back((now, i64::from(bounded) - i64::from(current)));
    }
    bounded
}

#[cfg(test)]
mod tests;
