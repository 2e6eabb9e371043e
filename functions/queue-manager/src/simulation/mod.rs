//! Whole workflows on a simulated clock: the real planner, reducer and outbox among handlers, workers, a connector and
//! a log that fail in every way they can.
//!
//! Each run has a seed. `STREAMFORGE_SEED=N cargo test -p queue-manager --lib simulation -- --nocapture` repeats run N
//! and tells what happened.

mod faults;
mod handler;
mod judge;
mod market;
mod worker;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use judge::Counts;
use world::World;

/// Runs in the test, each with a seed of its own.
const RUNS: u64 = 2_000;

#[test]
fn every_workflow_ends_once_and_only_what_is_stored_is_finished() {
    if let Ok(seed) = std::env::var("STREAMFORGE_SEED") {
        let seed = seed.parse().expect("STREAMFORGE_SEED is a number");
        eprintln!("{:?}", World::new(seed, true).run());
        return;
    }
    let mut seen = Counts::default();
    for seed in 0..RUNS {
        let run = catch_unwind(AssertUnwindSafe(|| World::new(seed, false).run()));
        let Ok(counts) = run else {
            panic!("run it again: STREAMFORGE_SEED={seed} cargo test -p queue-manager --lib simulation -- --nocapture");
        };
        seen.add(counts);
    }
    eprintln!("{seen:?}");
    assert_not_vacuous(&seen);
}

/// A simulation in which nothing goes wrong, or everything, shows nothing.
fn assert_not_vacuous(seen: &Counts) {
    for (end, least) in [("finished", RUNS / 2), ("stopped", RUNS / 20), ("error", RUNS / 50)] {
        assert!(seen.ends.get(end).is_some_and(|&count| count >= least), "{seen:?}");
    }
    assert_eq!(seen.ends.values().sum::<u64>(), RUNS);
    for temper in ["honest", "dead", "back from the dead", "liar", "failing", "interrupted"] {
        assert!(seen.tempers.get(temper).is_some_and(|&count| count >= RUNS / 10), "{seen:?}");
    }
    assert!(seen.trained >= RUNS / 20 && seen.live >= RUNS / 50, "{seen:?}");
    assert!(seen.listened >= RUNS / 50 && seen.handed_on >= RUNS / 20 && seen.beyond >= RUNS / 50, "{seen:?}");
    for count in [seen.lost, seen.lost_answers, seen.crashes, seen.races, seen.repeats, seen.fenced, seen.late] {
        assert!(count >= RUNS / 4, "{seen:?}");
    }
}
