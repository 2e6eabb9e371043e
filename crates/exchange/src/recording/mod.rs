//! A recording that is made: every frame as it came, when it came, and a word for each interruption.
//!
//! A symbol's frames lie in files of its own, one line `<nanoseconds> <JSON>` each, with the snapshots of its book among
//! them: the form of hftbacktest's collector, which [`Capture`](crate::capture::Capture) reads. What concerns all
//! symbols lies beside them in a file of the same form: [`Mark`]s, and what the exchange answered about its symbols.

mod chain;
mod files;
pub(crate) mod mark;
pub(crate) mod names;
mod recorder;

pub use files::Rotation;
pub use mark::Mark;
pub use recorder::{Recorder, Summary};
