//! What can go wrong in the local platform.

use std::{io, path::PathBuf};

use crate::manifest::{ObjectName, Problem};

/// Failures of the local platform.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A manifest's file or folder cannot be read.
    #[error("failed to read manifest `{}`", path.display())]
    ReadManifest {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Manifests have wrong fields.
    #[error("{}", list(.0))]
    Manifests(Vec<Problem>),
    /// A Trigger refers to an object that no manifest defines.
    #[error("Trigger {trigger}: {kind} {object} is in no manifest")]
    UnknownObject {
        /// The Trigger.
        trigger: ObjectName,
        /// Kind of the missing object.
        kind: &'static str,
        /// The missing object.
        object: ObjectName,
    },
    /// The event log failed.
    #[error("failed to {action} topic `{topic}`")]
    Bus {
        /// What was attempted.
        action: &'static str,
        /// On which topic.
        topic: String,
        /// What the event log said.
        #[source]
        source: streamforge_bus::Error,
    },
    /// The HTTP client for deliveries cannot be built.
    #[error("failed to build the HTTP client for deliveries")]
    HttpClient(#[source] reqwest::Error),
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
