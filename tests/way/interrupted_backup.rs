//! Backups and restores that are killed at any moment: what is listed is whole, and the same command again is fine.

use std::{
    env, thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    backup::{Home, filled},
    support::Running,
};

/// How often each command is killed.
const STRIKES: usize = 3;

/// Kills the process at a random moment before the time that a calm one takes; false if it was faster.
fn strike(process: &mut Running, calm: Duration, random: &mut fastrand::Rng) -> bool {
    thread::sleep(calm.mul_f64(random.f64()));
    let was_running = process.is_running();
    process.kill();
    was_running
}

/// What tells whether a restore has come to its end: rows, and the models and workflows that come after them.
fn essence(home: &Home) -> Vec<String> {
    let klines = ["BTCUSDT", "ETHUSDT"].map(|symbol| home.folder.candles(symbol, "15m"));
    let lists = [["models", "list"], ["queues", "list"]].map(|command| home.command(&command).succeeded());
    [klines, lists].concat()
}

#[test]
fn whatever_is_killed_the_same_command_again_brings_everything() {
    let seed = env::var("STREAMFORGE_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("STREAMFORGE_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let home = filled("2026-01-01:2026-03-20");
    let expected = essence(&home);
    let timed = |home: &Home, arguments: &[&str]| {
        let started = Instant::now();
        let value = home.json(arguments);
        (started.elapsed(), value)
    };
    let place = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("file:{}", place.path().join(name).display());

    let (calm, whole) = timed(&home, &["backup", "create", "--to", &url("calm"), "--name", "b"]);
    let mut struck = 0;
    for round in 0..STRIKES {
        let name = format!("struck-{round}");
        let mut create = home.start(&["backup", "create", "--to", &url("struck"), "--name", &name]);
        struck += usize::from(strike(&mut create, calm, &mut random));
    }
    assert!(struck > 0, "STREAMFORGE_SEED={seed}: nothing was struck");
    let last = home.json(&["backup", "create", "--to", &url("struck"), "--name", "last"]);
    assert_eq!((&last["rows"], &last["bytes"]), (&whole["rows"], &whole["bytes"]), "STREAMFORGE_SEED={seed}");
    let listed = home.json(&["backup", "list", "--from", &url("struck")]);
    for backup in listed.as_array().unwrap() {
        assert_eq!(backup["rows"], whole["rows"], "STREAMFORGE_SEED={seed}: {backup}");
        let other = Home::new();
        other.json(&["backup", "restore", backup["name"].as_str().unwrap(), "--from", &url("struck")]);
        assert!(essence(&other) == expected, "STREAMFORGE_SEED={seed}: {backup}");
    }

    let restore = ["backup", "restore", "b", "--from", &url("calm")];
    let (calm, _): (Duration, Value) = timed(&Home::new(), &restore);
    let mut struck = 0;
    for _ in 0..STRIKES {
        let other = Home::new();
        struck += usize::from(strike(&mut other.start(&restore), calm, &mut random));
        struck += usize::from(strike(&mut other.start(&restore), calm, &mut random));
        other.json(&restore);
        assert!(essence(&other) == expected, "STREAMFORGE_SEED={seed}");
    }
    assert!(struck > 0, "STREAMFORGE_SEED={seed}: nothing was struck");
}
