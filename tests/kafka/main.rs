//! The platform with its event log on a real Kafka: the same end as with the log in its folder, and members that come and go.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod shared;
#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each target needs its own part")]
mod support;
mod whole;

use streamforge_servers::{Kafka, kafka::Settings};

/// A Kafka of a test's own: topics have the names of the manifests, so two platforms would be one.
fn kafka() -> Kafka {
    Kafka::start(&Settings::default()).expect("a Kafka for the test")
}
