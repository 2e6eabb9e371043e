//! After the runs: every query of every panel and alert finds what it asks for in the cluster's Prometheus.
//!
//! A panel's query as a whole returns numbers somewhere in the last hours, which is what Grafana draws. An alert is
//! silent while all is well, so there it is each metric that must be there, with each label that it is selected or
//! grouped by: a metric or a label of another name would keep the alert silent for ever.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::{
    dashboards::{Expression, alerts, dashboards, expression, panels},
    promql::names,
    support::Answer,
    world::world,
};

/// What is looked at: longer than all runs together take.
const SPAN: Duration = Duration::from_hours(6);
/// How far samples of an answer lie apart; Prometheus gives no more than 11,000 of them.
const STEP: Duration = Duration::from_secs(10);

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
