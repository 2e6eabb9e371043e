//! Listens to the exchange: trades, bars and order books as they happen, each once, and a word for each that is missing.
//!
//! A job: it takes one task of its topic, which names symbols and kinds of streams, and listens until its workflow is
//! stopped. The middle is pure: `desk` takes frames and answers what is to be published and asked, `trades`, `bars` and
//! `books` know what has to come next. Around it stand `listening` (sockets and timers) and `job` (claim, lease,
//! publishing, reports).

mod answers;
mod assignment;
mod bars;
mod books;
mod desk;
pub mod job;
mod listening;
mod outgoing;
mod output;
mod playing;
mod trades;

pub use assignment::{Assignment, Kind};
pub use books::checksum;
pub use desk::{Checkpoint, Desk, Tally};
pub use listening::{Listening, Parcel};
pub use output::{Output, Question};

/// The job's name: that of its image, `ScaledJob` and topic.
pub const NAME: &str = "loader-ws";
