//! A disk that gets full: the platform says so, refuses, loses nothing, and goes on once there is space again.

use std::fs;

use fastrand::Rng;
use serde_json::Value;

use crate::{
    outcome::{Outcome, exchange, request},
    small_disk::SmallDisk,
    support::{Answer, until},
};

const ROUNDS: usize = 3;

#[test]
fn a_full_disk_delays_and_nothing_else() {
    let calm = Outcome::calm();
    let seed = fastrand::u64(..1 << 32);
    for round in 0..ROUNDS {
        fill_once(seed + round as u64, &calm);
    }
}

fn fill_once(seed: u64, calm: &Outcome) {
    let mut random = Rng::with_seed(seed);
    let exchange = exchange();
    let disk = SmallDisk::new();
    let request = request(disk.folder());
    let data = disk.data().display().to_string();
    let mut run = disk.start(&["run", &request, "--exchange", exchange.url(), "--json", "--data-dir", &data]);
    let moment = random.u64(1..calm.requests);
    let round = format!("seed {seed}: {} full after request {moment} of {}", disk.kind(), calm.requests);
    eprintln!("{round}");
    until("a moment", || (exchange.requests() >= moment).then_some(()));
    let state = fs::read(disk.seen_from_here("platform.json")).unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    disk.fill(&run);
    let words = disk.words();
    until("the platform to say that the disk is full", || {
        assert!(run.is_running(), "{round}: {}", run.said());
        run.said().lines().any(|line| words.iter().all(|words| line.contains(words.as_str()))).then_some(())
    });
    assert_eq!(publish(state["ingress_url"].as_str().unwrap()), 503, "{round}");
    disk.free(&run);
    let ended = run.wait();
    assert_eq!(ended.code, Some(0), "{round}: {ended:?}");
    disk.bring_home();
    calm.assert_same(&Outcome::read(disk.folder(), &ended.last_json(), exchange.requests()), &round);
}

/// Publishes an event that nobody wants and that is too large for what little space a log has in reserve.
fn publish(ingress: &str) -> u16 {
    let headers =
        [("ce-specversion", "1.0"), ("ce-id", "large"), ("ce-source", "/tests"), ("ce-type", "io.example.large.v1")];
    let body = format!("\"{}\"", "x".repeat(900_000));
    Answer::post(&format!("{ingress}/streamforge/dummy-service"), &headers, &body).status
}
