//! The workflow document: everything that is known about one workflow, as it is stored and shown.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use streamforge_events::{Interval, Millis, QueueId, SeriesId, SeriesKind, Symbol, TimeRange};

use crate::{
    batch_set::BatchSet,
    made::{Product, TrainedModel},
    restated::RestatedBatches,
};

/// How far a workflow or a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Accepted, nothing started.
    Pending,
    /// Under way.
    Loading,
    /// Everything that was asked for is in the store.
    Finished,
    /// Stopped on request.
    Stopped,
    /// Failed; the document says why.
    Error,
}

impl Status {
    /// The name in documents and queries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Loading => "loading",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Error => "error",
        }
    }

    /// Reads the name of a status.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Loading, Self::Finished, Self::Stopped, Self::Error]
            .into_iter()
            .find(|status| status.as_str() == text)
    }

    /// Whether nothing will change it any more.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Stopped | Self::Error)
    }
}

/// One workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    /// Names it everywhere.
    pub id: QueueId,
    /// The first symbol.
    pub symbol: Symbol,
    /// All symbols.
    pub symbols: Vec<Symbol>,
    /// Type of the first request.
    pub r#type: String,
    /// How far it is.
    pub status: Status,
    /// Type of the first loader, if it loads anything.
    pub loader_type: Option<String>,
    /// Start of the requested range.
    #[serde(with = "instant")]
    pub start_time: Millis,
    /// End of the requested range, excluded.
    #[serde(with = "instant")]
    pub end_time: Millis,
    /// How far the newest loaded slice is complete.
    #[serde(with = "optional_instant")]
    pub last_loaded_timestamp: Option<Millis>,
    /// Rows of the distinct batches that were stored.
    pub records_written: u64,
    /// Why it failed.
    pub error_message: Option<String>,
    /// Written for readers of the old contract; nothing consumes it.
    pub kafka_topic: String,
    /// When the document was made.
    #[serde(with = "instant")]
    pub created_at: Millis,
    /// When it was planned and its first stages started.
    #[serde(with = "optional_instant")]
    pub started_at: Option<Millis>,
    /// When it ended.
    #[serde(with = "optional_instant")]
    pub finished_at: Option<Millis>,
    /// The graph that it built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
    /// The model that it trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<TrainedModel>,
    /// How well the model and its baselines did on bars that the training left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<Value>,
    /// What was asked for, as it arrived.
    pub request: Value,
    /// The stages, in the order of the request.
    pub stages: Vec<Stage>,
    /// W3C trace context of the request, carried into every event of the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What was decided and is not known to be published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Command>,
}

/// A part of a workflow that one function does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// `<function>/<type>`, unique in the workflow.
    pub name: String,
    /// The function that does it.
    pub function: String,
    /// The type of the request.
    pub r#type: String,
    /// What kind of work it is.
    pub work: Work,
    /// Names of the stages that must be finished first.
    pub after: Vec<String>,
    /// How far it is.
    pub status: Status,
    /// When any of its tasks was last heard of.
    #[serde(with = "instant")]
    pub heard_at: Millis,
    /// How long a task may go without progress; without it, [`PROGRESS_MILLIS`](crate::reduce::PROGRESS_MILLIS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_millis: Option<Millis>,
    /// What every task of the stage is told, beside its own slice.
    pub parameters: Map<String, Value>,
    /// What it makes for later stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub makes: Option<Product>,
    /// What its tasks are told that earlier stages make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes: Vec<Product>,
    /// Its tasks; a connector stage has none of its own.
    pub tasks: Vec<Task>,
}

/// The kinds of work a stage can be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// Loads a series; its batches are stored by a connector stage.
    Load(SeriesKind),
    /// Stores the batches of the named load stage.
    Store(String),
    /// Works on what is stored.
    Compute,
    /// Works on what is stored, in a job that may have to wait long for a machine.
    Job,
    /// Works on what comes in, until it is stopped: kept where no process has to live for it.
    Live,
    /// Loads what comes in, until it is stopped: held by a process that has to be heard of.
    Stream,
}

/// One command to a worker: a symbol and a slice of the range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Unique in the workflow and the same on every attempt.
    pub id: String,
    /// The symbol, or the first of several.
    pub symbol: Symbol,
    /// The symbols of a task that has its own of several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub symbols: Vec<Symbol>,
    /// The slice of the range.
    pub range: TimeRange,
    /// How far it is.
    pub state: TaskState,
    /// Number of the attempt under way, from 1; 0 before the first.
    pub attempt: u32,
    /// The last attempt that is not held against a task without an end, because it got on; 0 without one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub proven: u32,
    /// When it was last sent or made progress.
    #[serde(with = "instant")]
    pub heard_at: Millis,
    /// When to send it again after a failure that a retry may fix.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_instant")]
    pub retry_at: Option<Millis>,
    /// The batches that the finished loader announced.
    #[serde(default, skip_serializing_if = "BatchSet::is_empty")]
    pub announced: BatchSet,
    /// The batches that are in the store.
    #[serde(default, skip_serializing_if = "BatchSet::is_empty")]
    pub stored: BatchSet,
    /// Rows of the stored batches.
    #[serde(default)]
    pub records_written: u64,
    /// What the exchange has stated otherwise than what was stored.
    #[serde(default, skip_serializing_if = "RestatedBatches::is_empty")]
    pub restated: RestatedBatches,
    /// Up to when the loader found the slice complete.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_instant")]
    pub complete_until: Option<Millis>,
    /// What the last failure said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Not sent.
    Waiting,
    /// Sent, nobody works on it as far as known.
    Sent,
    /// A worker reported that it began.
    Started,
    /// The loader finished; batches are still on their way into the store.
    Loaded,
    /// Finished.
    Done,
}

