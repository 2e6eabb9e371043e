//! Samples of a cluster's functions and jobs: replicas and lag, as its Prometheus has them from KEDA and Argo Rollouts.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use reqwest::{Client, Url};
use serde::Deserialize;
use streamforge_events::Millis;
use streamforge_function::{ConfigError, Context, chain, http_client};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::{FunctionState, Kind, Samples};

/// As far apart are looks: pods are asked as often.
const STEP: Duration = Duration::from_secs(5);
const STEP_MILLIS: Millis = 5_000;

/// As far back is read at first, and after a silence.
const SPAN_MILLIS: Millis = 15 * 60_000;

const TIMEOUT: Duration = Duration::from_secs(10);

/// What waits for whom: KEDA names what it scales in one label, whichever kind it is.
const LAG: Question =
    Question { query: "sum by (scaledObject, type) (keda_scaler_metrics_value)", name: "scaledObject" };
const READY: Question = Question { query: "max by (name) (rollout_info_replicas_available)", name: "name" };
const WANTED: Question = Question { query: "max by (name) (rollout_info_replicas_desired)", name: "name" };

/// A query, and the label of its answer that has the name of the function.
struct Question {
    query: &'static str,
    name: &'static str,
}

/// A Prometheus that watches the cluster.
#[derive(Clone)]
pub(crate) struct Prometheus {
    http: Client,
    range: Url,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// It did not answer.
    #[error("Prometheus could not be asked for `{query}`")]
    Unanswered {
        /// What was asked.
        query: &'static str,
        #[source]
        source: reqwest::Error,
    },
    /// Its answer is none of Prometheus's.
    #[error("Prometheus gave an answer to `{query}` that cannot be read")]
    Unreadable {
        /// What was asked.
        query: &'static str,
        #[source]
        source: serde_json::Error,
    },
}

impl Prometheus {
    /// The Prometheus at the URL in the setting of this name.
    ///
    /// # Errors
    /// [`ConfigError`] where it is no URL that can be asked.
    pub(crate) fn new(setting: &str, url: &str) -> Result<Self, ConfigError> {
        let invalid = || ConfigError::invalid(setting, "an http or https URL");
        let base: Url = url.parse().map_err(|_| invalid())?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(invalid());
        }
        let range = format!("{}/api/v1/query_range", base.as_str().trim_end_matches('/'));
        let range = range.parse().map_err(|_| invalid())?;
        Ok(Self { http: http_client(&base, TIMEOUT).map_err(|_| invalid())?, range })
    }

    /// Adds looks to the samples, those of the last minutes first, until the process drains.
    pub(crate) async fn follow(self, samples: Samples, context: Context) {
        let mut next = Millis::MIN;
        let mut was_silent = false;
        let mut ticks = interval(STEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let draining = context.draining();
        tokio::pin!(draining);
        loop {
            tokio::select! {
                () = &mut draining => return,
                _ = ticks.tick() => {}
            }
            let now = context.now();
            next = next.max(now - SPAN_MILLIS);
            // Looks stand at full steps, whoever asks: the same ones come again after a start.
            next += (STEP_MILLIS - next.rem_euclid(STEP_MILLIS)) % STEP_MILLIS;
            if next > now {
                continue;
            }
            match self.looks(next, now).await {
                Ok(looks) => {
                    if was_silent {
                        info!("Prometheus answers again");
                    }
                    was_silent = false;
                    for (at, functions) in looks {
                        samples.add(at, functions);
                        next = at + STEP_MILLIS;
                    }
                }
                Err(error) => {
                    if !was_silent {
                        warn!(error = chain(&error), "replicas and lag are not known");
                    }
                    was_silent = true;
                }
            }
        }
    }

    async fn looks(&self, from: Millis, to: Millis) -> Result<BTreeMap<Millis, Vec<FunctionState>>, Error> {
        let (lag, ready, wanted) =
            tokio::try_join!(self.ask(&LAG, from, to), self.ask(&READY, from, to), self.ask(&WANTED, from, to),)?;
        Ok(looks(&lag, &ready, &wanted))
    }

    async fn ask(&self, question: &Question, from: Millis, to: Millis) -> Result<Vec<Series>, Error> {
        let query = question.query;
        // The URL may have a password.
        let unanswered = |source: reqwest::Error| Error::Unanswered { query, source: source.without_url() };
        let seconds = |millis: Millis| format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000));
        let (from, to, step) = (seconds(from), seconds(to), STEP.as_secs().to_string());
        let parameters = [("query", query), ("start", &from), ("end", &to), ("step", &step)];
        let mut url = self.range.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        let answer =
            self.http.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(unanswered)?;
        let body = answer.bytes().await.map_err(unanswered)?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|source| Error::Unreadable { query, source })?;
        Ok(answer.data.result.into_iter().filter_map(|matrix| matrix.series(question.name)).collect())
    }
}

/// An answer to a query over a range.
///
/// # Source
/// <https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries>
#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Matrix>,
}

