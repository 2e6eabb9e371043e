//! Real servers for tests and developers: fetched once, on loopback, each in a folder of its own.
//!
//! A server that is started for a test dies with the process that started it, however that ends; see [`Lifetime`].

mod certificates;
mod folder;
pub mod kafka;
mod ports;
pub mod postgres;
mod process;
pub mod s3;

pub use certificates::Validity;
pub use folder::cache;
pub use kafka::Kafka;
pub use postgres::Postgres;
pub use process::{Lifetime, Process, stop};
pub use s3::S3;

use std::path::Path;

/// A server that runs.
pub trait Server {
    /// The URL by which StreamForge opens it.
    fn url(&self) -> String;

    /// Its processes.
    fn pids(&self) -> Vec<u32>;

    /// Where its data and logs lie.
    fn folder(&self) -> &Path;
}

/// A password that nobody has to know.
fn secret() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(24).collect()
}
