//! The log on a real Kafka, which the tests start once and which goes with them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod brokers;
mod cluster;
mod gone;
mod interoperability;
mod security;

use cluster::fresh;
use streamforge_bus::{KafkaBus, bus_contract};

async fn open() -> (KafkaBus, cluster::Turn) {
    fresh().await
}

bus_contract!(crate::open);
