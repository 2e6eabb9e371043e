//! Killed, frozen, told to go, out of space, many at once, with a wrong clock: the end is that of a calm run.
//!
//! What happens in a round follows from its seed; `STREAMFORGE_SEED=N` repeats one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod clock;
mod damage;
mod disk;
mod fault;
mod many;
mod older;
mod outcome;
mod round;
mod sharing;
mod small_disk;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "each target needs its own part")]
mod support;
mod told_platforms;
mod told_workers;
mod wiring;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use outcome::Outcome;
use round::{ROUNDS, round};

/// Rounds at once; most of a round is waiting.
const AT_ONCE: usize = 3;

/// Seeds tried until one of them strikes in time.
const SEEDS: u64 = 6;

#[test]
fn whatever_is_killed_the_end_is_the_same() {
    let calm = Outcome::calm();
    if let Ok(seed) = std::env::var("STREAMFORGE_SEED") {
        round(seed.parse().expect("STREAMFORGE_SEED is a number"), &calm);
        return;
    }
    let first = fastrand::u64(..1 << 32) * ROUNDS;
    let next = AtomicU64::new(0);
    let play = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= ROUNDS {
                return;
            }
            // The remainder chooses the round, so these seeds are further tries of the same one.
            let mut seeds = (0..SEEDS).map(|attempt| first + number + attempt * ROUNDS);
            assert!(seeds.any(|seed| round(seed, &calm)), "most runs are not over before their time has come");
        }
    };
    thread::scope(|scope| {
        let players: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(play)).collect();
        for player in players {
            if let Err(panic) = player.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}
