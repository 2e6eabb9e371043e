//! The Applications: each part has one, in its wave, at a fixed version, and none fights with what scales.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::{
    schemas,
    tree::{Object, Tree, root},
};

const APPS: &str = "argocd/apps/";
const KUSTOMIZATION: &str = "argocd/apps/kustomization.yaml";
const SETTINGS: &str = "argocd/settings.yaml";
/// Our parts; each needs those before it.
const PARTS: [&str; 5] = ["data-plane", "knative", "triggers", "scaledobjects", "monitoring"];

#[test]
fn applications_are_sound() {
    let problems = problems(&texts());
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn a_mistake_in_an_application_is_found() {
    for (file, from, to, word) in [
        ("keda", "targetRevision: 2.20.2", "targetRevision: 2.x", "is no version"),
        ("keda", "sync-wave: \"-20\"", "sync-wave: \"0\"", "wave"),
        ("triggers", "sync-wave: \"10\"", "sync-wave: \"20\"", "wave"),
        ("triggers", "sync-wave", "syncwave", "wave"),
        ("triggers", "path: triggers", "path: trigger", "trigger is not there"),
        ("triggers", "namespace: streamforge", "namespace: elsewhere", "elsewhere"),
        ("triggers", "project: streamforge", "project: default", "project default"),
        ("triggers", "part-of: streamforge", "part-of: another", "at the root's commit"),
        ("strimzi", "https://strimzi.io/charts/", "https://strimzi.example/charts/", "strimzi.example"),
        ("strimzi", "ServerSideApply", "ServerSide", "ServerSideApply"),
        ("knative", "kind: Rollout", "kind: Deployment", "Rollout"),
        ("knative", "/spec/replicas", "/spec/replica", "Rollout"),
        ("knative", "RespectIgnoreDifferences=true", "Validate=true", "RespectIgnoreDifferences"),
        ("kustomization", "  - rollouts.yaml\n", "", "rollouts.yaml"),
        ("kustomization", "limit: -1", "limit: 0", "again"),
    ] {
        assert_found(&format!("{APPS}{file}.yaml"), from, to, word);
    }
    for kind in ["eventing.knative.dev_Broker", "eventing.knative.dev_KafkaSink", "argoproj.io_Application"] {
        assert_found(SETTINGS, &format!("health.{kind}"), "health.other", kind);
    }
}

#[test]
fn applications_fit_their_schemas() {
    let found = schemas::unfitting(&objects(&texts()));
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    let mut mistaken = texts();
    replace(&mut mistaken, "argocd/root.yaml", "refresh: true", "refreshes: true");
    let found = schemas::unfitting(&objects(&mistaken));
    assert!(!schemas::are_there() || found.iter().any(|problem| problem.contains("refreshes")), "{found:?}");
}

fn assert_found(file: &str, from: &str, to: &str, word: &str) {
    let mut texts = texts();
    replace(&mut texts, file, from, to);
    let problems = problems(&texts);
    let found = problems.iter().any(|problem| problem.contains(word));
    assert!(found, "{file} with `{to}`: expected a complaint with `{word}`, not {problems:?}");
}

fn replace(texts: &mut BTreeMap<String, String>, file: &str, from: &str, to: &str) {
    let text = texts.get_mut(file).unwrap_or_else(|| panic!("{file} is not there"));
    assert!(text.contains(from), "{file} does not contain `{from}`");
    *text = text.replace(from, to);
}

/// Texts of all files by path.
fn texts() -> BTreeMap<String, String> {
    let folders = ["argocd", "argocd/apps"];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).expect("the folder is there"));
    let paths = entries.map(|entry| entry.expect("the folder is readable").path());
    let yaml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let name = |path: &std::path::Path| path.strip_prefix(root()).expect("a file of ours").display().to_string();
    yaml.map(|path| (name(&path), fs::read_to_string(&path).expect("manifests are text"))).collect()
}

fn objects(texts: &BTreeMap<String, String>) -> Vec<Object> {
    let parse = |(file, text): (&String, &String)| {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        documents.into_iter().map(|value| Object { file: file.clone(), value }).collect::<Vec<_>>()
    };
    texts.iter().flat_map(parse).collect()
}

fn problems(texts: &BTreeMap<String, String>) -> Vec<String> {
    let objects = objects(texts);
    let tree = Tree::read();
    let applications: Vec<&Object> = objects
        .iter()
        .filter(|object| object.text("/kind") == "Application" && object.file.starts_with(APPS))
        .collect();
    let mut problems = listed(texts, &objects);
    for application in &applications {
        let found = [source(application), project(application, &objects), options(application)].concat();
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", application.label())));
    }
    problems.extend(waves(&applications));
    problems.extend(scaled(&applications, &tree));
    problems.extend(judged(&objects, &tree));
    problems
}

/// The kustomization lists each Application, and says how all are synced.
fn listed(texts: &BTreeMap<String, String>, objects: &[Object]) -> Vec<String> {
    let Some(kustomization) = objects.iter().find(|object| object.file == KUSTOMIZATION) else {
        return vec![format!("{KUSTOMIZATION} is not there")];
    };
    let listed: Vec<String> =
        kustomization.list("/resources").iter().filter_map(|name| Some(format!("{APPS}{}", name.as_str()?))).collect();
    let files = texts.keys().filter(|file| file.starts_with(APPS) && *file != KUSTOMIZATION);
    let missing = files.filter(|file| !listed.contains(file));
    let mut problems: Vec<String> = missing.map(|file| format!("{KUSTOMIZATION} leaves out {file}")).collect();
    let common = kustomization.text("/patches/0/patch");
    if !common.contains("limit: -1") || !common.contains("refresh: true") {
        problems
            .push(format!("{KUSTOMIZATION}: what fails once has to be tried again, with what was pushed meanwhile"));
    }
    problems
}

