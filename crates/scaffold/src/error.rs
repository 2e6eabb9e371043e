//! Why a function is not made.

use std::path::PathBuf;

/// A refusal; nothing has been written, or what was written is gone again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name cannot be that of a function.
    #[error("`{name}` cannot be the name of a function: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something has that name already.
    #[error("`{name}` is taken: {what}")]
    Taken {
        /// The name.
        name: String,
        /// What has it.
        what: String,
    },
    /// No event has that type, or no function can accept it.
    #[error("a new function cannot accept `{kind}`: {reason}")]
    EventType {
        /// The type.
        kind: String,
        /// Why not.
        reason: String,
    },
    /// A file is not there or does not look as it did when this was written.
    #[error("{file} does not have what a new function is made of: {what}")]
    Unexpected {
        /// Path in the repository.
        file: String,
        /// What was looked for.
        what: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
