//! What a user asks for: the body of `workflow.requested`, checked field by field.

use serde_json::{Map, Value};

use crate::{Error, Interval, Symbol, TimeRange};

mod model;

pub use model::{InferenceRange, inference_range};

/// More symbols or parts than one workflow may have.
const MOST_SYMBOLS: usize = 1_000;
const MOST_ENTRIES: usize = 50;

/// Bars in the longest window of a live graph; the window of each symbol is held in memory.
const MOST_BARS: u64 = 10_000;

const NAME_RULE: &str = "write a name of letters, digits, `-`, `_` and `.`, 100 characters at most";

/// A field of a request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// Stable name of the mistake, such as `unknown_field`.
    pub code: String,
    /// Path of the field, such as `requests[0].type`; empty for the body itself.
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// What a part of a request is about, read from its `type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// `api_candles_<interval>`.
    Klines(Interval),
    /// `api_trades`.
    Trades,
    /// `ws_trades`, `ws_candles_<interval>` or `ws_orderbook`.
    Stream(StreamKind),
    /// `gnn_graph`.
    Graph,
    /// `realtime_graph`.
    LiveGraph,
    /// `gnn_train`.
    Train,
    /// `gnn_infer`.
    Infer,
    /// `realtime_gnn_infer`.
    LiveInfer,
    /// `dummy`.
    Dummy,
    /// A type that only its function understands.
    Other,
}

/// What a live loader listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamKind {
    /// Trades.
    Trades,
    /// Klines of an interval, as they close.
    Klines(Interval),
    /// Changes of the order book.
    OrderBook,
}

/// One part of a request: a function and what it is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestEntry {
    /// The function, or `loader-producer` for whichever loader the type needs.
    pub target: String,
    /// The type as it was written.
    pub r#type: String,
    /// The type as it was understood.
    pub kind: RequestKind,
    /// The interval, if it was given beside the type.
    pub interval: Option<Interval>,
    /// Stages (`<target>/<type>`) that have to end before.
    pub after: Vec<String>,
    /// Read again what is stored already.
    pub refresh: bool,
    /// The remaining fields, for the function.
    pub parameters: Map<String, Value>,
}

/// A checked request; it has at least one symbol and one part.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowRequest {
    /// The symbols in the order given, each once.
    pub symbols: Vec<Symbol>,
    /// The range of time.
    pub range: TimeRange,
    /// The parts in the order given.
    pub entries: Vec<RequestEntry>,
}

impl WorkflowRequest {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn parse(body: &Value) -> Result<Self, FieldError> {
        let fields = object(body, "")?;
        known_fields(fields, "", &["symbol", "symbols", "time_range", "requests", "microservices"])?;
        let entries = parse_entries(fields)?;
        Ok(Self { symbols: parse_symbols(fields)?, range: parse_range(fields)?, entries })
    }
}

fn parse_symbols(fields: &Map<String, Value>) -> Result<Vec<Symbol>, FieldError> {
    let one = fields.get("symbol").map(|value| ("symbol".to_owned(), value));
    let several = match fields.get("symbols") {
        None => &[][..],
        Some(Value::Array(list)) => list,
        Some(_) => return Err(wrong("invalid_symbol", "symbols", "write a list of symbols")),
    };
    let several = several.iter().enumerate().map(|(index, value)| (format!("symbols[{index}]"), value));
    let mut symbols: Vec<Symbol> = Vec::new();
    for (field, value) in one.into_iter().chain(several) {
        let symbol = text(value, "invalid_symbol", &field)?
            .parse()
            .map_err(|error: Error| wrong("invalid_symbol", &field, error.to_string()))?;
        if !symbols.contains(&symbol) {
            symbols.push(symbol);
        }
    }
    match symbols.len() {
        0 => Err(wrong("missing_field", "symbol", "name the `symbol`, or several as `symbols`")),
        1..=MOST_SYMBOLS => Ok(symbols),
        _ => Err(wrong("too_many", "symbols", format!("{MOST_SYMBOLS} symbols are the most"))),
    }
}