/// A chart has a version; what is ours is a folder that is there, at the root Application's commit.
fn source(application: &Object) -> Vec<String> {
    let version = application.text("/spec/source/targetRevision");
    if application.at("/spec/source/chart").is_string() {
        let is_pinned = version.split('.').count() == 3 && version.split('.').all(|part| part.parse::<u32>().is_ok());
        return if is_pinned { Vec::new() } else { vec![format!("`{version}` is no version")] };
    }
    let mut problems = Vec::new();
    let path = application.text("/spec/source/path");
    if !root().join(path).join("kustomization.yaml").is_file() {
        problems.push(format!("{path} is not there"));
    }
    if application.at("/metadata/labels/app.kubernetes.io~1part-of") != "streamforge" {
        problems.push("without its label it is not taken at the root's commit".to_owned());
    }
    problems
}

/// Its project lets it come from where it comes and go where it goes.
fn project(application: &Object, objects: &[Object]) -> Vec<String> {
    let name = application.text("/spec/project");
    let is_it = |object: &&Object| object.text("/kind") == "AppProject" && object.name() == name;
    let Some(project) = objects.iter().find(is_it) else { return vec![format!("there is no project {name}")] };
    let mut problems = Vec::new();
    let repository = application.at("/spec/source/repoURL");
    if !project.list("/spec/sourceRepos").contains(repository) {
        problems.push(format!("project {name} does not know {repository}"));
    }
    let namespace = application.at("/spec/destination/namespace");
    if !project.list("/spec/destinations").iter().any(|destination| destination["namespace"] == *namespace) {
        problems.push(format!("project {name} may not touch {namespace}"));
    }
    problems
}

fn options(application: &Object) -> Vec<String> {
    let mut needed = vec!["ServerSideApply=true"];
    needed.extend(application.at("/spec/ignoreDifferences").is_array().then_some("RespectIgnoreDifferences=true"));
    let options = application.list("/spec/syncPolicy/syncOptions");
    needed.retain(|option| !options.iter().any(|found| found == option));
    needed.into_iter().map(|option| format!("{option} is missing")).collect()
}

/// Operators first, then our parts in their order.
fn waves(applications: &[&Object]) -> Vec<String> {
    let wave = |application: &Object| -> Option<i32> {
        application.text("/metadata/annotations/argocd.argoproj.io~1sync-wave").parse().ok()
    };
    let mut problems: Vec<String> = Vec::new();
    let without = applications.iter().filter(|application| wave(application).is_none());
    problems.extend(without.map(|application| format!("{} has no wave", application.label())));
    let part = |name: &str| applications.iter().find(|application| application.name() == name);
    let mut before =
        applications.iter().filter(|one| one.at("/spec/source/chart").is_string()).filter_map(|one| wave(one)).max();
    for name in PARTS {
        let Some(application) = part(name) else {
            problems.push(format!("there is no Application {name}"));
            continue;
        };
        if wave(application) <= before {
            problems.push(format!("{name} is in no later wave than what it needs"));
        }
        before = wave(application);
    }
    problems
}

/// Whoever deploys what is scaled leaves its replicas alone.
fn scaled(applications: &[&Object], tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for scaled in tree.of_kind("ScaledObject") {
        let [kind, name] = ["kind", "name"].map(|field| scaled.text(&format!("/spec/scaleTargetRef/{field}")));
        let group = scaled.text("/spec/scaleTargetRef/apiVersion").split('/').next().unwrap_or_default();
        let target = tree.of_kind(kind).find(|object| object.name() == name);
        let folder = target.and_then(|object| object.file.split('/').next()).unwrap_or_default();
        let application = applications.iter().find(|application| application.name() == folder);
        let ignored = application.map_or(&[][..], |application| application.list("/spec/ignoreDifferences"));
        let is_ignored = ignored.iter().any(|rule| {
            let pointers = rule["jsonPointers"].as_array().into_iter().flatten();
            rule["group"] == group && rule["kind"] == kind && pointers.into_iter().any(|path| path == "/spec/replicas")
        });
        if !is_ignored {
            problems.push(format!("replicas of {kind} {name}, which KEDA decides, would be those of Git"));
        }
    }
    problems
}

/// Argo CD is told how to judge each kind of eventing that there is, and Applications, so that waves wait.
fn judged(objects: &[Object], tree: &Tree) -> Vec<String> {
    let eventing = tree.objects.iter().filter(|object| object.text("/apiVersion").starts_with("eventing.knative.dev/"));
    let mut kinds: Vec<String> =
        eventing.map(|object| format!("eventing.knative.dev_{}", object.text("/kind"))).collect();
    kinds.sort();
    kinds.dedup();
    kinds.extend(["argoproj.io_Application", "argoproj.io_Rollout"].map(str::to_owned));
    let settings = objects.iter().find(|object| object.file == SETTINGS && object.name() == "argocd-cm");
    let is_told = |kind: &String| {
        let text = settings.map(|object| object.text(&format!("/data/resource.customizations.health.{kind}")));
        text.is_some_and(|text| text.contains("return"))
    };
    kinds.iter().filter(|kind| !is_told(kind)).map(|kind| format!("{SETTINGS} does not judge {kind}")).collect()
}
