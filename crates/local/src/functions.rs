//! The functions that this binary can serve, by name.

use std::{num::NonZeroUsize, process::ExitCode};

use arango_connector::Connector;
use bookkeeper::Bookkeeper;
use dummy_service::Dummy;
use graph_builder::GraphBuilder;
use loader_api_candles::CandleLoader;
use loader_api_trades::TradeLoader;
use predictor::Predictor;
use queue_manager::QueueManager;
use streamforge_function::{Function, Setting, main};

/// A function that this binary can serve.
struct Entry {
    name: &'static str,
    settings: &'static [Setting],
    main: fn() -> ExitCode,
}

const fn entry<F: Function>(main: fn() -> ExitCode) -> Entry {
    Entry { name: F::NAME, settings: F::SETTINGS, main }
}

const ENTRIES: &[Entry] = &[
    entry::<Connector>(|| main(Connector::from_config)),
    entry::<Bookkeeper>(|| main(Bookkeeper::from_config)),
    entry::<Dummy>(|| main(Dummy::from_config)),
    entry::<GraphBuilder>(|| main(GraphBuilder::from_config)),
    entry::<CandleLoader>(|| main(CandleLoader::from_config)),
    entry::<TradeLoader>(|| main(TradeLoader::from_config)),
    entry::<Predictor>(|| main(Predictor::from_config)),
    entry::<QueueManager>(|| main(QueueManager::from_config)),
];

/// The variable that says how many events a worker takes at once; it answers 429 to more.
pub const MAX_IN_FLIGHT: &str = "STREAMFORGE_MAX_IN_FLIGHT";

/// Names of the functions that this binary can serve.
pub const NAMES: [&str; ENTRIES.len()] = {
    let mut names = [""; ENTRIES.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = ENTRIES[index].name;
        index += 1;
    }
    names
};

/// Whether a function reads an environment variable; with our prefix it refuses any other.
#[must_use]
pub fn reads_variable(function: &str, variable: &str) -> bool {
    let own = ENTRIES.iter().filter(|entry| entry.name == function).flat_map(|entry| entry.settings);
    streamforge_function::VARIABLES.iter().chain(own).any(|setting| setting.name == variable)
}

/// How many events a worker takes at once where its environment does not say.
#[must_use]
pub fn default_in_flight() -> Option<NonZeroUsize> {
    let setting = streamforge_function::VARIABLES.iter().find(|setting| setting.name == MAX_IN_FLIGHT)?;
    setting.default?.parse().ok()
}

/// Serves a function until it is told to stop; none if the name is not known.
#[must_use]
pub fn serve(name: &str) -> Option<ExitCode> {
    let entry = ENTRIES.iter().find(|entry| entry.name == name)?;
    Some((entry.main)())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_know_their_variables() {
        assert!(NAMES.contains(&"queue-manager"));
        assert!(reads_variable("queue-manager", "STREAMFORGE_DEADLINE"));
        assert!(!reads_variable("queue-manager", "STREAMFORGE_DATA_DIR"));
        assert!(default_in_flight().is_some());
    }
}
