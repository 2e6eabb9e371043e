//! After the runs: every query of every panel and alert finds what it asks for in the cluster's Prometheus, and so do
//! the pages.
//!
//! A panel's query as a whole returns numbers somewhere in the last hours, which is what Grafana draws. An alert is
//! silent while all is well, so there it is each metric that must be there, with each label that it is selected or
//! grouped by: a metric or a label of another name would keep the alert silent for ever.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::{
    dashboards::{Expression, alerts, dashboards, expression, panels},
    promql::names,
    support::{Answer, dummy, until_within},
    world::{PATIENCE, quiet, world},
};

/// What is looked at: longer than all runs together take.
const SPAN: Duration = Duration::from_hours(6);
/// How far samples of an answer lie apart; Prometheus gives no more than 11,000 of them.
const STEP: Duration = Duration::from_secs(10);

/// What the pages are looked at for.
const FUNCTION: &str = "dummy-service";
/// How long its event keeps a pod at work.
const WORK_MILLIS: u64 = 2_000;

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn every_panel_and_alert_has_data() {
    let prometheus = world().prometheus();
    let panels: Vec<Expression> = dashboards().iter().flat_map(panels).collect();
    let alerts: Vec<Expression> = alerts().iter().map(expression).collect();
    assert!(panels.len() > 20 && alerts.len() > 10, "{} {}", panels.len(), alerts.len());
    let mut problems: Vec<String> = panels.iter().filter_map(|panel| without_data(&prometheus, panel)).collect();
    problems.extend(alerts.iter().flat_map(|alert| without_metrics(&prometheus, alert)));
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    println!("{} queries of panels and {} alerts have data", panels.len(), alerts.len());
}

#[test]
#[ignore = "needs the cluster of `make e2e`"]
fn the_pages_show_how_functions_scale() {
    let world = world();
    quiet(world);
    let pages = world.url("streamforge", "visualizer");
    let shown = || Answer::get(&format!("{pages}/views/platform")).body["data"].clone();
    let state = |name: &'static str| {
        let functions = shown()["functions"].take();
        functions.as_array()?.iter().find(|function| function["name"] == name).cloned()
    };
    let job = until_within("jobs to be shown", PATIENCE, || state("gnn-trainer"));
    assert_eq!(job["kind"], "job", "{job:#}");
    until_within("an idle function to be shown", PATIENCE, || {
        state(FUNCTION).filter(|function| function["replicas"] == 0 && function["kind"] == "function")
    });
    let inbox = format!("{}/streamforge/{FUNCTION}", world.url("knative-eventing", "kafka-broker-ingress"));
    assert_eq!(dummy::post(&inbox, "shown", WORK_MILLIS), Some(202));
    until_within("a replica to be shown", PATIENCE, || {
        state(FUNCTION).filter(|function| function["replicas"].as_u64() > Some(0))
    });
    until_within("it to be shown gone", PATIENCE, || state(FUNCTION).filter(|function| function["replicas"] == 0));
    let samples = shown()["samples"].take();
    let replicas = |sample: &Value| sample["functions"][FUNCTION][0].as_u64().unwrap_or(0);
    let seen: Vec<u64> = samples.as_array().unwrap().iter().map(replicas).collect();
    assert!(seen.iter().any(|replicas| *replicas > 0), "{seen:?}");
    println!("{} samples of functions and jobs from Prometheus", seen.len());
}

/// The complaint that a panel's query returns no number.
fn without_data(prometheus: &str, panel: &Expression) -> Option<String> {
    let (query, span, step) = (encoded(&panel.text), span(), STEP.as_secs());
    let query = format!("query_range?query={query}&{span}&step={step}");
    let data = ask(prometheus, &query);
    let series = data["result"].as_array().map_or(&[][..], Vec::as_slice);
    let values = series.iter().flat_map(|series| series["values"].as_array().into_iter().flatten());
    let mut numbers = values.filter_map(|sample| sample[1].as_str()?.parse::<f64>().ok());
    let has_number = numbers.any(f64::is_finite);
    (!has_number).then(|| format!("{}: no data for {}", panel.place, panel.text))
}

/// Complaints about metrics and labels of an alert that are not there.
fn without_metrics(prometheus: &str, alert: &Expression) -> Vec<String> {
    let names = names(&alert.text);
    let mut problems = Vec::new();
    let mut seen = Vec::new();
    for selector in &names.selectors {
        let query = format!("series?match[]={}&{}", encoded(&selector.metric), span());
        let series = ask(prometheus, &query).as_array().cloned().unwrap_or_default();
        if series.is_empty() {
            problems.push(format!("{}: nobody tells {}", alert.place, selector.metric));
        }
        let missing = selector.labels.iter().filter(|label| !series.iter().any(|series| series[*label].is_string()));
        problems.extend(missing.map(|label| format!("{}: {} has no label {label}", alert.place, selector.metric)));
        seen.extend(series);
    }
    let missing = names.grouping.iter().filter(|label| !seen.iter().any(|series| series[*label].is_string()));
    problems.extend(missing.map(|label| format!("{}: nothing has the label {label}", alert.place)));
    problems
}

/// The time that is looked at, as Prometheus's API takes it.
fn span() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("start={}&end={}", now.saturating_sub(SPAN).as_secs(), now.as_secs())
}

/// The data of an answer of Prometheus's API.
fn ask(prometheus: &str, query: &str) -> Value {
    let mut answer = Answer::get(&format!("{prometheus}/api/v1/{query}"));
    assert_eq!(answer.body["status"], "success", "{query}: {answer:?}");
    answer.body["data"].take()
}

/// A text as it stands in a URL.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
