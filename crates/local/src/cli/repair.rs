//! `streamforge repair`: a new log and a new store of all that can be read of damaged ones.

use std::path::{Path, PathBuf};

use queue_manager::document::Status;
use serde::Serialize;
use streamforge_bus::SqliteBus;
use streamforge_events::{Millis, rfc3339};
use streamforge_store::Missing;

use super::{
    exit::{Failure, Outcome},
    output::{self, Output},
};
use crate::platform::Places;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

/// What was done to which file; none if it is whole.
#[derive(Debug, Serialize)]
struct Report {
    log: Option<Log>,
    store: Option<Store>,
}

#[derive(Debug, Serialize)]
struct Log {
    /// Where the damaged file lies now.
    damaged: PathBuf,
    topics: usize,
    records: u64,
    groups: usize,
    gone: Vec<Gone>,
}

#[derive(Debug, Serialize)]
struct Gone {
    topic: String,
    partition: u32,
    /// Offset of the first record that is gone.
    from: u64,
    /// Offset of the record after the last one that is gone.
    to: u64,
}

#[derive(Debug, Serialize)]
struct Store {
    /// Where the damaged file lies now.
    damaged: PathBuf,
    tables: Vec<Table>,
    missing: Vec<Range>,
    nameless: u64,
    graphs: Vec<String>,
    workflows: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Table {
    name: String,
    rows: u64,
    /// In how many places rows could not be read.
    unreadable: usize,
}

/// A time of which a series may lack rows.
#[derive(Debug, Serialize)]
struct Range {
    series: String,
    from: Option<String>,
    to: Option<String>,
}

pub(super) async fn execute(_: Arguments, places: &Places, output: Output) -> Outcome {
    let folder = places.folder();
    if !folder.root().is_dir() {
        let shown = folder.root().display();
        return Err(Failure::Unavailable(format!("there is no data in `{shown}`; name another folder by --data-dir")));
    }
    let _lock = folder.lock().await?;
    // Each is told before the next is begun: what is done stays done.
    let log = log(&folder.bus())?;
    if !output.is_json() {
        log.as_ref().map_or_else(|| is_whole("log"), print_log)?;
    }
    let store = store(&folder.store())?;
    if output.is_json() {
        return Ok(output::value(&Report { log, store })?);
    }
    store.as_ref().map_or_else(|| is_whole("store"), print_store)
}

fn log(path: &Path) -> Result<Option<Log>, Failure> {
    match SqliteBus::check_whole(path) {
        Ok(()) => return Ok(None),
        Err(error @ streamforge_bus::Error::Schema { .. }) => return Err(error.into()),
        Err(_) => {}
    }
    let streamforge_bus::Repair { damaged, topics, records, groups, gone } = streamforge_bus::repair(path)?;
    let gone = gone.into_iter().map(|gone| Gone {
        topic: gone.topic,
        partition: gone.partition,
        from: gone.from,
        to: gone.to,
    });
    Ok(Some(Log { damaged, topics, records, groups, gone: gone.collect() }))
}

fn store(path: &Path) -> Result<Option<Store>, Failure> {
    let is_over = |status: &str| Status::parse(status).is_some_and(Status::is_terminal);
    let Some(repair) = streamforge_store::repair(path, is_over)? else { return Ok(None) };
    let instant = |time: Option<Millis>| time.map(rfc3339);
    let range =
        |Missing { series, from, to }| Range { series: format!("{series}"), from: instant(from), to: instant(to) };
    let tables = repair.tables.into_iter();
    Ok(Some(Store {
        damaged: repair.damaged,
        tables: tables.map(|kept| Table { name: kept.table, rows: kept.rows, unreadable: kept.holes }).collect(),
        missing: repair.missing.into_iter().map(range).collect(),
        nameless: repair.nameless,
        graphs: repair.graphs,
        workflows: repair.workflows,
    }))
}

fn is_whole(what: &str) -> Outcome {
    Ok(output::line(&format!("the {what} is whole"))?)
}

fn print_log(log: &Log) -> Outcome {
    output::line(&format!(
        "kept {} records of {} topics and {} offsets of consumer groups",
        log.records, log.topics, log.groups
    ))?;
    for Gone { topic, partition, from, to } in &log.gone {
        let last = to.saturating_sub(1);
        output::line(&format!("gone: {topic} partition {partition}, offsets {from} to {last}"))?;
    }
    Ok(output::line(&format!("the damaged log is now {}", log.damaged.display()))?)
}

fn print_store(store: &Store) -> Outcome {
    for Table { name, rows, unreadable } in &store.tables {
        let places = match unreadable {
            0 => String::new(),
            1 => "; rows in 1 place could not be read".to_owned(),
            places => format!("; rows in {places} places could not be read"),
        };
        output::line(&format!("kept {rows} rows of {name}{places}"))?;
    }
    for Range { series, from, to } in &store.missing {
        let from = from.as_deref().unwrap_or("its beginning");
        let to = to.as_deref().unwrap_or("its end");
        output::line(&format!("may be gone: {series} from {from} to {to}"))?;
    }
    if store.nameless > 0 {
        output::line(&format!("gone: {} rows of series whose names are lost", store.nameless))?;
    }
    for graph in &store.graphs {
        output::line(&format!("gone: graph {graph}"))?;
    }
    for workflow in &store.workflows {
        output::line(&format!("gone: workflow {workflow}, which was under way"))?;
    }
    if !(store.missing.is_empty() && store.graphs.is_empty() && store.nameless == 0) {
        output::line("what may be gone no longer counts as loaded: `streamforge run FILE --again` loads it again")?;
    }
    Ok(output::line(&format!("the damaged store is now {}", store.damaged.display()))?)
}

#[cfg(test)]
mod tests {
    use streamforge_bus::{Bus, Record, TopicConfig};
    use streamforge_store::SqliteStore;

    use super::*;
    use crate::platform::Urls;

    #[tokio::test]
    async fn a_running_platform_keeps_its_files_and_whole_ones_stay() {
        let temporary = tempfile::tempdir().unwrap();
        let places = Places::new(temporary.path(), Urls::default()).unwrap();
        let folder = places.folder();
        let bus = SqliteBus::open(&folder.bus()).unwrap();
        bus.create_topic("t", &TopicConfig::default()).await.unwrap();
        bus.publish("t", Record::default()).await.unwrap();
        drop(bus);
        drop(SqliteStore::open(&folder.store()).await.unwrap());
        let repair = || execute(Arguments {}, &places, Output::new(true));
        let is_aside = |name: &str| temporary.path().join(format!("{name}.db.damaged-1")).exists();

        repair().await.unwrap();
        assert!(!is_aside("bus") && !is_aside("store"), "both are whole");
        for path in [folder.bus(), folder.store()] {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[..100].fill(7);
            std::fs::write(&path, bytes).unwrap();
        }
        let lock = folder.lock().await.unwrap();
        assert!(matches!(repair().await, Err(Failure::Unavailable(_))));
        assert!(!is_aside("bus") && !is_aside("store"), "somebody uses them");
        drop(lock);
        repair().await.unwrap();
        assert!(is_aside("bus") && is_aside("store"));
        let bus = SqliteBus::open(&folder.bus()).unwrap();
        assert_eq!(bus.end_offsets("t").await.unwrap(), [1]);
        SqliteStore::check(&folder.store()).await.unwrap();
    }
}
