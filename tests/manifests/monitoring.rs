//! Dashboards and alerts: they ask for metrics that are there, say what to do, and fire when they should.

use std::{
    collections::BTreeSet,
    fs, io,
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::{
    dashboards::{Expression, alerts, dashboards, expression, manifests, panels},
    promql, schemas,
    tree::{Object, root},
};

/// Metrics of others, and where they are described.
const FOREIGN: [(&str, &str); 7] = [
    ("up", "https://prometheus.io/docs/concepts/jobs_instances/"),
    ("keda_build_info", KEDA),
    ("keda_scaler_metrics_value", KEDA),
    ("keda_scaler_detail_errors_total", KEDA),
    ("rollout_info", ROLLOUTS),
    ("rollout_info_replicas_available", ROLLOUTS),
    ("rollout_info_replicas_desired", ROLLOUTS),
];
const KEDA: &str = "https://keda.sh/docs/latest/integrations/prometheus/#operator";
const ROLLOUTS: &str = "https://argo-rollouts.readthedocs.io/en/stable/features/controller-metrics/";

const RUNBOOK: &str = "docs/operations/monitoring.md";

#[test]
fn every_expression_asks_for_metrics_that_are_there() {
    let known = known();
    let panels = dashboards().iter().flat_map(panels).collect::<Vec<_>>();
    assert!(panels.len() > 20, "{}", panels.len());
    let all = panels.into_iter().chain(alerts().into_iter().map(|alert| expression(&alert)));
    let problems: Vec<String> = all.flat_map(|expression| unknown(&expression, &known)).collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn a_metric_that_is_not_there_is_found() {
    let problems = |text: &str| unknown(&Expression { place: String::new(), text: text.to_owned() }, &known());
    assert!(problems(r#"sum by (le) (rate(streamforge_cold_start_seconds_bucket{trigger!=""}[5m]))"#).is_empty());
    assert_eq!(problems("max(streamforge_cold_starts)").len(), 1);
    assert_eq!(problems("streamforge_deliveries").len(), 1, "a counter is scraped as `_total`");
}

#[test]
fn dashboards_say_what_is_seen_and_what_to_do() {
    let problems: Vec<String> = dashboards().iter().flat_map(incomplete).collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
    let generated = fs::read_to_string(root().join("monitoring/kustomization.yaml")).expect("it is there");
    for (file, _) in dashboards() {
        assert!(generated.contains(&format!("- dashboards/{file}\n")), "{file} is not deployed");
    }
}

#[test]
fn an_incomplete_dashboard_is_found() {
    for (pointer, value) in [
        ("/uid", json!("")),
        ("/templating/list", json!([])),
        ("/panels/0/description", json!("")),
        ("/panels/0/fieldConfig/defaults/unit", Value::Null),
        ("/panels/0/datasource/uid", json!("prometheus")),
        ("/panels/0/targets", json!([])),
        ("/panels/1/id", json!(1)),
        ("/panels", json!([])),
    ] {
        let mut dashboard = dashboards().remove(0);
        assert!(incomplete(&dashboard).is_empty());
        *dashboard.1.pointer_mut(pointer).expect("it is there") = value;
        assert!(!incomplete(&dashboard).is_empty(), "{pointer}");
    }
}

#[test]
fn alerts_say_what_to_do() {
    let text = fs::read_to_string(root().join(RUNBOOK)).expect("the runbooks are there");
    let mut problems: Vec<String> = alerts().iter().flat_map(|alert| unhelpful(alert, &text)).collect();
    let named: BTreeSet<String> =
        alerts().iter().map(|alert| format!("### {}", alert["alert"].as_str().unwrap())).collect();
    let gone = text.lines().filter(|line| line.starts_with("### Streamforge") && !named.contains(*line));
    problems.extend(gone.map(|line| format!("{RUNBOOK} has {line}, which is no alert")));
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn monitors_and_rules_fit_their_schemas() {
    let objects: Vec<Object> = manifests().into_iter().map(|(file, value)| Object { file, value }).collect();
    assert_eq!(schemas::unfitting(&objects), Vec::<String>::new());
    if schemas::are_there() {
        let mut mistaken = objects;
        mistaken[0].value["spec"]["groups"][0]["rules"][0]["fore"] = json!("5m");
        assert_eq!(schemas::unfitting(&mistaken).len(), 1);
    }
}

/// The rules and the panels' expressions, read and tried by Prometheus's own tool where it is installed.
#[test]
fn prometheus_understands_every_expression_and_alerts_fire_when_they_should() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name);
    let rules = |rules: Vec<Value>| json!({"groups": [{"name": "all", "rules": rules}]}).to_string();
    fs::write(file("rules.json"), rules(alerts())).expect("a file");
    let panels = dashboards().iter().flat_map(panels).collect::<Vec<_>>();
    // A number keeps apart those that are alike.
    let recorded = panels.iter().enumerate().map(
        |(number, panel)| json!({"record": "panel", "labels": {"number": number.to_string()}, "expr": panel.text}),
    );
    fs::write(file("panels.json"), rules(recorded.collect())).expect("a file");
    fs::copy(root().join("tests/manifests/alerts.yaml"), file("alerts.yaml")).expect("a file");
    for (action, name) in [("check", "rules.json"), ("check", "panels.json"), ("test", "alerts.yaml")] {
        let Some(output) = promtool(&[action, "rules", &file(name).display().to_string()]) else { return };
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{action} {name}: {}", String::from_utf8_lossy(&said));
    }
}

/// What it says; none where it is not installed.
fn promtool(arguments: &[&str]) -> Option<Output> {
    match Command::new("promtool").args(arguments).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("skipped: promtool of the package prometheus is not installed");
            None
        }
        output => Some(output.expect("promtool can be started")),
    }
}

/// Metrics that the documents describe, and those of others.
fn known() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs/metrics.md")).expect("the page is there");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let own = rows.map(|(name, _)| name.to_owned());
    own.chain(FOREIGN.iter().map(|(name, _)| (*name).to_owned())).collect()
}

