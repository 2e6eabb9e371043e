//! A model that is ready to predict: its card, checked, and its network, open.

use std::collections::BTreeSet;

use streamforge_dataset::Card;
use streamforge_events::{Interval, Symbol};
use streamforge_store::{Model, ModelManifest};

use crate::{
    Error, Runtime,
    network::{Network, Size},
};

/// A model whose files were checked.
pub(crate) struct ReadyModel {
    pub(crate) manifest: ModelManifest,
    pub(crate) card: Card,
    pub(crate) network: Network,
}

impl ReadyModel {
    /// Opens a model; blocks while the runtime loads it, the first time also the runtime itself.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn open(model: Model, runtime: &Runtime) -> Result<Self, Error> {
        let Model { manifest, files } = model;
        let unusable = |reason: String| unusable(&manifest, reason);
        let card: Card = serde_json::from_slice(&files.card)
            .map_err(|error| unusable(format!("its card cannot be read: {error}")))?;
        card.check().map_err(|error| unusable(error.to_string()))?;
        let size =
            Size { lags: card.lags.len(), symbols: card.symbols.len(), features: card.definition.features.len() };
        let network = Network::open(runtime, &files.onnx, size).map_err(|error| match error {
            Error::Network(reason) => unusable(reason),
            error => error,
        })?;
        Ok(Self { manifest, card, network })
    }

    /// Checks that the model is one for these bars.
    ///
    /// # Errors
    /// [`Error::Model`] if it is of another interval or of other symbols.
    pub(crate) fn check(&self, symbols: &[Symbol], interval: Interval) -> Result<(), Error> {
        if self.card.interval != interval {
            let own = self.card.interval;
            return Err(self.unusable(format!("it is for bars of {own}, bars of {interval} were asked for")));
        }
        let (own, asked): (BTreeSet<_>, BTreeSet<_>) = (self.card.symbols.iter().collect(), symbols.iter().collect());
        if own == asked {
            return Ok(());
        }
        let named =
            |symbols: Vec<&&Symbol>| symbols.iter().map(|symbol| symbol.as_str()).collect::<Vec<_>>().join(", ");
        let unknown = named(asked.difference(&own).collect());
        let missing = named(own.difference(&asked).collect());
        let reasons = [("it does not know", unknown), ("it needs, beside those asked for,", missing)];
        let reasons = reasons.iter().filter(|(_, symbols)| !symbols.is_empty());
        Err(self.unusable(reasons.map(|(words, symbols)| format!("{words} {symbols}")).collect::<Vec<_>>().join("; ")))
    }

    /// The error that this model cannot be used.
    pub(crate) fn unusable(&self, reason: String) -> Error {
        unusable(&self.manifest, reason)
    }
}

fn unusable(manifest: &ModelManifest, reason: String) -> Error {
    Error::Model { name: manifest.name.clone(), version: manifest.version.clone(), reason }
}
