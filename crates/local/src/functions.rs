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
use streamforge_function::{Function as _, Setting, main};

/// A function that this binary can serve.
struct Entry {
    name: &'static str,
    settings: &'static [Setting],
    main: fn() -> ExitCode,
}

const ENTRIES: [Entry; 8] = [
    Entry { name: Connector::NAME, settings: Connector::SETTINGS, main: || main(Connector::from_config) },
    Entry { name: Bookkeeper::NAME, settings: Bookkeeper::SETTINGS, main: || main(Bookkeeper::from_config) },
    Entry { name: Dummy::NAME, settings: Dummy::SETTINGS, main: || main(Dummy::from_config) },
    Entry { name: GraphBuilder::NAME, settings: GraphBuilder::SETTINGS, main: || main(GraphBuilder::from_config) },
    Entry { name: CandleLoader::NAME, settings: CandleLoader::SETTINGS, main: || main(CandleLoader::from_config) },
    Entry { name: TradeLoader::NAME, settings: TradeLoader::SETTINGS, main: || main(TradeLoader::from_config) },
    Entry { name: Predictor::NAME, settings: Predictor::SETTINGS, main: || main(Predictor::from_config) },
    Entry { name: QueueManager::NAME, settings: QueueManager::SETTINGS, main: || main(QueueManager::from_config) },
];

/// The variable that says how many events a worker takes at once; it answers 429 to more.
pub const MAX_IN_FLIGHT: &str = "STREAMFORGE_MAX_IN_FLIGHT";

/// Names of the functions that this binary can serve.
pub const NAMES: [&str; 8] = [
    ENTRIES[0].name,
    ENTRIES[1].name,
    ENTRIES[2].name,
    ENTRIES[3].name,
    ENTRIES[4].name,
    ENTRIES[5].name,
    ENTRIES[6].name,
    ENTRIES[7].name,
];

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
