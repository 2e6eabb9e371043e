//! The planner: a request and what is already loaded become stages and tasks.
//!
//! Only what is missing becomes a task. The part of a range that is not over is left out.

mod learning;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use streamforge_events::{
    FieldError, Interval, Millis, QueueId, RequestEntry, RequestKind, SeriesId, SeriesKind, Symbol, TimeRange,
    WorkflowRequest, rfc3339, short_code,
};

use crate::{
    document::{Stage, Status, Task, Work, Workflow},
    engine::Request,
    slice::{closed_part, slice_count, slices},
};
use learning::Sources;

/// The functions that a request can be made of.
pub const AVAILABLE: [&str; 7] = [
    "loader-api-candles",
    "loader-api-trades",
    "arango-connector",
    "graph-builder",
    "gnn-trainer",
    "predictor",
    "dummy-service",
];

/// It reads market data alone and takes no commands.
pub(crate) const CONNECTOR: &str = "arango-connector";

/// Tasks of one workflow; its document is read and written with every report.
const MAX_TASKS: u64 = 10_000;

/// A request that is written down and not planned.
#[must_use]
pub fn pending(request: &WorkflowRequest, cause: &Request, now: Millis) -> Workflow {
    let id = queue_id(request, cause);
    let symbol = request.symbols[0].clone();
    Workflow {
        symbol,
        symbols: request.symbols.clone(),
        r#type: request.entries[0].r#type.clone(),
        status: Status::Pending,
        loader_type: loads(request).next().map(|(entry, _)| entry.r#type.clone()),
        start_time: request.range.from(),
        end_time: request.range.to(),
        last_loaded_timestamp: None,
        records_written: 0,
        error_message: None,
        kafka_topic: format!("{id}-data"),
        created_at: now,
        started_at: None,
        finished_at: None,
        graph: None,
        model: None,
        scores: None,
        request: cause.body.clone(),
        stages: Vec::new(),
        traceparent: cause.traceparent.clone(),
        outbox: Vec::new(),
        id,
    }
}

/// `wf-<symbol or multi>-<first type>-<day of the range's start>-<six characters from the cause>`.
fn queue_id(request: &WorkflowRequest, cause: &Request) -> QueueId {
    let day: String = rfc3339(request.range.from()).chars().take(10).filter(char::is_ascii_digit).collect();
    let code = short_code(&[&cause.source, &cause.id]);
    let id = format!("wf-{}-{}-{day}-{code}", subject(request), request.entries[0].r#type);
    id.parse().expect("the parts are short and hold only letters, digits and the signs of a name")
}

/// Checks what only the planner knows: that every part can be done here, and in which order.
///
/// # Errors
/// The first field that is wrong.
pub fn check(request: &WorkflowRequest, now: Millis) -> Result<(), FieldError> {
    plan(request, &BTreeMap::new(), now).map(drop)
}

/// The series that the request loads, whose loaded ranges the plan depends on.
#[must_use]
pub fn series(request: &WorkflowRequest) -> Vec<SeriesId> {
    let all = loads(request)
        .flat_map(|(_, kind)| request.symbols.iter().map(move |symbol| SeriesId { symbol: symbol.clone(), kind }));
    all.collect()
}

/// The stages of a request, in its order, with an implied connector after each loader that has none.
///
/// # Errors
/// The first field that is wrong.
pub fn plan(
    request: &WorkflowRequest,
    loaded: &BTreeMap<SeriesId, Vec<TimeRange>>,
    now: Millis,
) -> Result<Vec<Stage>, FieldError> {
    let Ok(range) = TimeRange::new(request.range.from(), request.range.to().min(now)) else {
        return Err(refusal("range_in_future", "time_range", "the range has not begun yet"));
    };
    check_size(request, range)?;
    let mut stages: Vec<Stage> = Vec::new();
    for (index, entry) in request.entries.iter().enumerate() {
        let field = |name: &str| format!("requests[{index}].{name}");
        let function = function(entry).ok_or_else(|| unsupported(entry, &field("target")))?;
        let name = stage_name(function, entry);
        if request.entries[..index]
            .iter()
            .any(|other| self::function(other) == Some(function) && other.r#type == entry.r#type)
        {
            return Err(refusal("duplicate_request", &field("type"), "the request names this stage twice"));
        }
        let work = work(request, entry, function).ok_or_else(|| {
            refusal("missing_loader", &field("type"), "the connector needs a loader of its type in the same request")
        })?;
        let parameters = parameters(request, entry, &work, range, &format!("requests[{index}]"))?;
        let mut stage = Stage {
            name,
            function: function.to_owned(),
            r#type: entry.r#type.clone(),
            after: Vec::new(),
            status: Status::Pending,
            heard_at: now,
            progress_millis: None,
            parameters,
            makes: learning::makes(entry),
            takes: Sources::of(request, entry).takes(entry),
            tasks: Vec::new(),
            work,
        };
        stage.tasks = tasks(request, entry, &stage, range, loaded, now);
        stages.push(stage);
    }
    add_connectors(request, &mut stages);
    set_order(request, &mut stages)?;
    Ok(stages)
}

/// Name of the function that does this part; none if it is not available.
fn function(entry: &RequestEntry) -> Option<&'static str> {
    match (entry.target.as_str(), &entry.kind) {
        ("loader-producer" | "loader-api-candles", RequestKind::Klines(_)) => Some("loader-api-candles"),
        ("loader-producer" | "loader-api-trades", RequestKind::Trades) => Some("loader-api-trades"),
        ("arango-connector", RequestKind::Klines(_) | RequestKind::Trades) => Some(CONNECTOR),
        ("graph-builder", RequestKind::Graph) => Some("graph-builder"),
        ("gnn-trainer", RequestKind::Train) => Some("gnn-trainer"),
        ("predictor", RequestKind::Infer | RequestKind::LiveInfer) => Some("predictor"),
        ("dummy-service", RequestKind::Dummy) => Some("dummy-service"),
        _ => None,
    }
}

fn stage_name(function: &str, entry: &RequestEntry) -> String {
    format!("{function}/{}", entry.r#type)
}

/// The loaders of a request with what they load.
fn loads(request: &WorkflowRequest) -> impl Iterator<Item = (&RequestEntry, SeriesKind)> {
    request.entries.iter().filter_map(|entry| Some((entry, loaded_kind(entry)?)))
}

fn loaded_kind(entry: &RequestEntry) -> Option<SeriesKind> {
    match (function(entry)?, &entry.kind) {
        ("loader-api-candles", RequestKind::Klines(interval)) => Some(SeriesKind::Klines(*interval)),
        ("loader-api-trades", RequestKind::Trades) => Some(SeriesKind::Trades),
        _ => None,
    }
}

fn work(request: &WorkflowRequest, entry: &RequestEntry, function: &str) -> Option<Work> {
    if let Some(kind) = loaded_kind(entry) {
        return Some(Work::Load(kind));
    }
    if function != CONNECTOR {
        return Some(match entry.kind {
            RequestKind::Train => Work::Job,
            RequestKind::LiveInfer => Work::Live,
            _ => Work::Compute,
        });
    }
    let (loader, _) = loads(request).find(|(loader, _)| loader.r#type == entry.r#type)?;
    Some(Work::Store(stage_name(self::function(loader)?, loader)))
}

/// What every task of the stage is told.
fn parameters(
    request: &WorkflowRequest,
    entry: &RequestEntry,
    work: &Work,
    range: TimeRange,
    field: &str,
) -> Result<Map<String, Value>, FieldError> {
    let mut parameters = entry.parameters.clone();
    if let Some(interval) = work.interval() {
        parameters.insert("interval".to_owned(), json!(interval));
    }
    let (RequestKind::Graph | RequestKind::Train | RequestKind::Infer | RequestKind::LiveInfer) = entry.kind else {
        return Ok(parameters);
    };
    let missing = || {
        let what = entry.r#type.as_str();
        let message = format!("`{what}` without a loader of klines in the same request must name its interval");
        refusal("missing_field", &format!("{field}.interval"), message)
    };
    let interval = interval(request, entry).ok_or_else(missing)?;
    if entry.kind != RequestKind::Graph {
        learning::complete(request, entry, interval, range, field, &mut parameters)?;
        return Ok(parameters);
    }
    parameters.insert("interval".to_owned(), json!(interval));
    parameters.insert("symbols".to_owned(), json!(request.symbols));
    parameters.insert("from".to_owned(), range.from().into());
    parameters.insert("to".to_owned(), range.to().into());
    Ok(parameters)
}

/// The interval of the bars that a part works on: its own, else that of the graph, of the training or of the first
/// loader in the request.
fn interval(request: &WorkflowRequest, entry: &RequestEntry) -> Option<Interval> {
    let of = |kind: RequestKind| request.entries.iter().find(|part| part.kind == kind)?.interval;
    let loaded = || {
        loads(request).find_map(|(_, kind)| match kind {
            SeriesKind::Klines(interval) => Some(interval),
            SeriesKind::Trades => None,
        })
    };
    let earlier = match entry.kind {
        RequestKind::Graph => None,
        RequestKind::Train => of(RequestKind::Graph),
        _ => of(RequestKind::Train).or_else(|| of(RequestKind::Graph)),
    };
    entry.interval.or(earlier).or_else(loaded)
}

fn tasks(
    request: &WorkflowRequest,
    entry: &RequestEntry,
    stage: &Stage,
    range: TimeRange,
    loaded: &BTreeMap<SeriesId, Vec<TimeRange>>,
    now: Millis,
) -> Vec<Task> {
    let slices: Vec<(Symbol, TimeRange)> = match stage.work {
        Work::Store(_) => return Vec::new(),
        Work::Compute | Work::Job | Work::Live => {
            let field = |name: &str| stage.parameters.get(name).and_then(Value::as_i64);
            let own = field("from").zip(field("to")).and_then(|(from, to)| TimeRange::new(from, to).ok());
            let range = own.unwrap_or(range);
            return vec![Task::waiting(task_id(request, stage, None, 0), request.symbols[0].clone(), range, now)];
        }
        Work::Load(kind) => {
            let missing = request.symbols.iter().flat_map(|symbol| {
                let series = SeriesId { symbol: symbol.clone(), kind };
                let have = loaded.get(&series).filter(|_| !entry.refresh).map_or(&[][..], Vec::as_slice);
                let missing = closed_part(kind, range, now).map(|closed| closed.without(have)).unwrap_or_default();
                missing.into_iter().map(move |part| (symbol.clone(), part))
            });
            missing
                .flat_map(|(symbol, part)| slices(kind, part).into_iter().map(move |slice| (symbol.clone(), slice)))
                .collect()
        }
    };
    let numbered = slices.into_iter().enumerate();
    numbered
        .map(|(number, (symbol, slice))| {
            Task::waiting(task_id(request, stage, Some(&symbol), number), symbol, slice, now)
        })
        .collect()
}

/// Such as `load-api_candles_15m-btcusdt-0003`; the number counts through the whole stage, since two symbols may
/// differ in case alone.
fn task_id(request: &WorkflowRequest, stage: &Stage, symbol: Option<&Symbol>, number: usize) -> String {
    let verb = if symbol.is_some() { "load" } else { stage.function.as_str() };
    let symbol = symbol.map_or_else(|| subject(request), Symbol::to_lower);
    format!("{verb}-{}-{symbol}-{number:04}", stage.r#type)
}

/// The symbol in lower case, as a part of a name, or `multi`.
fn subject(request: &WorkflowRequest) -> String {
    let [symbol] = request.symbols.as_slice() else {
        return "multi".to_owned();
    };
    // Lower case can be longer than the symbol, and hold marks that a name must not have.
    let is_sound = |character: &char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.');
    let symbol: String = symbol.to_lower().chars().filter(is_sound).collect();
    symbol[..symbol.floor_char_boundary(64)].to_owned()
}

/// A loader without a connector would load for nothing.
fn add_connectors(request: &WorkflowRequest, stages: &mut Vec<Stage>) {
    for (entry, _) in loads(request) {
        let is_stored = stages.iter().any(|stage| stage.function == CONNECTOR && stage.r#type == entry.r#type);
        let Some(place) =
            stages.iter().position(|stage| matches!(stage.work, Work::Load(_)) && stage.r#type == entry.r#type)
        else {
            continue;
        };
        if !is_stored {
            let loader = &stages[place];
            let connector = Stage {
                name: stage_name(CONNECTOR, entry),
                function: CONNECTOR.to_owned(),
                work: Work::Store(loader.name.clone()),
                tasks: Vec::new(),
                parameters: Map::new(),
                ..loader.clone()
            };
            stages.insert(place + 1, connector);
        }
    }
}

/// Loaders, connectors and dummies first, then graph, training and prediction; `after` overrides, but nobody begins
/// before what it builds on is there.
fn set_order(request: &WorkflowRequest, stages: &mut [Stage]) -> Result<(), FieldError> {
    let ranks: Vec<(String, Option<u8>)> =
        stages.iter().map(|stage| (stage.name.clone(), learning::rank(stage))).collect();
    let names: Vec<(String, String)> = request
        .entries
        .iter()
        .filter_map(|entry| Some((format!("{}/{}", entry.target, entry.r#type), stage_name(function(entry)?, entry))))
        .chain(stages.iter().map(|stage| (stage.name.clone(), stage.name.clone())))
        .collect();
    for (index, entry) in request.entries.iter().enumerate() {
        let field = format!("requests[{index}].after");
        let name = function(entry).map(|function| stage_name(function, entry));
        let Some(stage) = stages.iter_mut().find(|stage| Some(&stage.name) == name.as_ref()) else {
            continue;
        };
        if entry.after.is_empty() {
            let own = learning::rank(stage).unwrap_or_default();
            let earlier = ranks.iter().filter(|(_, rank)| rank.is_some_and(|rank| rank < own));
            stage.after = earlier.map(|(name, _)| name.clone()).collect();
            continue;
        }
        for wanted in &entry.after {
            let known = names.iter().find(|(alias, _)| alias == wanted);
            let (_, known) = known
                .ok_or_else(|| refusal("unknown_stage", &field, format!("`{wanted}` is no part of the request")))?;
            stage.after.push(known.clone());
        }
        for needed in Sources::of(request, entry).stages() {
            if !stage.after.contains(&needed) {
                stage.after.push(needed);
            }
        }
    }
    check_live(request, stages)?;
    follow_loaders(stages);
    check_ends(request, stages)
}

/// A connector without an order of its own begins together with its loader.
fn follow_loaders(stages: &mut [Stage]) {
    let orders: BTreeMap<String, Vec<String>> =
        stages.iter().map(|stage| (stage.name.clone(), stage.after.clone())).collect();
    for stage in stages {
        if let Work::Store(loader) = &stage.work
            && stage.after.is_empty()
        {
            stage.after = orders.get(loader).cloned().unwrap_or_default();
        }
    }
}

/// Refuses an order in which some stage waits for one that has no end.
fn check_live(request: &WorkflowRequest, stages: &[Stage]) -> Result<(), FieldError> {
    let live = stages
        .iter()
        .find(|stage| stage.work == Work::Live && stages.iter().any(|other| other.after.contains(&stage.name)));
    let Some(live) = live else { return Ok(()) };
    let index = request.entries.iter().position(|entry| !entry.after.is_empty()).unwrap_or_default();
    let message = format!("`{}` runs until it is stopped, so nothing can come after it", live.name);
    Err(refusal("endless_stage", &format!("requests[{index}].after"), message))
}

/// Refuses an order in which some stage waits for itself.
fn check_ends(request: &WorkflowRequest, stages: &[Stage]) -> Result<(), FieldError> {
    let mut open: Vec<&Stage> = stages.iter().collect();
    loop {
        let waiting: Vec<String> = open.iter().map(|stage| stage.name.clone()).collect();
        let is_blocked = |stage: &Stage| {
            let loader = if let Work::Store(loader) = &stage.work { Some(loader) } else { None };
            stage.after.iter().chain(loader).any(|name| waiting.contains(name))
        };
        open.retain(|stage| is_blocked(stage));
        if open.is_empty() {
            return Ok(());
        }
        if open.len() == waiting.len() {
            let names = waiting.join(", ");
            let index = request.entries.iter().position(|entry| !entry.after.is_empty()).unwrap_or_default();
            let message = format!("these stages would wait for each other: {names}");
            return Err(refusal("circular_order", &format!("requests[{index}].after"), message));
        }
    }
}

fn check_size(request: &WorkflowRequest, range: TimeRange) -> Result<(), FieldError> {
    let symbols = request.symbols.len() as u64;
    let count =
        loads(request).map(|(_, kind)| slice_count(kind, range).saturating_mul(symbols)).fold(0, u64::saturating_add);
    if count <= MAX_TASKS {
        return Ok(());
    }
    let message = format!("the request would need about {count} tasks, {MAX_TASKS} are the most; ask for less at once");
    Err(refusal("too_much", "time_range", message))
}

fn unsupported(entry: &RequestEntry, field: &str) -> FieldError {
    let message = format!(
        "`{}` with the type `{}` is not available; available are {}",
        entry.target,
        entry.r#type,
        AVAILABLE.join(", ")
    );
    refusal("unsupported_target", field, message)
}

fn refusal(code: &str, field: &str, message: impl Into<String>) -> FieldError {
    FieldError { code: code.to_owned(), field: field.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests;
