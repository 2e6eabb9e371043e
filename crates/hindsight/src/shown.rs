//! A prediction beside what came, as people and programs are shown it.

use serde_json::{Value, json};
use streamforge_dataset::Realised;
use streamforge_events::Prediction;

/// The prediction with `realised_volatility` and `realised_class`, which are null while they are not known.
#[must_use]
pub fn shown(prediction: &Prediction, came: Option<&Realised>) -> Value {
    let mut value = json!(prediction);
    value["realised_volatility"] = json!(came.map(|came| came.volatility));
    value["realised_class"] = json!(came.map(|came| came.direction.as_str()));
    value
}
