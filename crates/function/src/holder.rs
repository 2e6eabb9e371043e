//! Who holds the lease of a task, in words that others can read: which process, and for which attempt.

use std::{fmt, str::FromStr};

use streamforge_events::QueueId;

/// The process that works on a task; a later attempt goes before an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The pod, or whatever else tells processes apart.
    pub process: String,
    /// Number of the attempt, from 1; 0 where the command names none.
    pub attempt: u32,
}

/// The words are not those of a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no holder of a task: expected `PROCESS#ATTEMPT`")]
pub struct NoHolder;

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}#{}", self.process, self.attempt)
    }
}

impl FromStr for Holder {
    type Err = NoHolder;

    fn from_str(text: &str) -> Result<Self, NoHolder> {
        // Neither pods nor hosts have the sign in their names.
        let (process, attempt) = text.rsplit_once('#').ok_or(NoHolder)?;
        Ok(Self { process: process.to_owned(), attempt: attempt.parse().map_err(|_| NoHolder)? })
    }
}

/// Under which key the store keeps whose a training is.
#[must_use]
pub fn lease_key(queue_id: &QueueId, task: &str) -> String {
    format!("train/{queue_id}/{task}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_read_as_it_is_written() {
        let holder = Holder { process: "gnn-trainer-x7k2p-9qz4d".to_owned(), attempt: 2 };
        assert_eq!(holder.to_string(), "gnn-trainer-x7k2p-9qz4d#2");
        assert_eq!(holder.to_string().parse(), Ok(holder));
        for text in ["", "gnn-trainer-17", "pod#", "pod#two", "pod#-1"] {
            assert_eq!(text.parse::<Holder>(), Err(NoHolder), "{text}");
        }
    }
}
