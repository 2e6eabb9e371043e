//! Why something is stuck, in the words of events and metrics.

/// A fixed set, so that it can be a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reason {
    /// The workflow gave the task out again because nothing was heard of it.
    NoProgress,
    /// It runs and works on no task that anybody waits for.
    NoTask,
    /// It died at its task.
    Died,
    /// It ends again and again before it can begin.
    CrashLoop,
    /// Its image cannot be had.
    ImagePull,
    /// Its image is still on its way.
    SlowPull,
    /// Its container cannot be made: a volume, a Secret, a `ConfigMap`.
    NotCreated,
    /// No node may take it.
    Unschedulable,
    /// Nodes that may take it are full.
    NoRoom,
}

impl Reason {
    pub(crate) const ALL: [Self; 9] = [
        Self::NoProgress,
        Self::NoTask,
        Self::Died,
        Self::CrashLoop,
        Self::ImagePull,
        Self::SlowPull,
        Self::NotCreated,
        Self::Unschedulable,
        Self::NoRoom,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NoProgress => "NoProgress",
            Self::NoTask => "NoTask",
            Self::Died => "Died",
            Self::CrashLoop => "CrashLoop",
            Self::ImagePull => "ImagePull",
            Self::SlowPull => "SlowPull",
            Self::NotCreated => "NotCreated",
            Self::Unschedulable => "Unschedulable",
            Self::NoRoom => "NoRoom",
        }
    }
}
