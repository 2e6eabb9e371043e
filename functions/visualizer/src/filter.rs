//! Which events of a topic are wanted, by type and subject.

use streamforge_bus::StoredRecord;
use streamforge_function::api::Problem;
use streamforge_message::Message;

use crate::asked::Asked;

/// The parameters that say it; each may be repeated.
pub(crate) const FILTERS: [&str; 2] = ["type", "subject"];

/// Which events are wanted; without a word on it, all.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    types: Vec<String>,
    subjects: Vec<String>,
}

impl Filter {
    /// What is asked for; nothing at all is neither a type nor a subject.
    pub(crate) fn asked(asked: &Asked) -> Result<Self, Problem> {
        Ok(Self { types: asked.named("type")?, subjects: asked.named("subject")? })
    }

    /// Whether everything is wanted.
    pub(crate) fn is_open(&self) -> bool {
        self.types.is_empty() && self.subjects.is_empty()
    }

    pub(crate) fn takes(&self, stored: &StoredRecord) -> bool {
        if self.is_open() {
            return true;
        }
        let event = Message::from_record(stored.record.clone()).unwrap_or_default();
        let is_among = |wanted: &[String], name| {
            wanted.is_empty() || wanted.iter().any(|wanted| event.attribute(name) == Some(wanted))
        };
        is_among(&self.types, "type") && is_among(&self.subjects, "subject")
    }
}
