//! `streamforge status`: topics, consumer groups with their lag, and workers.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    exit::{Failure, Outcome},
    output::{self, Output},
    remote::existing_bus,
};
use crate::{
    platform::{JobCounts, Places, State},
    supervisor::Counts,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

/// Everything that the command shows.
#[derive(Debug, Serialize)]
struct Report {
    /// The running platform, or null.
    platform: Option<State>,
    topics: Vec<Topic>,
    groups: Vec<Group>,
    workers: BTreeMap<String, Counts>,
    jobs: BTreeMap<String, JobCounts>,
}

#[derive(Debug, Serialize)]
struct Topic {
    name: String,
    partitions: u32,
    /// Sum of the oldest offsets held.
    start: u64,
    /// Sum of the offsets that come next.
    end: u64,
    records: u64,
}

#[derive(Debug, Serialize)]
struct Group {
    name: String,
    topic: String,
    /// Sum of the committed offsets.
    committed: u64,
    lag: u64,
    /// Records that were held no longer when the group came to them.
    lost: u64,
}

pub(super) async fn execute(_: Arguments, places: &Places, output: Output) -> Outcome {
    let folder = places.folder();
    let report = report(places).await?;
    if output.is_json() {
        output::value(&report)?;
        return Ok(());
    }
    match &report.platform {
        Some(state) => {
            output::line(&format!(
                "platform   process {}, ingress {}, API {}",
                state.pid, state.ingress_url, state.api_url
            ))?;
            output::line(&format!("exchange   {} at {}", state.exchange, state.exchange_url))?;
        }
        None => output::line("platform   not running")?,
    }
    output::line(&format!("data       {}\n", folder.root().display()))?;
    print(&report)
}

async fn report(places: &Places) -> Result<Report, Failure> {
    let bus = existing_bus(places)?;
    let topics = bus.topics().await?.into_iter().map(|topic| {
        let start = topic.offsets.iter().map(|offsets| offsets.start).sum();
        let end = topic.offsets.iter().map(|offsets| offsets.end).sum();
        Topic { name: topic.name, partitions: topic.config.partitions, start, end, records: end - start }
    });
    let topics = topics.collect();
    let mut sums: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    for offset in bus.groups().await? {
        let (committed, lost) = sums.entry((offset.group, offset.topic)).or_default();
        *committed += offset.next;
        *lost += offset.lost;
    }
    let mut groups = Vec::new();
    for ((name, topic), (committed, lost)) in sums {
        let lag = bus.lag(&name, &topic).await?.into_iter().sum();
        groups.push(Group { name, topic, committed, lag, lost });
    }
    let platform = places.folder().running();
    let workers = platform.as_ref().map(|state| state.workers.clone()).unwrap_or_default();
    let jobs = platform.as_ref().map(|state| state.jobs.clone()).unwrap_or_default();
    Ok(Report { platform, topics, groups, workers, jobs })
}

fn print(report: &Report) -> Outcome {
    let rows: Vec<Vec<String>> = report
        .topics
        .iter()
        .map(|topic| {
            let numbers = [u64::from(topic.partitions), topic.start, topic.end, topic.records];
            row(&[&topic.name], &numbers)
        })
        .collect();
    output::table(&["topic", "partitions", "start", "end", "records"], &[1, 2, 3, 4], &rows)?;
    output::line("")?;
    let rows: Vec<Vec<String>> = report
        .groups
        .iter()
        .map(|group| row(&[&group.name, &group.topic], &[group.committed, group.lag, group.lost]))
        .collect();
    output::table(&["consumer group", "topic", "committed", "lag", "lost"], &[2, 3, 4], &rows)?;
    output::line("")?;
    let rows: Vec<Vec<String>> = report
        .workers
        .iter()
        .map(|(name, counts)| {
            let numbers = [counts.desired, counts.starting, counts.ready, counts.stopping].map(u64::from);
            row(&[name], &[&numbers[..], &[counts.crashes]].concat())
        })
        .collect();
    output::table(&["function", "desired", "starting", "ready", "stopping", "crashes"], &[1, 2, 3, 4, 5], &rows)?;
    output::line("")?;
    let numbers = |counts: &JobCounts| [counts.pending.into(), counts.running.into(), counts.done, counts.failed];
    let rows: Vec<Vec<String>> = report.jobs.iter().map(|(name, counts)| row(&[name], &numbers(counts))).collect();
    output::table(&["job", "pending", "running", "done", "failed"], &[1, 2, 3, 4], &rows)?;
    Ok(())
}

fn row(texts: &[&str], numbers: &[u64]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).chain(numbers.iter().map(ToString::to_string)).collect()
}

#[cfg(test)]
mod tests {
    use streamforge_bus::{Bus as _, Record, SqliteBus, TopicConfig};

    use super::*;
    use crate::platform::Urls;

    #[tokio::test]
    async fn a_folder_without_data_is_said() {
        let temporary = tempfile::tempdir().unwrap();
        let places = Places::new(temporary.path(), Urls::default()).unwrap();
        assert!(matches!(report(&places).await, Err(Failure::Unavailable(_))));
    }

    #[tokio::test]
    async fn topics_groups_and_lag_are_summed_over_partitions() {
        let temporary = tempfile::tempdir().unwrap();
        let places = Places::new(temporary.path(), Urls::default()).unwrap();
        let bus = SqliteBus::open(&places.folder().bus()).unwrap();
        bus.create_topic("market-data", &TopicConfig { partitions: 2, ..TopicConfig::default() }).await.unwrap();
        let mut appended = Vec::new();
        for _ in 0..4 {
            appended.push(bus.publish("market-data", Record::default()).await.unwrap());
        }
        let (partition, offset) = appended[0];
        bus.commit("connector", "market-data", partition, offset + 1).await.unwrap();
        bus.record_loss("connector", "market-data", partition, 0, 7).await.unwrap();
        let report = report(&places).await.unwrap();
        assert!(report.platform.is_none());
        let topic = &report.topics[0];
        assert_eq!((topic.name.as_str(), topic.partitions, topic.records), ("market-data", 2, 4));
        let group = &report.groups[0];
        assert_eq!((group.name.as_str(), group.committed, group.lag, group.lost), ("connector", 1, 3, 7));
    }
}
