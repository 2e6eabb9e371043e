//! What a graph is built from, read from the parameters of a command.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use streamforge_events::{ControlCommand, Interval, Millis, Symbol, TimeRange};

/// Parameters of one graph, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// Symbols that become nodes if the store has returns of them; ascending, each once.
    pub symbols: Vec<Symbol>,
    /// Interval of the klines.
    pub interval: Interval,
    /// Open times of the klines.
    pub range: TimeRange,
    /// How pairs become edges.
    pub rule: EdgeRule,
    /// Name that the user gave to the graph.
    pub collection_output: Option<String>,
}

/// Parameters of a graph that moves with the bars, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveParameters {
    /// Symbols that become nodes if they have returns in the window; ascending, each once.
    pub symbols: Vec<Symbol>,
    /// Interval of the klines.
    pub interval: Interval,
    /// Bars whose returns are correlated, 2 to 10000.
    pub window: NonZeroUsize,
    /// How pairs become edges.
    pub rule: EdgeRule,
    /// Name that the user gave to the graph.
    pub collection_output: Option<String>,
}

/// How pairs become edges.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EdgeRule {
    /// Pairs with at least this magnitude of correlation are edges, in `[0, 1]`.
    pub threshold: f64,
    /// Each symbol keeps this many of its strongest pairs whatever their correlation.
    pub k: usize,
    /// Pairs with fewer common returns are never edges.
    pub minimum_observations: usize,
}

impl Default for EdgeRule {
    fn default() -> Self {
        Self { threshold: 0.5, k: 3, minimum_observations: 30 }
    }
}

/// Bars of a window that a command does not name.
const USUAL_WINDOW: usize = 500;

/// Bars of the longest window: the returns of each symbol in it are held in memory.
const LONGEST_WINDOW: usize = 10_000;

/// The parameters as they stand in the command; what else a command carries is not this function's.
#[derive(Deserialize)]
struct Raw {
    symbols: Vec<Symbol>,
    interval: Interval,
    threshold: Option<f64>,
    k: Option<usize>,
    minimum_observations: Option<usize>,
    collection_output: Option<String>,
}

/// Those of a graph of one range.
#[derive(Deserialize)]
struct RawRange {
    from: Millis,
    to: Millis,
}

/// Those of a graph that moves.
#[derive(Deserialize)]
struct RawWindow {
    window: Option<usize>,
}

impl Parameters {
    /// Reads the parameters of a command.
    ///
    /// # Errors
    /// What is wrong with them, in words for a report.
    pub fn parse(command: &ControlCommand) -> Result<Self, String> {
        let RawRange { from, to } = read(command)?;
        let range = TimeRange::new(from, to).map_err(|error| error.to_string())?;
        let LiveParameters { symbols, interval, rule, collection_output, .. } = common(command, NonZeroUsize::MIN)?;
        Ok(Self { symbols, interval, range, rule, collection_output })
    }
}

impl LiveParameters {
    /// Reads the parameters of a command.
    ///
    /// # Errors
    /// What is wrong with them, in words for a report.
    pub fn parse(command: &ControlCommand) -> Result<Self, String> {
        let RawWindow { window } = read(command)?;
        let window = NonZeroUsize::new(window.unwrap_or(USUAL_WINDOW));
        let window = window.filter(|window| (2..=LONGEST_WINDOW).contains(&window.get()));
        common(command, window.ok_or_else(|| format!("window must be 2 to {LONGEST_WINDOW} bars"))?)
    }

    /// The range that the window covers when this bar is its newest: from the bar whose close the first return needs to
    /// the end of the newest one.
    ///
    /// # Errors
    /// Words for a report, if the bar opens before all time.
    pub fn range(&self, bar: Millis) -> Result<TimeRange, String> {
        let first = (0..self.window.get()).fold(bar, |open, _| self.interval.previous_open(open));
        TimeRange::new(first.max(0), self.interval.next_open(bar)).map_err(|error| error.to_string())
    }
}

fn read<'de, T: Deserialize<'de>>(command: &ControlCommand) -> Result<T, String> {
    T::deserialize(Value::Object(command.parameters.clone()))
        .map_err(|error| format!("parameters are not valid: {error}"))
}

