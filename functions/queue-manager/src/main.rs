//! The container's process: the engine as a function, or with `api` the API and the clock.

use std::process::ExitCode;

use queue_manager::{ApiService, QueueManager};

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("api") => streamforge_function::main(ApiService::from_config),
        _ => streamforge_function::main(QueueManager::from_config),
    }
}
