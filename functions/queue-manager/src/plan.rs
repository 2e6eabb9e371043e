//! The planner: a request and what is already loaded become stages and tasks.
//!
//! Only what is missing becomes a task. The part of a range that is not over is left out.

mod learning;
mod order;
mod streams;

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
pub const AVAILABLE: [&str; 8] = [
    "loader-api-candles",
    "loader-api-trades",
    "loader-ws",
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
        loader_type: loader_type(request),
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
        // All that is live is one stage, and the connector has none for it: live batches belong to no task.
        let is_live = matches!(entry.kind, RequestKind::Stream(_));
        if is_live && (function == CONNECTOR || stages.iter().any(|stage| stage.name == name)) {
            continue;
        }
        let parameters = parameters(request, entry, &work, range, &format!("requests[{index}]"))?;
        let mut stage = Stage {
            name,
            function: function.to_owned(),
            r#type: if is_live { streams::TYPE.to_owned() } else { entry.r#type.clone() },
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
    order::set(request, &mut stages)?;
    Ok(stages)
}

/// Name of the function that does this part; none if it is not available.
fn function(entry: &RequestEntry) -> Option<&'static str> {
    match (entry.target.as_str(), &entry.kind) {
        ("loader-producer" | "loader-api-candles", RequestKind::Klines(_)) => Some("loader-api-candles"),
        ("loader-producer" | "loader-api-trades", RequestKind::Trades) => Some("loader-api-trades"),
        ("loader-producer" | streams::LOADER, RequestKind::Stream(_)) => Some(streams::LOADER),
        ("arango-connector", RequestKind::Klines(_) | RequestKind::Trades | RequestKind::Stream(_)) => Some(CONNECTOR),
        ("graph-builder", RequestKind::Graph | RequestKind::LiveGraph) => Some("graph-builder"),
        ("gnn-trainer", RequestKind::Train) => Some("gnn-trainer"),
        ("predictor", RequestKind::Infer | RequestKind::LiveInfer) => Some("predictor"),
        ("dummy-service", RequestKind::Dummy) => Some("dummy-service"),
        _ => None,
    }
}

fn stage_name(function: &str, entry: &RequestEntry) -> String {
    if let RequestKind::Stream(_) = entry.kind {
        return format!("{}/{}", streams::LOADER, streams::TYPE);
    }
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

/// Type of the first loader, live ones included.
fn loader_type(request: &WorkflowRequest) -> Option<String> {
    let is_loader = |entry: &&RequestEntry| loaded_kind(entry).is_some() || function(entry) == Some(streams::LOADER);
    request.entries.iter().find(is_loader).map(|entry| entry.r#type.clone())
}

fn work(request: &WorkflowRequest, entry: &RequestEntry, function: &str) -> Option<Work> {
    if let Some(kind) = loaded_kind(entry) {
        return Some(Work::Load(kind));
    }
    if let RequestKind::Stream(_) = entry.kind {
        return streams::types(request).any(|kind| kind == entry.r#type).then_some(Work::Stream);
    }
    if function != CONNECTOR {
        return Some(match entry.kind {
            RequestKind::Train => Work::Job,
            RequestKind::LiveInfer | RequestKind::LiveGraph => Work::Live,
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
    match entry.kind {
        RequestKind::Stream(_) => return Ok(streams::parameters(request)),
        RequestKind::Graph
        | RequestKind::LiveGraph
        | RequestKind::Train
        | RequestKind::Infer
        | RequestKind::LiveInfer => {}
        _ => return Ok(parameters),
    }
    let missing = || {
        let what = entry.r#type.as_str();
        let message = format!("`{what}` without a loader of klines in the same request must name its interval");
        refusal("missing_field", &format!("{field}.interval"), message)
    };
    let interval = interval(request, entry).ok_or_else(missing)?;
    if !matches!(entry.kind, RequestKind::Graph | RequestKind::LiveGraph) {
        learning::complete(request, entry, interval, range, field, &mut parameters)?;
        return Ok(parameters);
    }
    parameters.insert("interval".to_owned(), json!(interval));
    parameters.insert("symbols".to_owned(), json!(request.symbols));
    if entry.kind == RequestKind::Graph {
        parameters.insert("from".to_owned(), range.from().into());
        parameters.insert("to".to_owned(), range.to().into());
    }
    Ok(parameters)
}

/// The interval of the bars that a part works on: its own, else that of the graph, of the training or of the first
/// loader in the request. A live graph moves with the live bars of the request before all others; what predicts live
/// knows the bars of its model alone, so live ones are its last resort.
fn interval(request: &WorkflowRequest, entry: &RequestEntry) -> Option<Interval> {
    let of = |kind: RequestKind| request.entries.iter().find(|part| part.kind == kind)?.interval;
    let loaded = || {
        loads(request).find_map(|(_, kind)| match kind {
            SeriesKind::Klines(interval) => Some(interval),
            SeriesKind::Trades => None,
        })
    };
    let live = || streams::interval(request);
    let earlier = match entry.kind {
        RequestKind::Graph => None,
        RequestKind::LiveGraph => live().or_else(|| of(RequestKind::Graph)),
        RequestKind::Train => of(RequestKind::Graph),
        _ => of(RequestKind::Train).or_else(|| of(RequestKind::Graph)),
    };
    let last = || live().filter(|_| entry.kind == RequestKind::LiveInfer);
    entry.interval.or(earlier).or_else(loaded).or_else(last)
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
        Work::Stream => return streams::tasks(request, range, now, |number| task_id(request, stage, None, number)),
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