/// What the engine decided to do to the outside world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Remember that this range of the series is completely stored.
    MarkLoaded {
        /// The series.
        series: SeriesId,
        /// The range.
        range: TimeRange,
    },
    /// Publish `control.start` for a task.
    Start {
        /// Id of the task.
        task: String,
        /// Number of the attempt.
        attempt: u32,
    },
    /// Publish `control.stop` to a function.
    Stop {
        /// Name of the function.
        target: String,
    },
    /// Publish `workflow.finished`.
    Finish,
}

impl Workflow {
    /// Whether its stages are decided.
    #[must_use]
    pub fn is_planned(&self) -> bool {
        self.started_at.is_some()
    }

    /// The stage and the task with this id.
    #[must_use]
    pub fn task(&self, id: &str) -> Option<(&Stage, &Task)> {
        self.stages.iter().find_map(|stage| stage.tasks.iter().find(|task| task.id == id).map(|task| (stage, task)))
    }

    /// What users see: everything but the outbox, and how many rows were restated, if any were.
    #[must_use]
    pub fn view(&self) -> Value {
        let mut shown = self.clone();
        shown.outbox.clear();
        let mut view = serde_json::to_value(&shown).unwrap_or_default();
        if let (restated @ 1.., Some(document)) = (self.restated(), view.as_object_mut()) {
            document.insert("restated".to_owned(), restated.into());
        }
        view
    }

    /// What lists show: counts instead of tasks, and no request.
    #[must_use]
    pub fn summary(&self) -> Value {
        let mut shown = self.clone();
        shown.request = Value::Null;
        shown.scores = None;
        let counts: Vec<(usize, usize)> = self.stages.iter().map(|stage| stage.progress(self)).collect();
        for stage in &mut shown.stages {
            stage.tasks.clear();
        }
        let mut view = shown.view();
        if let Some(document) = view.as_object_mut() {
            document.remove("request");
            if let restated @ 1.. = self.restated() {
                document.insert("restated".to_owned(), restated.into());
            }
        }
        let stages = view.get_mut("stages").and_then(Value::as_array_mut);
        for (stage, (done, total)) in stages.into_iter().flatten().zip(counts) {
            if let Some(stage) = stage.as_object_mut() {
                stage.remove("tasks");
                stage.remove("parameters");
                stage.insert("tasks_done".to_owned(), done.into());
                stage.insert("tasks_total".to_owned(), total.into());
            }
        }
        view
    }
}

impl Stage {
    /// How many of its tasks are done, and how many there are.
    #[must_use]
    pub fn progress(&self, workflow: &Workflow) -> (usize, usize) {
        let source = match &self.work {
            Work::Store(name) => workflow.stages.iter().find(|stage| stage.name == *name),
            _ => Some(self),
        };
        let tasks = source.map_or(&[][..], |stage| &stage.tasks);
        let is_done = |task: &&Task| match self.work {
            Work::Load(_) => matches!(task.state, TaskState::Loaded | TaskState::Done),
            _ => task.state == TaskState::Done,
        };
        (tasks.iter().filter(is_done).count(), tasks.len())
    }
}

impl Work {
    /// The interval of the klines it loads.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        match self {
            Self::Load(SeriesKind::Klines(interval)) => Some(*interval),
            _ => None,
        }
    }

    /// Whether it goes on until it is stopped.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        matches!(self, Self::Live | Self::Stream)
    }
}

impl Task {
    /// A task that was not sent yet.
    #[must_use]
    pub fn waiting(id: String, symbol: Symbol, range: TimeRange, now: Millis) -> Self {
        Self {
            id,
            symbol,
            symbols: Vec::new(),
            range,
            state: TaskState::Waiting,
            attempt: 0,
            proven: 0,
            heard_at: now,
            retry_at: None,
            announced: BatchSet::default(),
            stored: BatchSet::default(),
            records_written: 0,
            restated: RestatedBatches::new(),
            complete_until: None,
            error_message: None,
        }
    }

    /// How many attempts are held against it, the one under way included.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.attempt.saturating_sub(self.proven)
    }

    /// Whether it was sent and is not done.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        matches!(self.state, TaskState::Sent | TaskState::Started | TaskState::Loaded)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Instants as RFC 3339 text.
mod instant {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use streamforge_events::{Millis, parse_instant, rfc3339};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(time: &Millis, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Millis, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_instant(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is not an RFC 3339 instant")))
    }
}

/// Instants as RFC 3339 text, or null.
mod optional_instant {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use streamforge_events::{Millis, parse_instant, rfc3339};

    #[expect(clippy::ref_option, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(time: &Option<Millis>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.serialize_some(&rfc3339(*time)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Millis>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let time = parse_instant(&text);
        time.map(Some).ok_or_else(|| D::Error::custom(format!("`{text}` is not an RFC 3339 instant")))
    }
}