/// Reads what all graphs have.
fn common(command: &ControlCommand, window: NonZeroUsize) -> Result<LiveParameters, String> {
    let raw: Raw = read(command)?;
    let usual = EdgeRule::default();
    let rule = EdgeRule {
        threshold: raw.threshold.unwrap_or(usual.threshold),
        k: raw.k.unwrap_or(usual.k),
        minimum_observations: raw.minimum_observations.unwrap_or(usual.minimum_observations),
    };
    if !(0.0..=1.0).contains(&rule.threshold) {
        return Err(format!("threshold {} does not lie between 0 and 1", rule.threshold));
    }
    if rule.minimum_observations < 2 {
        return Err("minimum_observations must be at least 2".to_owned());
    }
    let mut symbols = raw.symbols;
    symbols.sort_unstable();
    symbols.dedup();
    if symbols.len() < 2 {
        return Err("a graph needs at least two symbols".to_owned());
    }
    Ok(LiveParameters { symbols, interval: raw.interval, window, rule, collection_output: raw.collection_output })
}

/// The command's time in milliseconds, as the version of what it causes.
///
/// # Errors
/// Words for a report, if it is no time.
pub(crate) fn version(seconds: f64) -> Result<u64, String> {
    let millis = (seconds * 1000.0).round();
    if !(0.0..1e15).contains(&millis) {
        return Err(format!("timestamp {seconds} of the command is no time in seconds"));
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

    fn command(change: &Value) -> ControlCommand {
        let mut parameters = json!({"symbols": ["B", "A", "B"], "interval": "1M", "from": 0, "to": 10, "window": 7});
        for (name, value) in change.as_object().unwrap() {
            parameters[name] = value.clone();
        }
        let command = json!({
            "command": "start", "queue_id": "wf-multi-x-20240801-a1b2c3", "target": "graph-builder",
            "type": "gnn_graph", "telemetry_id": "graph-builder__a1b2c3", "timestamp": 0.0, "parameters": parameters,
        });
        serde_json::from_value(command).unwrap()
    }

    fn parse(change: &Value) -> Result<Parameters, String> {
        Parameters::parse(&command(change))
    }

    #[test]
    fn symbols_are_sorted_and_the_usual_rule_fills_in() {
        let parameters = parse(&json!({})).unwrap();
        assert_eq!(parameters.symbols.iter().map(Symbol::as_str).collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(parameters.interval, Interval::Mo1);
        assert_eq!(parameters.rule, EdgeRule { threshold: 0.5, k: 3, minimum_observations: 30 });
        assert_eq!(parameters.collection_output, None);
        let parameters = parse(&json!({"threshold": 1, "k": 0, "minimum_observations": 2, "collection_output": "g"}));
        let parameters = parameters.unwrap();
        assert_eq!(parameters.rule, EdgeRule { threshold: 1.0, k: 0, minimum_observations: 2 });
        assert_eq!(parameters.collection_output.as_deref(), Some("g"));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (change, word) in [
            (json!({"symbols": ["A"]}), "two symbols"),
            (json!({"symbols": ["A", "A"]}), "two symbols"),
            (json!({"symbols": ["A B", "C"]}), "symbol `A B`"),
            (json!({"symbols": null}), "parameters"),
            (json!({"interval": "1H"}), "interval `1H`"),
            (json!({"to": 0}), "time range"),
            (json!({"threshold": 1.5}), "threshold"),
            (json!({"threshold": -0.1}), "threshold"),
            (json!({"k": -1}), "parameters"),
            (json!({"minimum_observations": 1}), "minimum_observations"),
        ] {
            let reason = parse(&change).unwrap_err();
            assert!(reason.contains(word), "{change}: {reason}");
        }
    }

    #[test]
    fn a_window_is_checked_and_reaches_back_by_the_calendar() {
        let day = 86_400_000;
        let live = |window: Value| LiveParameters::parse(&command(&json!({ "window": window, "from": null })));
        assert_eq!(live(Value::Null).unwrap().window.get(), 500);
        let two = live(json!(2)).unwrap();
        assert_eq!(two.range(59 * day), Ok(TimeRange::new(0, 90 * day).unwrap()));
        assert_eq!(two.range(0), Ok(TimeRange::new(0, 31 * day).unwrap()));
        for (window, word) in [(json!(1), "window"), (json!(10_001), "window"), (json!("500"), "parameters")] {
            assert!(live(window.clone()).unwrap_err().contains(word), "{window}");
        }
    }

    #[test]
    fn versions_are_whole_milliseconds() {
        assert_eq!(version(1_722_500_125.456), Ok(1_722_500_125_456));
        assert_eq!(version(0.0), Ok(0));
        for seconds in [-1.0, f64::NAN, f64::INFINITY, 1e13] {
            assert!(version(seconds).is_err(), "{seconds}");
        }
    }
}
