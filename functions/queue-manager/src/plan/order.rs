//! Which stages wait for which: the natural order, or what the request says instead.

use std::collections::BTreeMap;

use streamforge_events::{FieldError, WorkflowRequest};

use super::{Sources, function, refusal, stage_name};
use crate::document::{Stage, Work};

/// Loaders, connectors and dummies first, then graph, training and prediction; `after` overrides, but nobody begins
/// before what it builds on is there.
pub(super) fn set(request: &WorkflowRequest, stages: &mut [Stage]) -> Result<(), FieldError> {
    // Nobody waits for what has no end.
    let ends = stages.iter().filter(|stage| !stage.work.is_endless());
    let ranks: Vec<(String, Option<u8>)> = ends.map(|stage| (stage.name.clone(), rank(stage))).collect();
    let names: Vec<(String, String)> = request
        .entries
        .iter()
        .filter_map(|entry| Some((format!("{}/{}", entry.target, entry.r#type), stage_name(function(entry)?, entry))))
        .chain(stages.iter().map(|stage| (stage.name.clone(), stage.name.clone())))
        .collect();
    for (index, entry) in request.entries.iter().enumerate() {
        let field = format!("requests[{index}].after");
        let name = function(entry).map(|function| stage_name(function, entry));
        let Some(stage) = stages.iter_mut().find(|stage| Some(&stage.name) == name.as_ref()) else {
            continue;
        };
        if entry.after.is_empty() {
            let own = rank(stage).unwrap_or_default();
            let earlier = ranks.iter().filter(|(_, rank)| rank.is_some_and(|rank| rank < own));
            wait_for(stage, earlier.map(|(name, _)| name.clone()));
            continue;
        }
        for wanted in &entry.after {
            let known = names.iter().find(|(alias, _)| alias == wanted);
            let (_, known) = known
                .ok_or_else(|| refusal("unknown_stage", &field, format!("`{wanted}` is no part of the request")))?;
            wait_for(stage, [known.clone()]);
        }
        wait_for(stage, Sources::of(request, entry).stages());
    }
    check_live(request, stages)?;
    follow_loaders(stages);
    check_ends(request, stages)
}

/// Adds what a stage waits for; several parts of a request may be one stage.
fn wait_for(stage: &mut Stage, names: impl IntoIterator<Item = String>) {
    for name in names {
        if !stage.after.contains(&name) {
            stage.after.push(name);
        }
    }
}

/// A connector without an order of its own begins together with its loader.
fn follow_loaders(stages: &mut [Stage]) {
    let orders: BTreeMap<String, Vec<String>> =
        stages.iter().map(|stage| (stage.name.clone(), stage.after.clone())).collect();
    for stage in stages {
        if let Work::Store(loader) = &stage.work
            && stage.after.is_empty()
        {
            stage.after = orders.get(loader).cloned().unwrap_or_default();
        }
    }
}

/// Refuses an order in which some stage waits for one that has no end.
fn check_live(request: &WorkflowRequest, stages: &[Stage]) -> Result<(), FieldError> {
    let live = stages
        .iter()
        .find(|stage| stage.work.is_endless() && stages.iter().any(|other| other.after.contains(&stage.name)));
    let Some(live) = live else { return Ok(()) };
    let index = request.entries.iter().position(|entry| !entry.after.is_empty()).unwrap_or_default();
    let message = format!("`{}` runs until it is stopped, so nothing can come after it", live.name);
    Err(refusal("endless_stage", &format!("requests[{index}].after"), message))
}

/// Refuses an order in which some stage waits for itself.
fn check_ends(request: &WorkflowRequest, stages: &[Stage]) -> Result<(), FieldError> {
    let mut open: Vec<&Stage> = stages.iter().collect();
    loop {
        let waiting: Vec<String> = open.iter().map(|stage| stage.name.clone()).collect();
        let is_blocked = |stage: &Stage| {
            let loader = if let Work::Store(loader) = &stage.work { Some(loader) } else { None };
            stage.after.iter().chain(loader).any(|name| waiting.contains(name))
        };
        open.retain(|stage| is_blocked(stage));
        if open.is_empty() {
            return Ok(());
        }
        if open.len() == waiting.len() {
            let names = waiting.join(", ");
            let index = request.entries.iter().position(|entry| !entry.after.is_empty()).unwrap_or_default();
            let message = format!("these stages would wait for each other: {names}");
            return Err(refusal("circular_order", &format!("requests[{index}].after"), message));
        }
    }
}

/// The order in which parts go unless the request says otherwise; a dummy waits for nobody and nobody for it.
fn rank(stage: &Stage) -> Option<u8> {
    match stage.function.as_str() {
        "graph-builder" => Some(1),
        "gnn-trainer" => Some(2),
        "predictor" => Some(3),
        "dummy-service" => None,
        _ => Some(0),
    }
}
