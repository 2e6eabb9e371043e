//! Fields of the parts of a request that train a model or predict with one.
//!
//! What a training is to be like is its trainer's to understand; only numbers that nobody can mean are told here, before
//! any work is done.

use serde_json::{Map, Value};

use super::{FieldError, NAME_RULE, RequestKind, is_name, wrong};
use crate::{Interval, Millis, ModelName, ModelVersion, TimeRange, parse_instant};

/// Which bars a prediction is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InferenceRange {
    /// The last day of the workflow's range.
    LastDay,
    /// These.
    Own(TimeRange),
}

pub(super) const TRAINING: &[&str] = &[
    "graph_collection",
    "model_output",
    "aggregation",
    "band",
    "batch",
    "direction_weight",
    "dropout",
    "epochs",
    "features",
    "heads",
    "hidden",
    "horizon",
    "lags",
    "learning_rate",
    "patience",
    "rate_decay",
    "seed",
    "sequence",
    "stride",
    "temporal",
    "weight_decay",
    "windows",
];

pub(super) const INFERENCE: &[&str] = &["model", "version", "range", "from", "to"];

pub(super) const LIVE_INFERENCE: &[&str] = &["model", "inference_interval"];

const COUNTS: [&str; 8] = ["batch", "epochs", "heads", "hidden", "horizon", "patience", "sequence", "stride"];

/// Checks the fields that training and prediction have.
pub(super) fn check(kind: &RequestKind, parameters: &Map<String, Value>, field: &str) -> Result<(), FieldError> {
    let check = |name: &str, is_sound: &dyn Fn(&Value) -> bool, message: &str| {
        if parameters.get(name).is_none_or(is_sound) {
            return Ok(());
        }
        Err(wrong("invalid_field", &format!("{field}.{name}"), message))
    };
    let is_model = |value: &Value| value.as_str().is_some_and(|name| name.parse::<ModelName>().is_ok());
    let is_version = |value: &Value| value.as_str().is_some_and(|version| version.parse::<ModelVersion>().is_ok());
    match kind {
        RequestKind::Train => {
            check("graph_collection", &is_name, NAME_RULE)?;
            check("model_output", &is_model, MODEL_RULE)?;
            check("seed", &Value::is_u64, "write a whole number, 0 or more")?;
            let is_count = |value: &Value| value.as_u64().is_some_and(|count| count >= 1);
            COUNTS.iter().try_for_each(|name| check(name, &is_count, "write a whole number, 1 or more"))
        }
        RequestKind::Infer => {
            check("model", &is_model, MODEL_RULE)?;
            check("version", &is_version, "write a version of the model as `streamforge models list` shows it")?;
            inference_range(parameters, field).map(drop)
        }
        RequestKind::LiveInfer => {
            check("model", &is_model, MODEL_RULE)?;
            let is_pause = |value: &Value| match value {
                Value::String(text) => text.parse::<Interval>().is_ok(),
                other => other.as_u64().is_some_and(|seconds| seconds >= 1),
            };
            check("inference_interval", &is_pause, "write an interval such as `5m`, or seconds as a whole number")
        }
        _ => Ok(()),
    }
}

const MODEL_RULE: &str = "write a name of letters, digits, `-`, `_` and `.`, 1 to 100 bytes, not beginning with `.`";

/// Reads `range`, or `from` and `to`; without them it is the last day.
///
/// # Errors
/// The field that is wrong.
pub fn inference_range(parameters: &Map<String, Value>, field: &str) -> Result<InferenceRange, FieldError> {
    let invalid = |name: &str, message: &str| wrong("invalid_time_range", &format!("{field}.{name}"), message);
    let instant = |name: &str| -> Result<Option<Millis>, FieldError> {
        let message = "write an RFC 3339 instant such as 2024-06-30T00:00:00Z";
        let read = |value: &Value| value.as_str().and_then(parse_instant).ok_or_else(|| invalid(name, message));
        parameters.get(name).map(read).transpose()
    };
    match (parameters.get("range"), instant("from")?, instant("to")?) {
        (None, None, None) => Ok(InferenceRange::LastDay),
        (None, Some(from), Some(to)) => {
            let range = TimeRange::new(from, to).map_err(|error| invalid("to", &error.to_string()))?;
            Ok(InferenceRange::Own(range))
        }
        (None, Some(_), None) => Err(wrong("missing_field", &format!("{field}.to"), "`from` needs a `to`")),
        (None, None, Some(_)) => Err(wrong("missing_field", &format!("{field}.from"), "`to` needs a `from`")),
        (Some(Value::String(text)), None, None) if text == "last_day" => Ok(InferenceRange::LastDay),
        (Some(Value::String(text)), None, None) => {
            let range: Result<TimeRange, _> = text.parse();
            range.map(InferenceRange::Own).map_err(|error| invalid("range", &error.to_string()))
        }
        (Some(_), None, None) => Err(invalid("range", "write `last_day` or a range as in `time_range`")),
        (Some(_), ..) => {
            let message = "write a `range`, or `from` and `to`, not both";
            Err(wrong("conflicting_fields", &format!("{field}.range"), message))
        }
    }
}
