//! New versions: each scaled function brings them step by step, judged by a template that is there and asks for the
//! function itself.

use serde_json::{Value, json};

use crate::{
    assert_finds, assert_sound,
    tree::{Object, Tree},
};

const CANARY: &str = "/spec/strategy/canary";

#[test]
fn every_function_brings_new_versions_step_by_step() {
    assert_sound(problems);
}

#[test]
fn a_version_that_nothing_judges_is_found() {
    let file = "knative/graph-builder.yaml";
    assert_finds(
        problems,
        &[
            (file, "setWeight: 50", "setWeight: 100", "all pods"),
            (file, "templateName: function-success", "templateName: success", "AnalysisTemplate success"),
            (file, "{name: function, value: graph-builder}", "{name: function, value: predictor}", "predictor"),
            (file, "podTemplateHashValue: Latest", "podTemplateHashValue: Stable", "version"),
            (file, "maxUnavailable: 0", "maxUnavailable: 1", "maxUnavailable"),
            (file, "progressDeadlineAbort: true", "progressDeadlineAbort: false", "progressDeadlineAbort"),
            ("knative/analysis.yaml", "    - name: version\n", "    - name: hash\n", "version"),
            // The controller takes no metric in a step that may be measured for ever.
            ("knative/analysis.yaml", "      count: 1000000\n", "", "no count"),
            ("knative/analysis.yaml", "failureCondition: len(result) > 0 && ", "failureCondition: ", "no answer"),
        ],
    );
}

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for rollout in tree.of_kind("Rollout") {
        let found = steps(tree, rollout);
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", rollout.label())));
    }
    for template in tree.of_kind("AnalysisTemplate") {
        let endless = template.list("/spec/metrics").iter().filter(|metric| metric["count"].is_null());
        problems.extend(endless.map(|metric| format!("{}: {} has no count", template.label(), metric["name"])));
        let unguarded = template.list("/spec/metrics").iter().filter(|metric| !is_guarded(metric));
        problems
            .extend(unguarded.map(|metric| format!("{}: {} judges by no answer", template.label(), metric["name"])));
    }
    problems
}

fn steps(tree: &Tree, rollout: &Object) -> Vec<String> {
    let mut found = Vec::new();
    for (pointer, value) in [
        (format!("{CANARY}/maxSurge"), json!(1)),
        (format!("{CANARY}/maxUnavailable"), json!(0)),
        // A version whose pods never become ready is taken back too.
        ("/spec/progressDeadlineAbort".to_owned(), json!(true)),
    ] {
        if rollout.at(&pointer) != &value {
            found.push(format!("{pointer} is not {value}"));
        }
    }
    let steps = rollout.list(&format!("{CANARY}/steps"));
    let weight = steps.first().and_then(|step| step["setWeight"].as_u64());
    if weight.is_none_or(|weight| !(1..=50).contains(&weight)) {
        found.push("its first step gives all pods to a version that nobody has judged".to_owned());
    }
    let analyses: Vec<&Value> = steps.iter().map(|step| &step["analysis"]).filter(|step| step.is_object()).collect();
    if analyses.is_empty() {
        found.push("it has no analysis".to_owned());
    }
    for analysis in analyses {
        found.extend(arguments(tree, rollout, analysis));
    }
    found
}

fn arguments(tree: &Tree, rollout: &Object, analysis: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let given = analysis["args"].as_array().map_or(&[][..], Vec::as_slice);
    let argument = |name: &str| given.iter().find(|argument| argument["name"] == name);
    if argument("function").is_none_or(|argument| argument["value"] != rollout.name()) {
        found.push(format!("its analysis asks for another function: {given:?}"));
    }
    let latest = json!({"podTemplateHashValue": "Latest"});
    if argument("version").is_none_or(|argument| argument["valueFrom"] != latest) {
        found.push("its analysis does not ask for the new version".to_owned());
    }
    for template in analysis["templates"].as_array().into_iter().flatten() {
        let name = template["templateName"].as_str().unwrap_or_default();
        let Some(template) = tree.of_kind("AnalysisTemplate").find(|template| template.name() == name) else {
            found.push(format!("AnalysisTemplate {name} is not there"));
            continue;
        };
        for wanted in template.list("/spec/args") {
            if !given.iter().any(|argument| argument["name"] == wanted["name"]) {
                found.push(format!("its analysis does not give {}, only version and function", wanted["name"]));
            }
        }
    }
    found
}

/// Whether a metric passes no verdict while there is nothing to judge by.
fn is_guarded(metric: &Value) -> bool {
    let is_guarded = |name: &str| metric[name].as_str().is_some_and(|text| text.starts_with("len(result) > 0 && "));
    ["successCondition", "failureCondition"].into_iter().all(is_guarded)
}
