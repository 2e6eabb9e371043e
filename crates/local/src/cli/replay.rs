//! `streamforge replay`: a recording through the whole platform, to the same records at any speed.
//!
//! The exchange of the platform plays the recording, a live workflow of its own loads it, and the command ends when all
//! of it is stored.

mod summary;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use streamforge_bus::Bus;
use streamforge_events::{QueueId, StreamKind, parse_json, rfc3339};
use streamforge_exchange::simulator::{Contents, Source};

use super::{
    exit::{Failure, Outcome, chain},
    output::Output,
    publish, queues, remote,
    run::{self, Host, request::Request},
    streams,
    up::{PlatformArguments, ProcessArguments},
};
use crate::{
    message::Message,
    platform::{Places, parse_speed, shutdown_signal},
};
use summary::{Summary, Told};

/// Where loaders report.
const REPORTS: &str = "queue-events";
/// How often it is looked how far the replay is.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest wait for the readers of what was loaded.
const SETTLE: Duration = Duration::from_hours(1);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder of the recording.
    folder: PathBuf,
    /// File with what is to be done beside storing it: parts of a request, such as `realtime_graph`, as a JSON list.
    file: Option<PathBuf>,
    /// How many times as fast as it came, or `max`: as fast as it can be stored.
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    speed: String,
    #[command(flatten)]
    processes: ProcessArguments,
}

fn speed(text: &str) -> Result<String, String> {
    parse_speed(text).map(|_| text.to_owned())
}

pub(super) async fn execute(arguments: Arguments, places: &Places, output: Output) -> Outcome {
    let started = Instant::now();
    let stopped = shutdown_signal();
    let Arguments { folder, file, speed, processes } = arguments;
    let source = Source::capture(&folder).map_err(|error| Failure::Configuration(chain(&error)))?;
    let contents = source.contents().cloned().unwrap_or_default();
    drop(source);
    let parts = file.as_deref().map(parts).transpose()?.unwrap_or_default();
    let asked = |parts: &[Value]| Request::parse(&request(&folder, &contents, parts)?.to_string(), true);
    let live = asked(&live_parts(&contents))?;
    let beside = if parts.is_empty() { None } else { Some(asked(&parts)?) };
    if let Some(state) = places.folder().running() {
        return Err(Failure::Unavailable(format!(
            "process {} works on this data folder; stop it or name another folder by --data-dir",
            state.pid
        )));
    }
    let exchange = format!("recording:{},speed={speed}", folder.display());
    let host = Host::start(PlatformArguments { exchange, processes }, places).await?;
    let played = tokio::select! {
        played = play(&live, beside.as_ref(), &host) => played,
        () = stopped => Err(Failure::Interrupted),
    };
    let summary = match played {
        Ok(told) => Summary::read(host.store.as_ref(), &contents, told, started.elapsed()).await,
        Err(failure) => Err(failure),
    };
    host.stop().await;
    let summary = summary?;
    summary.print(output)?;
    summary.check()
}

/// The parts of a request that stand in a file, by themselves or in a whole request.
fn parts(file: &Path) -> Result<Vec<Value>, Failure> {
    let invalid = |reason: String| Failure::Configuration(format!("`{}` is not valid: {reason}", file.display()));
    let text = publish::read(file)?;
    let body: Value = parse_json(text.as_bytes()).map_err(|error| invalid(format!("it is not JSON: {error}")))?;
    let list = body.get("requests").unwrap_or(&body).as_array().cloned();
    list.ok_or_else(|| invalid("write a list of parts of a request".to_owned()))
}

/// A request of these parts for all symbols of a recording.
fn request(folder: &Path, contents: &Contents, parts: &[Value]) -> Result<Value, Failure> {
    let symbols: Vec<&String> = contents.records.keys().collect();
    if symbols.is_empty() {
        return Err(Failure::Configuration(format!(
            "`{}` has no frames that the platform loads: it listens to aggTrade, kline_<interval> and depth@100ms",
            folder.display()
        )));
    }
    let day = |time: i64| rfc3339(time)[..10].to_owned();
    let (first, last) = contents.span;
    Ok(json!({"symbols": symbols, "time_range": format!("{}:{}", day(first), day(last)), "requests": parts}))
}

/// Parts of a request for all that the platform can load of a recording.
fn live_parts(contents: &Contents) -> Vec<Value> {
    let mut kinds: Vec<StreamKind> = contents.records.values().flatten().map(|(kind, _)| *kind).collect();
    kinds.sort();
    kinds.dedup();
    kinds.into_iter().map(|kind| json!({"target": "loader-producer", "type": streams::name(kind)})).collect()
}

