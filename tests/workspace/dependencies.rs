//! Who may depend on whom, which crate knows which outside world, and where versions are written.

use std::fs;

use crate::{
    assert_none,
    members::{Member, members},
    shown,
};

/// Height of a member; it may depend on lower members alone.
///
/// `events`, `salvage`, `servers` ← `bus`, `cluster`, `dataset`, `ledger`, `store`, `exchange`, `function` ← `backup`, `hindsight`, `job`, `message`, `scaffold` ← functions, trainer ← `local` ← `data-plane`, tests and tools.
fn layer(member: &Member) -> Option<u8> {
    match member.name.as_str() {
        "streamforge-events" | "streamforge-salvage" | "streamforge-servers" => Some(0),
        "streamforge-bus"
        | "streamforge-cluster"
        | "streamforge-dataset"
        | "streamforge-ledger"
        | "streamforge-store"
        | "streamforge-exchange"
        | "streamforge-function" => Some(1),
        "streamforge-backup"
        | "streamforge-hindsight"
        | "streamforge-job"
        | "streamforge-message"
        | "streamforge-scaffold" => Some(2),
        "gnn-trainer" => Some(3),
        _ if member.is_in("functions") => Some(3),
        "streamforge-local" => Some(4),
        "streamforge-data-plane" | "streamforge-tests" | "xtask" => Some(5),
        _ => None,
    }
}

/// Crates that stand for an outside world, and the only members that may know it.
const WORLDS: [(&str, &[&str]); 13] = [
    ("arangors", &["streamforge-store"]),
    // The exchange and the store have doubles of servers.
    ("axum", &["streamforge-exchange", "streamforge-function", "streamforge-local", "streamforge-store"]),
    ("cloudevents-sdk", &["streamforge-events", "streamforge-function"]),
    ("kube", &["self-healer", "streamforge-data-plane"]),
    ("object_store", &["streamforge-store"]),
    // The trainer holds what it exports to it.
    ("ort", &["gnn-trainer", "predictor"]),
    ("rdkafka", &["streamforge-bus"]),
    // The pages' server asks the cluster's Prometheus.
    (
        "reqwest",
        &["streamforge-exchange", "streamforge-function", "streamforge-local", "streamforge-store", "visualizer"],
    ),
    ("rusqlite", &["streamforge-bus", "streamforge-store"]),
    ("sqlx", &["streamforge-ledger"]),
    ("tch", &["gnn-trainer"]),
    ("serde-saphyr", &["streamforge-local", "streamforge-tests"]),
    ("tracing-subscriber", &["streamforge-function", "streamforge-local"]),
];

/// Members that are pure.
const PURE: [&str; 2] = ["streamforge-dataset", "streamforge-events"];

/// What pure members must not be able to do: no I/O, nothing asynchronous.
const NOT_FOR_PURE: [&str; 6] = ["axum", "futures", "hyper", "reqwest", "tokio", "tracing"];

#[test]
fn members_depend_on_lower_members_alone() {
    let mut problems = Vec::new();
    for member in members() {
        let Some(own) = layer(member) else {
            problems.push(format!("{} has no place in the order of crates", member.name));
            continue;
        };
        for name in member.dependencies.iter().filter(|name| **name != member.name) {
            let other = members().iter().find(|other| other.name == *name).and_then(layer);
            if other.is_some_and(|other| other >= own) {
                problems.push(format!("{} must not depend on {name}", member.name));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn each_outside_world_is_known_to_few_members() {
    let mut problems = Vec::new();
    for (world, knowers) in WORLDS {
        let knows = |member: &&Member| member.dependencies.iter().any(|name| name == world);
        let strangers = members().iter().filter(knows).filter(|member| {
            let is_above = layer(member) == Some(5);
            !is_above && !knowers.contains(&member.name.as_str())
        });
        problems.extend(strangers.map(|member| format!("{} must not know {world}", member.name)));
    }
    for pure in PURE {
        let member = members().iter().find(|member| member.name == pure).expect("a pure member is a member");
        let unfit = member.dependencies.iter().filter(|name| NOT_FOR_PURE.contains(&name.as_str()));
        problems.extend(unfit.map(|name| format!("{pure} must not depend on {name}")));
    }
    assert_none(&problems);
}

#[test]
fn members_take_lints_and_versions_from_the_workspace() {
    let mut problems = Vec::new();
    for member in members() {
        let text = fs::read_to_string(&member.manifest).expect("cargo has read it too");
        problems.extend(not_inherited(&text).map(|what| format!("{}: {what}", shown(&member.manifest))));
    }
    assert_none(&problems);
}

#[test]
fn a_version_of_ones_own_is_found() {
    let sound = "[package]\nversion.workspace = true\nedition.workspace = true\nlicense.workspace = true\n\
        [dependencies]\nbytes.workspace = true\nhttp = { workspace = true, features = [\"a\"] }\n\
        [dev-dependencies]\nme = { path = \".\", features = [\"test-util\"] }\n[lints]\nworkspace = true\n";
    assert_eq!(not_inherited(sound).collect::<Vec<_>>(), [""; 0]);
    for (from, to) in [
        ("bytes.workspace = true", "bytes = \"1\""),
        ("http = { workspace = true", "http = { version = \"1\""),
        ("[lints]\nworkspace = true\n", ""),
        ("edition.workspace = true", "edition = \"2024\""),
    ] {
        assert_eq!(not_inherited(&sound.replace(from, to)).count(), 1, "{to}");
    }
}

/// Lines of a `Cargo.toml` that should say `workspace = true` and do not.
fn not_inherited(text: &str) -> impl Iterator<Item = String> {
    let mut problems = Vec::new();
    let mut section = "";
    let mut lints = false;
    let mut package = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']);
        } else if section.ends_with("dependencies") {
            let is_own = line.contains("path = \".\"");
            if !is_own && !line.contains("workspace = true") {
                problems.push(format!("`{line}` names no version of the workspace"));
            }
        } else if section == "lints" {
            lints |= line == "workspace = true";
        } else if section == "package" {
            package.push(line);
        }
    }
    if !lints {
        problems.push("the workspace's lints are not in force".to_owned());
    }
    for field in ["version", "edition", "license"] {
        if !package.contains(&format!("{field}.workspace = true").as_str()) {
            problems.push(format!("package.{field} is not the workspace's"));
        }
    }
    problems.into_iter()
}
