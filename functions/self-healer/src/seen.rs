//! What there is to decide by: Jobs and pods as the API server has them, tasks and leases as the store has them.

use streamforge_events::{Millis, QueueId, Symbol};
use streamforge_function::Holder;

use crate::reason::Reason;

/// One look at everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) now: Millis,
    pub(crate) jobs: Vec<Job>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) tasks: Vec<Task>,
}

/// An object of the cluster, as others name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    /// `Job` or `Pod`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// Tells it from an earlier one of the same name; empty where the object is gone.
    pub(crate) uid: String,
}

/// A Job that KEDA made from a `ScaledJob` of ours.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) object: Object,
    /// Name of the `ScaledJob`, which is that of the function in a workflow.
    pub(crate) program: String,
    pub(crate) created: Millis,
    pub(crate) state: JobState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobState {
    Active,
    /// It is being deleted.
    Leaving,
    Succeeded,
    Failed {
        at: Millis,
    },
}

/// A pod of ours.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) object: Object,
    /// What it calls itself: its name, as far as a host name goes.
    pub(crate) host: String,
    /// Identity of its Job; none for a pod that others look after.
    pub(crate) job: Option<String>,
    pub(crate) state: PodState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PodState {
    /// It has a place or waits for one, and does not run.
    Waiting {
        since: Millis,
        why: Reason,
        words: String,
    },
    Running {
        since: Millis,
    },
    Failed {
        words: String,
    },
    Succeeded,
    /// It is being deleted.
    Leaving,
}

/// A task that was given out to a job and is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) queue_id: QueueId,
    pub(crate) id: String,
    pub(crate) function: String,
    /// Type of the request.
    pub(crate) kind: String,
    pub(crate) symbol: Symbol,
    pub(crate) attempt: u32,
    pub(crate) stage: Stage,
    /// When it was given out or told of progress.
    pub(crate) heard_at: Millis,
    pub(crate) lease: Option<Lease>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Given out; nobody has said that they began.
    Sent,
    Begun,
    /// It has failed, and the next attempt is given out after a pause.
    Pausing,
}

/// Who has a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) words: String,
    /// The words, where they are those of a holder.
    pub(crate) holder: Option<Holder>,
    pub(crate) until: Millis,
}
