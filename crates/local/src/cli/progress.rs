//! A bar for each stage of a workflow, drawn on stderr for people.

use std::{cell::RefCell, collections::HashMap};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use queue_manager::document::{Stage, Workflow};
use serde_json::Value;

use super::output::Output;

/// A stage, as far as a person wants to know.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct StageProgress {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) done: u64,
    pub(super) total: u64,
}

/// Progress bars, or nothing where nobody would see them.
pub(super) struct Progress {
    bars: Option<MultiProgress>,
    stages: RefCell<HashMap<String, ProgressBar>>,
}

impl Progress {
    pub(super) fn start(output: Output) -> Self {
        Self { bars: output.shows_progress().then(MultiProgress::new), stages: RefCell::default() }
    }

    /// Draws the state of a workflow's document.
    pub(super) fn show(&self, document: &Value) {
        let Some(bars) = &self.bars else { return };
        let mut known = self.stages.borrow_mut();
        for stage in stages(document) {
            let bar = known.entry(stage.name.clone()).or_insert_with(|| {
                let bar = bars.add(ProgressBar::new(stage.total).with_style(style()));
                bar.set_prefix(stage.name.clone());
                bar
            });
            bar.set_length(stage.total);
            bar.set_position(stage.done);
            bar.set_message(stage.status);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        for bar in self.stages.borrow().values() {
            bar.abandon();
        }
    }
}

fn style() -> ProgressStyle {
    // The template is a constant, and a wrong one only falls back to the default bar.
    ProgressStyle::with_template("{prefix:40} {bar:30} {pos:>5}/{len:<5} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Reads the stages of a workflow's document; a stage that stores batches counts the tasks of the stage it follows.
pub(super) fn stages(document: &Value) -> Vec<StageProgress> {
    let Ok(workflow) = serde_json::from_value::<Workflow>(document.clone()) else {
        return Vec::new();
    };
    let progress = |stage: &Stage| {
        let (done, total) = stage.progress(&workflow);
        StageProgress {
            name: stage.name.clone(),
            status: stage.status.as_str().to_owned(),
            done: done as u64,
            total: total as u64,
        }
    };
    workflow.stages.iter().map(progress).collect()
}
