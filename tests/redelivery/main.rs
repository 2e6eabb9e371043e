//! Delivered again: the whole log from its beginning, everything twice in any order, and with answers that get lost.
//!
//! Orders are drawn from a seed. `STREAMFORGE_SEED=N` repeats one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod functions;
mod loaders;
mod log;
mod outcome;
#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each target needs its own part")]
mod support;
mod whole_log;
mod whole_way;

/// The seed that was asked for, or a new one; told, so that a failure can be repeated.
fn seed() -> u64 {
    let asked = std::env::var("STREAMFORGE_SEED").ok();
    let seed = asked.map_or_else(|| fastrand::u64(..1 << 32), |seed| seed.parse().unwrap());
    eprintln!("STREAMFORGE_SEED={seed}");
    seed
}
