//! `streamforge repair`: a new log of all that can be read of a damaged one.

use std::path::PathBuf;

use serde::Serialize;
use streamforge_bus::Repair;

use super::{
    exit::{Failure, Outcome},
    output::{self, Output},
};
use crate::platform::Places;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

#[derive(Debug, Serialize)]
struct Report {
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

pub(super) async fn execute(_: Arguments, places: &Places, output: Output) -> Outcome {
    let folder = places.folder();
    if !folder.root().is_dir() {
        let shown = folder.root().display();
        return Err(Failure::Unavailable(format!("there is no data in `{shown}`; name another folder by --data-dir")));
    }
    let _lock = folder.lock().await?;
    let Repair { damaged, topics, records, groups, gone } = streamforge_bus::repair(&folder.bus())?;
    let gone = gone.into_iter().map(|gone| Gone {
        topic: gone.topic,
        partition: gone.partition,
        from: gone.from,
        to: gone.to,
    });
    let report = Report { damaged, topics, records, groups, gone: gone.collect() };
    if output.is_json() {
        output::value(&report)?;
        return Ok(());
    }
    output::line(&format!(
        "kept {} records of {} topics and {} offsets of consumer groups",
        report.records, report.topics, report.groups
    ))?;
    for Gone { topic, partition, from, to } in &report.gone {
        let last = to.saturating_sub(1);
        output::line(&format!("gone: {topic} partition {partition}, offsets {from} to {last}"))?;
    }
    output::line(&format!("the damaged log is now {}", report.damaged.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use streamforge_bus::{Bus, Record, SqliteBus, TopicConfig};

    use super::*;
    use crate::platform::Urls;

    #[tokio::test]
    async fn a_running_platform_keeps_its_log() {
        let temporary = tempfile::tempdir().unwrap();
        let places = Places::new(temporary.path(), Urls::default()).unwrap();
        let folder = places.folder();
        let bus = SqliteBus::open(&folder.bus()).unwrap();
        bus.create_topic("t", &TopicConfig::default()).await.unwrap();
        bus.publish("t", Record::default()).await.unwrap();
        drop(bus);
        let repair = || execute(Arguments {}, &places, Output::new(true));

        let lock = folder.lock().await.unwrap();
        assert!(matches!(repair().await, Err(Failure::Unavailable(_))));
        assert!(!temporary.path().join("bus.db.damaged-1").exists());
        drop(lock);
        repair().await.unwrap();
        assert!(temporary.path().join("bus.db.damaged-1").exists());
        let bus = SqliteBus::open(&folder.bus()).unwrap();
        assert_eq!(bus.end_offsets("t").await.unwrap(), [1]);
    }
}