fn parse_range(fields: &Map<String, Value>) -> Result<TimeRange, FieldError> {
    let value = fields
        .get("time_range")
        .ok_or_else(|| wrong("missing_field", "time_range", "write YYYY-MM-DD:YYYY-MM-DD, both days inclusive"))?;
    text(value, "invalid_time_range", "time_range")?
        .parse()
        .map_err(|error: Error| wrong("invalid_time_range", "time_range", error.to_string()))
}

fn parse_entries(fields: &Map<String, Value>) -> Result<Vec<RequestEntry>, FieldError> {
    if fields.contains_key("requests") && fields.contains_key("microservices") {
        return Err(wrong(
            "conflicting_fields",
            "microservices",
            "it is another name for `requests`; write one of them",
        ));
    }
    let name = if fields.contains_key("microservices") { "microservices" } else { "requests" };
    let list = fields.get(name).ok_or_else(|| wrong("missing_field", name, "name at least one part"))?;
    let list = list.as_array().ok_or_else(|| wrong("invalid_field", name, "write a list of objects"))?;
    if list.is_empty() || list.len() > MOST_ENTRIES {
        return Err(wrong("invalid_field", name, format!("write 1 to {MOST_ENTRIES} parts")));
    }
    let mut entries: Vec<RequestEntry> = Vec::new();
    for (index, value) in list.iter().enumerate() {
        let field = format!("{name}[{index}]");
        let entry = parse_entry(value, &field)?;
        if entries.iter().any(|other| (&other.target, &other.r#type) == (&entry.target, &entry.r#type)) {
            return Err(wrong(
                "duplicate_request",
                &field,
                format!("{}/{} is asked for twice", entry.target, entry.r#type),
            ));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn parse_entry(value: &Value, field: &str) -> Result<RequestEntry, FieldError> {
    let mut rest = object(value, field)?.clone();
    let inner = |name: &str| format!("{field}.{name}");
    let mut take = |name: &str| rest.remove(name);
    let missing = |name: &str| wrong("missing_field", &inner(name), "it has to be given");
    let target = name(&take("target").ok_or_else(|| missing("target"))?, "invalid_target", &inner("target"))?;
    let written = name(&take("type").ok_or_else(|| missing("type"))?, "invalid_type", &inner("type"))?;
    let kind = parse_kind(&written).map_err(|error| wrong("invalid_type", &inner("type"), error.to_string()))?;
    let interval = take("interval").map(|value| parse_interval(&value, &kind, &inner("interval"))).transpose()?;
    let after = take("after").map_or(Ok(Vec::new()), |value| parse_after(&value, &inner("after")))?;
    let refresh = match take("refresh") {
        None => false,
        Some(Value::Bool(refresh)) => refresh,
        Some(_) => return Err(wrong("invalid_field", &inner("refresh"), "write true or false")),
    };
    known_fields(&rest, &format!("{field}."), parameters_of(&kind))?;
    check_edge_rule(&rest, field)?;
    model::check(&kind, &rest, field)?;
    Ok(RequestEntry { target, r#type: written, kind, interval, after, refresh, parameters: rest })
}

fn parse_kind(written: &str) -> Result<RequestKind, Error> {
    if let Some(interval) = written.strip_prefix("api_candles_") {
        return interval.parse().map(RequestKind::Klines);
    }
    if let Some(interval) = written.strip_prefix("ws_candles_") {
        return interval.parse().map(|interval| RequestKind::Stream(StreamKind::Klines(interval)));
    }
    Ok(match written {
        "api_trades" => RequestKind::Trades,
        "ws_trades" => RequestKind::Stream(StreamKind::Trades),
        "ws_orderbook" => RequestKind::Stream(StreamKind::OrderBook),
        "gnn_graph" => RequestKind::Graph,
        "realtime_graph" => RequestKind::LiveGraph,
        "gnn_train" => RequestKind::Train,
        "gnn_infer" => RequestKind::Infer,
        "realtime_gnn_infer" => RequestKind::LiveInfer,
        "dummy" => RequestKind::Dummy,
        _ => RequestKind::Other,
    })
}

/// Fields beyond those that every part has.
fn parameters_of(kind: &RequestKind) -> &'static [&'static str] {
    match kind {
        RequestKind::Klines(_) | RequestKind::Trades | RequestKind::Stream(_) => &[],
        RequestKind::Graph => &["collection_inputs", "collection_output", "threshold", "k", "minimum_observations"],
        RequestKind::LiveGraph => {
            &["collection_inputs", "collection_output", "threshold", "k", "minimum_observations", "window"]
        }
        RequestKind::Train => model::TRAINING,
        RequestKind::Infer => model::INFERENCE,
        RequestKind::LiveInfer => model::LIVE_INFERENCE,
        RequestKind::Dummy => &["simulate_loading", "fail_after", "exit_after", "exit_on_ping", "noop", "debug"],
        RequestKind::Other => &["graph_collection", "model_output", "collection_inputs", "inference_interval"],
    }
}

fn parse_interval(value: &Value, kind: &RequestKind, field: &str) -> Result<Interval, FieldError> {
    let interval = text(value, "invalid_interval", field)?
        .parse()
        .map_err(|error: Error| wrong("invalid_interval", field, error.to_string()))?;
    match kind {
        RequestKind::Klines(other) | RequestKind::Stream(StreamKind::Klines(other)) if *other != interval => Err(
            wrong("invalid_interval", field, format!("the type names the interval `{other}`, this field `{interval}`")),
        ),
        _ => Ok(interval),
    }
}

fn parse_after(value: &Value, field: &str) -> Result<Vec<String>, FieldError> {
    let fail = || wrong("invalid_field", field, "write a list of stages as \"<target>/<type>\"");
    let list = value.as_array().ok_or_else(fail)?;
    list.iter().map(|stage| stage.as_str().map(str::to_owned).ok_or_else(fail)).collect()
}

/// The rule by which a graph keeps edges; wrong numbers are told before any work is done.
fn check_edge_rule(parameters: &Map<String, Value>, field: &str) -> Result<(), FieldError> {
    let is_share = |value: &Value| value.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number));
    let is_count = |least: u64| move |value: &Value| value.as_u64().is_some_and(|number| number >= least);
    let check = |name: &str, is_sound: &dyn Fn(&Value) -> bool, message: &str| {
        if parameters.get(name).is_none_or(is_sound) {
            return Ok(());
        }
        Err(wrong("invalid_field", &format!("{field}.{name}"), message))
    };
    check("threshold", &is_share, "write a number from 0 to 1")?;
    check("k", &is_count(0), "write a whole number, 0 or more")?;
    check("minimum_observations", &is_count(2), "write a whole number, 2 or more")?;
    let is_window = |value: &Value| value.as_u64().is_some_and(|bars| (2..=MOST_BARS).contains(&bars));
    check("window", &is_window, "write a whole number of bars, 2 to 10000")?;
    check("collection_output", &is_name, NAME_RULE)
}

fn is_name(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        (1..=100).contains(&text.len())
            && text.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.'))
    })
}

fn name(value: &Value, code: &str, field: &str) -> Result<String, FieldError> {
    if is_name(value) {
        return text(value, code, field).map(str::to_owned);
    }
    Err(wrong(code, field, NAME_RULE))
}

fn text<'value>(value: &'value Value, code: &str, field: &str) -> Result<&'value str, FieldError> {
    value.as_str().ok_or_else(|| wrong(code, field, "write a text in quotes"))
}

fn object<'value>(value: &'value Value, field: &str) -> Result<&'value Map<String, Value>, FieldError> {
    value.as_object().ok_or_else(|| wrong("not_an_object", field, "write a JSON object"))
}

fn known_fields(fields: &Map<String, Value>, prefix: &str, known: &[&str]) -> Result<(), FieldError> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let message = match known {
                [] => "there is no such field".to_owned(),
                _ => format!("there is no such field; known are {}", known.join(", ")),
            };
            let name: String = name.chars().take(64).collect();
            Err(wrong("unknown_field", &format!("{prefix}{name}"), message))
        }
    }
}

fn wrong(code: &str, field: &str, message: impl Into<String>) -> FieldError {
    FieldError { code: code.to_owned(), field: field.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests;