fn unknown(expression: &Expression, known: &BTreeSet<String>) -> Vec<String> {
    let is_known = |metric: &str| {
        let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| metric.strip_suffix(suffix));
        known.contains(metric) || histogram.is_some_and(|name| name.ends_with("_seconds") && known.contains(name))
    };
    let selectors = promql::names(&expression.text).selectors;
    assert!(!selectors.is_empty(), "{}: {}", expression.place, expression.text);
    let unknown = selectors.into_iter().filter(|selector| !is_known(&selector.metric));
    unknown.map(|selector| format!("{}: there is no metric {}", expression.place, selector.metric)).collect()
}

/// What a dashboard lacks, by what Grafana needs and what a reader does.
fn incomplete((file, dashboard): &(String, Value)) -> Vec<String> {
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let mut problems = Vec::new();
    let mut require = |holds: bool, what: &str| {
        if !holds {
            problems.push(format!("{file}: {what}"));
        }
    };
    for field in ["uid", "title", "description"] {
        require(is_text(&dashboard[field]), field);
    }
    require(dashboard["schemaVersion"].is_u64(), "schemaVersion");
    let variable = &dashboard["templating"]["list"][0];
    require(variable["name"] == "datasource" && variable["type"] == "datasource", "the variable of the data source");
    let panels = dashboard["panels"].as_array().map_or(&[][..], Vec::as_slice);
    require((5..=9).contains(&panels.len()), "five to nine panels");
    let mut ids = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap_or("a panel without title");
        require(ids.insert(panel["id"].as_u64()) && panel["id"].is_u64(), &format!("id of {title}"));
        require(is_text(&panel["title"]) && is_text(&panel["type"]), title);
        require(is_text(&panel["description"]), &format!("description of {title}"));
        require(is_text(&panel["fieldConfig"]["defaults"]["unit"]), &format!("unit of {title}"));
        let targets = panel["targets"].as_array().map_or(&[][..], Vec::as_slice);
        require(!targets.is_empty(), &format!("queries of {title}"));
        for part in targets.iter().chain([panel]) {
            require(part["datasource"]["uid"] == "$datasource", &format!("data source of {title}"));
        }
        let place = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64());
        let fits = matches!(place, [Some(x), Some(_), Some(width), Some(_)] if x + width <= 24);
        require(fits, &format!("place of {title}"));
    }
    problems
}

/// What an alert does not tell whoever it wakes.
fn unhelpful(alert: &Value, runbook: &str) -> Vec<String> {
    let name = alert["alert"].as_str().unwrap_or_default();
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let annotations = &alert["annotations"];
    let checks = [
        (is_text(&alert["for"]), "for".to_owned()),
        (["critical", "warning"].iter().any(|known| alert["labels"]["severity"] == *known), "severity".to_owned()),
        (is_text(&annotations["summary"]), "summary".to_owned()),
        (is_text(&annotations["description"]), "description".to_owned()),
        (
            annotations["runbook_url"]
                .as_str()
                .is_some_and(|url| url.ends_with(&format!("{RUNBOOK}#{}", name.to_lowercase()))),
            "address of its runbook".to_owned(),
        ),
        (runbook.contains(&format!("\n### {name}\n")), format!("section in {RUNBOOK}")),
    ];
    checks.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| format!("{name} lacks its {what}")).collect()
}
