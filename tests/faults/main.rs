//! Killed in the middle: workers, and the platform with all its workers, die as after a loss of power.
//!
//! Each round has a seed, which chooses who dies and when. `STREAMFORGE_SEED=N` repeats one round.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod outcome;
mod round;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "each target needs its own part")]
mod support;

use outcome::Outcome;
use round::round;

/// Rounds in which somebody was killed; of a worker and of the platform in turn.
const ROUNDS: u64 = 6;

/// Rounds altogether, counting those whose run was over before its time had come.
const MOST_ROUNDS: u64 = 12;

#[test]
fn a_kill_in_the_middle_changes_nothing() {
    let calm = Outcome::calm();
    if let Ok(seed) = std::env::var("STREAMFORGE_SEED") {
        round(seed.parse().expect("STREAMFORGE_SEED is a number"), &calm);
        return;
    }
    let first = fastrand::u64(..1 << 32) * 2;
    let mut seeds = first..first + MOST_ROUNDS;
    let mut kills = 0;
    while kills < ROUNDS {
        let seed = seeds.next().expect("most runs are not over before their time has come");
        kills += u64::from(round(seed, &calm));
    }
}