/// Plays the recording to its end, until all of it is stored and has come to who is beside; answers what the loaders
/// told.
async fn play(live: &Request, beside: Option<&Request>, host: &Host) -> Result<Told, Failure> {
    if let Some(beside) = beside {
        run::begin(beside, host).await?;
        // Who hears of new bars has to listen before the first one comes.
        until(host, &beside.queue_id, has_begun).await?;
        host.settle(SETTLE).await;
    }
    let mut next = host.bus.end_offsets(REPORTS).await?;
    run::begin(live, host).await?;
    let queue_id = &live.queue_id;
    let mut tasks: BTreeMap<String, Told> = BTreeMap::new();
    loop {
        for report in reports(host.bus.as_ref(), &mut next).await? {
            if report["queue_id"] == queue_id.as_str()
                && report["extra"]["over"] == true
                && let Some(task) = report["task"].as_str()
            {
                tasks.insert(task.to_owned(), Told::read(&report["extra"]));
            }
        }
        let document = queues::document(host.store.as_ref(), queue_id).await?;
        if queues::is_final(&document) {
            queues::ended(&document)?;
        }
        let wanted = all_tasks(&document).count();
        if wanted > 0 && tasks.len() >= wanted {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    // What was loaded is in the log; now it comes to the store and to who follows it.
    host.settle(SETTLE).await;
    for queue_id in beside.iter().map(|beside| &beside.queue_id).chain([queue_id]) {
        let path = format!("/queues/stop?queue_id={queue_id}");
        remote::post_api(&remote::client()?, &host.state.api_url, &path, None).await?;
        until(host, queue_id, queues::is_final).await?;
    }
    let told: Told = tasks.into_values().sum();
    Ok(told.of(queue_id))
}

/// Waits until a workflow has come so far; one that ends before has failed.
async fn until(host: &Host, queue_id: &QueueId, is_so_far: fn(&Value) -> bool) -> Outcome {
    loop {
        let document = queues::document(host.store.as_ref(), queue_id).await?;
        if is_so_far(&document) {
            return Ok(());
        }
        if queues::is_final(&document) {
            queues::ended(&document)?;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether each task of a workflow is at work, or done.
fn has_begun(document: &Value) -> bool {
    all_tasks(document).next().is_some()
        && all_tasks(document).all(|task| matches!(task["state"].as_str(), Some("started" | "done")))
}

fn all_tasks(document: &Value) -> impl Iterator<Item = &Value> {
    let stages = document["stages"].as_array().into_iter().flatten();
    stages.flat_map(|stage| stage["tasks"].as_array().into_iter().flatten())
}

/// The reports that came since the last time.
async fn reports(bus: &dyn Bus, next: &mut [u64]) -> Result<Vec<Value>, Failure> {
    let mut reports = Vec::new();
    for (partition, next) in (0..).zip(next) {
        loop {
            let records = bus.read(REPORTS, partition, *next, 500, 8 << 20).await?;
            let Some(last) = records.last() else { break };
            *next = last.offset + 1;
            let messages = records.into_iter().filter_map(|record| Message::from_record(record.record).ok());
            reports.extend(messages.filter_map(|message| serde_json::from_slice(message.body()).ok()));
        }
    }
    Ok(reports)
}

#[cfg(test)]
mod tests {
    use streamforge_events::Interval;

    use super::*;

    #[test]
    fn all_that_was_recorded_is_asked_for() {
        let bars = StreamKind::Klines(Interval::M1);
        let contents = Contents {
            records: BTreeMap::from([
                ("A".to_owned(), vec![(StreamKind::Trades, 2), (bars, 1)]),
                ("B".to_owned(), vec![(bars, 1)]),
            ]),
            interruptions: 0,
            span: (1_723_161_253_937, 1_723_161_600_001),
        };
        let asked = request(Path::new("f"), &contents, &live_parts(&contents)).unwrap();
        assert_eq!(asked["symbols"], json!(["A", "B"]));
        assert_eq!(asked["time_range"], "2024-08-08:2024-08-09");
        let types: Vec<_> = asked["requests"].as_array().unwrap().iter().map(|part| &part["type"]).collect();
        assert_eq!(types, ["ws_trades", "ws_candles_1m"]);
        let Err(Failure::Configuration(told)) = request(Path::new("f"), &Contents::default(), &[]) else {
            panic!("a recording without frames is taken");
        };
        assert!(told.contains("`f`"), "{told}");
    }
}