/// The values of one combination of labels, each with its time in seconds.
#[derive(Deserialize)]
struct Matrix {
    metric: BTreeMap<String, String>,
    values: Vec<(f64, String)>,
}

/// What one function's values were.
struct Series {
    name: String,
    kind: Kind,
    values: BTreeMap<Millis, u64>,
}

impl Matrix {
    /// The series of a function, whose name is in this label.
    fn series(mut self, label: &str) -> Option<Series> {
        let name = self.metric.remove(label)?;
        let is_job = self.metric.get("type").is_some_and(|kind| kind == "scaledjob");
        let kind = if is_job { Kind::Job } else { Kind::Function };
        let values = self.values.into_iter().filter_map(|(at, value)| Some((millis(at), whole(&value)?)));
        Some(Series { name, kind, values: values.collect() })
    }
}

/// The functions at each time at which the lag of any was known.
fn looks(lag: &[Series], ready: &[Series], wanted: &[Series]) -> BTreeMap<Millis, Vec<FunctionState>> {
    let times: BTreeSet<Millis> = lag.iter().flat_map(|series| series.values.keys().copied()).collect();
    let at_time = |at: Millis| {
        let function = |series: &Series| {
            let value = |of: &[Series]| {
                let own = of.iter().find(|other| other.name == series.name)?;
                own.values.get(&at).map(|value| u32::try_from(*value).unwrap_or(u32::MAX))
            };
            // Nobody counts the runs of jobs.
            let counted = |of: Option<u32>| (series.kind == Kind::Function).then(|| of.unwrap_or(0));
            FunctionState {
                name: series.name.clone(),
                kind: series.kind,
                replicas: counted(value(ready)),
                wanted: counted(value(wanted)),
                lag: series.values.get(&at).copied().unwrap_or(0),
                max: None,
                cold_starts: None,
            }
        };
        (at, lag.iter().map(function).collect())
    };
    times.into_iter().map(at_time).collect()
}

/// Milliseconds of seconds with a fraction.
#[expect(clippy::cast_possible_truncation, reason = "a cast of floats saturates")]
fn millis(seconds: f64) -> Millis {
    (seconds * 1000.0).round() as Millis
}

/// A number of things, where it is one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is none below zero, and saturates")]
fn whole(value: &str) -> Option<u64> {
    let value: f64 = value.parse().ok()?;
    (value >= 0.0).then(|| value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(question: &Question, answer: &str) -> Vec<Series> {
        let answer: Answer = serde_json::from_str(answer).unwrap();
        answer.data.result.into_iter().filter_map(|matrix| matrix.series(question.name)).collect()
    }

    #[test]
    fn answers_become_functions_by_time() {
        let lag = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"scaledObject":"predictor","type":"scaledobject"},"values":[[5,"7"],[10,"0"]]},
            {"metric":{"scaledObject":"gnn-trainer","type":"scaledjob"},"values":[[10,"1"]]},
            {"metric":{"type":"scaledobject"},"values":[[15,"1"]]}]}}"#;
        let ready = r#"{"data":{"result":[{"metric":{"name":"predictor"},"values":[[5,"0"],[10,"2"]]}]}}"#;
        let wanted = r#"{"data":{"result":[{"metric":{"name":"predictor"},"values":[[5,"1"],[10,"NaN"]]}]}}"#;
        let found = looks(&series(&LAG, lag), &series(&READY, ready), &series(&WANTED, wanted));
        let shown: Vec<_> = found
            .iter()
            .flat_map(|(at, functions)| functions.iter().map(move |one| (*at, one)))
            .map(|(at, one)| (at, one.name.as_str(), one.kind, one.replicas, one.wanted, one.lag))
            .collect();
        let expected = [
            (5_000, "predictor", Kind::Function, Some(0), Some(1), 7),
            (5_000, "gnn-trainer", Kind::Job, None, None, 0),
            (10_000, "predictor", Kind::Function, Some(2), Some(0), 0),
            (10_000, "gnn-trainer", Kind::Job, None, None, 1),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn numbers_are_whole_or_none() {
        let cases =
            [("3", Some(3)), ("2.6", Some(3)), ("-1", None), ("NaN", None), ("+Inf", Some(u64::MAX)), ("x", None)];
        for (text, expected) in cases {
            assert_eq!(whole(text), expected, "{text}");
        }
    }

    #[test]
    fn only_a_web_address_is_taken() {
        for url in ["moon", "ftp://prometheus", "sqlite:///x", ""] {
            let error = Prometheus::new("STREAMFORGE_PROMETHEUS_URL", url).err().unwrap().to_string();
            assert!(error.contains("STREAMFORGE_PROMETHEUS_URL") && error.contains("an http or https URL"), "{error}");
        }
        let prometheus = Prometheus::new("X", "http://prometheus:9090/base/").unwrap();
        assert_eq!(prometheus.range.as_str(), "http://prometheus:9090/base/api/v1/query_range");
    }
}
