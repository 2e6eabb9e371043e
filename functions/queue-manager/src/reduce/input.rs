//! What the engine is told: what happened to a workflow, and what workers say about its tasks.

use streamforge_events::Millis;

use crate::{batch_set::BatchSet, document::Stage, made::Made, restated::Restated};

/// What happened to a workflow.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Its stages were decided.
    Planned(Vec<Stage>),
    /// It cannot be planned.
    Refused(String),
    /// A worker reported on a task.
    Heard(Heard),
    /// Time has passed.
    Overdue,
    /// Somebody asked for it to end.
    Stop,
}

/// A worker's report on one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// Id of the task.
    pub task: String,
    /// Number of the attempt; none means the one under way.
    pub attempt: Option<u32>,
    /// What was reported.
    pub what: What,
}

/// What a worker can say about a task.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// It began.
    Started,
    /// It is alive.
    Progressed,
    /// A batch is in the store.
    Stored {
        /// Number of the batch in its task.
        batch: u32,
        /// Rows in the batch.
        rows: u64,
    },
    /// A batch is in the store, and some of its rows are other than what was there.
    Restated {
        /// Number of the batch in its task.
        batch: u32,
        /// Rows in the batch.
        rows: u64,
        /// Those that are other.
        restated: Restated,
    },
    /// It did its part.
    Finished {
        /// The batches it published.
        announced: BatchSet,
        /// Up to when the slice is complete.
        complete_until: Option<Millis>,
        /// What it has made for others.
        made: Made,
    },
    /// It gave up before its end and somebody may take over.
    Interrupted,
    /// It leaves off and its task is to go to another.
    HandedOn,
    /// It failed.
    Failed {
        /// Its words.
        message: String,
        /// Whether no retry will help.
        is_final: bool,
        /// The batch that could not be stored, when storing failed.
        batch: Option<u32>,
    },
}
