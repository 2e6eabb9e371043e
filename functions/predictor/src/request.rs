//! What a command asks to be predicted, checked.

use std::num::NonZeroU32;

use serde::Deserialize;
use serde_json::Value;
use streamforge_events::{ControlCommand, Interval, Millis, ModelName, ModelVersion, Symbol, TimeRange};

use crate::Error;

/// A command to predict.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request {
    /// All bars of a range, once.
    Range { subject: Subject, range: TimeRange },
    /// Each new bar from now on.
    NewBars { subject: Subject, every: Option<Every> },
}

/// How often new bars are predicted where that is not each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Every {
    /// With the last bar of each longer one of the exchange.
    Bar(Interval),
    /// With the bar in which a multiple of these seconds of the epoch is reached.
    Seconds(NonZeroU32),
}

impl Every {
    /// Whether the time has come between the open and the close of a bar.
    pub(crate) fn is_due(self, open: Millis, close: Millis) -> bool {
        match self {
            Self::Bar(interval) => interval.align_down(close) > open,
            Self::Seconds(seconds) => {
                let length = 1000 * Millis::from(seconds.get());
                close.div_euclid(length) > open.div_euclid(length)
            }
        }
    }
}

/// The model and the series to use it on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Subject {
    pub(crate) model: ModelName,
    /// None stands for the version in use.
    pub(crate) version: Option<ModelVersion>,
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) interval: Interval,
}

/// The parameters as they stand in the command; what else a command carries is not this function's.
#[derive(Deserialize)]
struct Raw {
    model: ModelName,
    version: Option<ModelVersion>,
    symbols: Vec<Symbol>,
    interval: Interval,
    from: Option<Millis>,
    to: Option<Millis>,
    inference_interval: Option<Every>,
}

impl Request {
    /// Reads the type and the parameters of a command.
    ///
    /// # Errors
    /// [`Error::Parameters`] with what is wrong.
    pub(crate) fn parse(command: &ControlCommand) -> Result<Self, Error> {
        Self::read(command).map_err(Error::Parameters)
    }

    fn read(command: &ControlCommand) -> Result<Self, String> {
        let parameters = Value::Object(command.parameters.clone());
        let raw = Raw::deserialize(parameters).map_err(|error| format!("parameters are not valid: {error}"))?;
        let Raw { model, version, symbols, interval, .. } = raw;
        if symbols.is_empty() {
            return Err("parameters are not valid: they name no symbol".to_owned());
        }
        let subject = Subject { model, version, symbols, interval };
        match command.kind.as_str() {
            "gnn_infer" => {
                let (Some(from), Some(to)) = (raw.from, raw.to) else {
                    return Err("parameters are not valid: `from` and `to` are needed".to_owned());
                };
                let range = TimeRange::new(from, to).map_err(|error| error.to_string())?;
                Ok(Self::Range { subject, range })
            }
            "realtime_gnn_infer" => Ok(Self::NewBars { subject, every: raw.inference_interval }),
            other => {
                let shown: String = other.chars().take(64).collect();
                Err(format!("the predictor knows the types gnn_infer and realtime_gnn_infer, not `{shown}`"))
            }
        }
    }
}

/// The command's time in milliseconds, as the version of what it causes.
///
/// # Errors
/// [`Error::Parameters`] if it is no time.
pub(crate) fn version(seconds: f64) -> Result<u64, Error> {
    let millis = (seconds * 1000.0).round();
    if !(0.0..1e15).contains(&millis) {
        return Err(Error::Parameters(format!("timestamp {seconds} of the command is no time in seconds")));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a whole number in range"
    )]
    let version = millis as u64;
    Ok(version)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(kind: &str, change: &Value) -> Result<Request, String> {
        let mut parameters = json!({"model": "gnn", "symbols": ["B", "A"], "interval": "15m", "from": 0, "to": 10});
        for (name, value) in change.as_object().unwrap() {
            parameters[name] = value.clone();
        }
        let command = json!({
            "command": "start", "queue_id": "wf-multi-x-20240801-a1b2c3", "target": "predictor", "type": kind,
            "telemetry_id": "predictor__a1b2c3", "timestamp": 0.0, "parameters": parameters,
        });
        Request::parse(&serde_json::from_value(command).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn both_types_are_read() {
        let Request::Range { subject, range } = parse("gnn_infer", &json!({"version": "7"})).unwrap() else { panic!() };
        assert_eq!((subject.model.as_str(), subject.version), ("gnn", Some("7".parse().unwrap())));
        assert_eq!((subject.interval, range.to()), (Interval::M15, 10));
        let every = |change| match parse("realtime_gnn_infer", &change).unwrap() {
            Request::NewBars { every, .. } => every,
            Request::Range { .. } => panic!(),
        };
        assert_eq!(every(json!({"from": null, "to": null})), None);
        assert_eq!(every(json!({"inference_interval": "1h"})), Some(Every::Bar(Interval::H1)));
        assert_eq!(every(json!({"inference_interval": 90})), Some(Every::Seconds(NonZeroU32::new(90).unwrap())));
    }

    #[test]
    fn a_pause_is_over_with_the_bar_in_which_its_multiple_is_reached() {
        let minute = 60_000;
        let due = |every: Every, bars: [i64; 4]| bars.map(|bar| every.is_due(bar * minute, (bar + 15) * minute));
        let seconds = |seconds| Every::Seconds(NonZeroU32::new(seconds).unwrap());
        assert_eq!(due(Every::Bar(Interval::H1), [0, 15, 30, 45]), [false, false, false, true]);
        assert_eq!(due(seconds(3600), [0, 15, 30, 45]), [false, false, false, true]);
        assert_eq!(due(seconds(20 * 60), [0, 15, 30, 45]), [false, true, true, true]);
        for every in [Every::Bar(Interval::M15), Every::Bar(Interval::M1), seconds(1), seconds(900)] {
            assert_eq!(due(every, [0, 15, 30, 45]), [true; 4], "{every:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (kind, change, word) in [
            ("gnn_infer", json!({"model": "../gnn"}), "../gnn"),
            ("gnn_infer", json!({"model": null}), "parameters"),
            ("gnn_infer", json!({"version": "latest"}), "latest"),
            ("gnn_infer", json!({"symbols": []}), "no symbol"),
            ("gnn_infer", json!({"interval": "2m"}), "interval `2m`"),
            ("gnn_infer", json!({"to": null}), "`to`"),
            ("gnn_infer", json!({"to": 0}), "time range"),
            ("realtime_gnn_infer", json!({"inference_interval": "2m"}), "parameters"),
            ("realtime_gnn_infer", json!({"inference_interval": 0}), "parameters"),
            ("gnn_train", json!({}), "not `gnn_train`"),
        ] {
            let reason = parse(kind, &change).unwrap_err();
            assert!(reason.contains(word), "{change}: {reason}");
        }
    }

    #[test]
    fn versions_are_whole_milliseconds() {
        assert_eq!(version(1_722_500_125.456).unwrap(), 1_722_500_125_456);
        for seconds in [-1.0, f64::NAN, f64::INFINITY, 1e13] {
            assert!(version(seconds).is_err(), "{seconds}");
        }
    }
}
