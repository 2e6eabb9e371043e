//! The `SQLite` log keeps the contract of the bus.

use streamforge_bus::{SqliteBus, bus_contract};
use tempfile::TempDir;

#[expect(clippy::unused_async, reason = "other backends open asynchronously")]
async fn open() -> (SqliteBus, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let bus = SqliteBus::open(&folder.path().join("bus.db")).expect("a log");
    (bus, folder)
}

bus_contract!(crate::open, deletes_when_told);
