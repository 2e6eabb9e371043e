//! Tables of lag over time and the number of workers that KEDA and the HPA would ask for.

use std::time::Duration;

use super::{Rules, State, decide};
use crate::manifest::{Behavior, KafkaTrigger, PolicyKind, ScalingPolicy, ScalingRules, SelectPolicy};

fn trigger() -> KafkaTrigger {
    KafkaTrigger {
        consumer_group: "knative-trigger-streamforge-loader".to_owned(),
        topic: Some("loader".to_owned()),
        lag_threshold: 10,
        activation_lag_threshold: 0,
        allow_idle_consumers: true,
        limit_to_partitions_with_lag: false,
    }
}

fn at_once() -> ScalingRules {
    ScalingRules { stabilization_window: Duration::ZERO, select_policy: SelectPolicy::Max, policies: Vec::new() }
}

fn policy(kind: PolicyKind, value: u32, seconds: u64) -> ScalingPolicy {
    ScalingPolicy { kind, value, period: Duration::from_secs(seconds) }
}

fn rules() -> Rules {
    let scale_down = ScalingRules { stabilization_window: Duration::from_mins(1), ..at_once() };
    Rules {
        min: 0,
        max: 10,
        cooldown: Duration::from_secs(30),
        behavior: Behavior { scale_up: at_once(), scale_down },
        triggers: vec![trigger()],
    }
}

/// Plays rows of (second, lag of each partition, expected workers).
fn play(rules: &Rules, rows: &[(u64, &[u64], u32)]) {
    let mut state = State::default();
    for (second, lag, expected) in rows {
        let desired = decide(rules, &mut state, &[lag.to_vec()], Duration::from_secs(*second));
        assert_eq!(desired, *expected, "at {second} s with lag {lag:?}: {state:?}");
        assert_eq!(state.desired(), desired);
    }
}

#[test]
fn a_sleeping_function_is_woken_with_one_and_then_grows_with_the_lag() {
    play(&rules(), &[(0, &[0, 0], 0), (1, &[55, 0], 1), (2, &[55, 0], 6), (3, &[61, 0], 7), (4, &[1_000, 1_000], 10)]);
}

#[test]
fn activation_is_strictly_above_its_threshold() {
    let rules = Rules { triggers: vec![KafkaTrigger { activation_lag_threshold: 5, ..trigger() }], ..rules() };
    play(&rules, &[(0, &[5], 0), (1, &[3, 2], 0), (2, &[6], 1), (3, &[5], 1), (33, &[5], 0)]);
}

#[test]
fn partitions_limit_the_workers_as_the_scaled_object_says() {
    let lag: &[u64] = &[95, 0, 1];
    for (allow_idle_consumers, limit_to_partitions_with_lag, expected) in
        [(true, false, 10), (false, false, 3), (false, true, 2)]
    {
        let trigger = KafkaTrigger { allow_idle_consumers, limit_to_partitions_with_lag, ..trigger() };
        let rules = Rules { triggers: vec![trigger], ..rules() };
        play(&rules, &[(0, lag, 1), (1, lag, expected)]);
    }
}

#[test]
fn zero_comes_only_after_the_cooldown_and_from_any_number() {
    play(
        &rules(),
        &[
            (0, &[100], 1),
            (1, &[100], 10),
            (2, &[0], 10),
            (30, &[0], 10),
            (31, &[0], 0),
            (32, &[0], 0),
            (33, &[1], 1),
            (62, &[0], 1),
            (63, &[0], 0),
        ],
    );
}

#[test]
fn fewer_workers_only_after_the_window_of_the_highest_recommendation() {
    play(
        &rules(),
        &[
            (0, &[100], 1),
            (1, &[100], 10),
            (10, &[40], 10),
            (40, &[20], 10),
            (61, &[20], 10),
            (62, &[20], 4),
            (70, &[20], 4),
            (71, &[20], 2),
            (72, &[5], 2),
        ],
    );
}

#[test]
fn the_minimum_is_kept_and_never_cooled_away() {
    let rules = Rules { min: 2, ..rules() };
    play(&rules, &[(0, &[0], 2), (1, &[50], 5), (500, &[0], 2), (1_000, &[0], 2)]);
}

#[test]
fn growth_follows_the_default_policies() {
    let policies = vec![policy(PolicyKind::Percent, 100, 15), policy(PolicyKind::Pods, 4, 15)];
    let mut rules = Rules { max: 40, ..rules() };
    rules.behavior.scale_up.policies = policies;
    play(
        &rules,
        &[
            (0, &[1_000], 1),
            (1, &[1_000], 5),
            (2, &[1_000], 5),
            (16, &[1_000], 10),
            (17, &[1_000], 10),
            (31, &[1_000], 20),
            (46, &[1_000], 40),
        ],
    );
}

#[test]
fn shrinking_follows_its_policies_and_may_be_switched_off() {
    let mut rules = rules();
    rules.behavior.scale_down = ScalingRules { policies: vec![policy(PolicyKind::Percent, 50, 30)], ..at_once() };
    play(&rules, &[(0, &[80], 1), (1, &[80], 8), (31, &[1], 4), (32, &[1], 4), (61, &[1], 2), (91, &[1], 1)]);
    rules.behavior.scale_down.select_policy = SelectPolicy::Disabled;
    play(&rules, &[(0, &[80], 1), (1, &[80], 8), (29, &[0], 8), (32, &[0], 0)]);
}

#[test]
fn of_several_triggers_the_one_that_wants_most_wins() {
    let rules = Rules { triggers: vec![trigger(), trigger()], ..rules() };
    let mut state = State::default();
    for (second, lags, expected) in
        [(0, [0, 1], 1), (1, [15, 45], 5), (2, [75, 45], 8), (3, [0, 0], 8), (32, [0, 0], 0)]
    {
        let lags = lags.map(|lag| vec![lag]);
        assert_eq!(decide(&rules, &mut state, &lags, Duration::from_secs(second)), expected, "at {second} s");
    }
}

#[test]
fn absurd_lag_does_not_overflow() {
    play(&rules(), &[(0, &[u64::MAX, u64::MAX], 1), (1, &[u64::MAX, u64::MAX], 10), (2, &[], 10)]);
}
