//! What a recording says about itself, written among its frames as a stream of its own.

use serde::{Deserialize, Serialize};

/// Name of the stream; the exchange has none like it.
pub(crate) const STREAM: &str = "!recording";

/// A remark of who recorded, or of who plays a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "e", rename_all = "camelCase")]
pub enum Mark {
    /// It begins, or goes on after an end.
    Begun {
        /// The exchange's URL.
        exchange: String,
        /// The streams that are recorded.
        streams: Vec<String>,
    },
    /// A connection stands.
    Connected,
    /// There is no connection: what comes now is not recorded.
    Interrupted {
        /// Why.
        reason: String,
    },
    /// Frames came faster than they could be written, and were dropped.
    Overrun {
        /// How many.
        frames: u64,
    },
    /// A stream says nothing.
    Silent {
        /// Its name.
        stream: String,
    },
    /// Ids were passed over: trades, or updates of a book.
    Missing {
        /// The stream.
        stream: String,
        /// The first one.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// Something came that is no frame of a recorded stream.
    Foreign {
        /// What came.
        text: String,
    },
    /// It was ended as it should be.
    Ended,
    /// Who plays it has come to its end; never recorded.
    Over,
}

impl Mark {
    /// The frame that says it.
    #[must_use]
    pub fn frame(&self) -> String {
        // Texts and numbers always have a form in JSON.
        let data = serde_json::to_string(self).unwrap_or_default();
        format!(r#"{{"stream":"{STREAM}","data":{data}}}"#)
    }

    /// Reads a frame; none for any other.
    #[must_use]
    pub fn read(frame: &str) -> Option<Self> {
        let data = frame.strip_prefix(r#"{"stream":"!recording","data":"#)?.strip_suffix('}')?;
        serde_json::from_str(data).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_frames_that_can_be_read_again() {
        for mark in [
            Mark::Begun { exchange: "http://h".to_owned(), streams: vec!["a@aggTrade".to_owned()] },
            Mark::Connected,
            Mark::Foreign { text: "<html>\n\"}".to_owned() },
            Mark::Missing { stream: "a@depth@100ms".to_owned(), from: 1, to: u64::MAX },
            Mark::Over,
        ] {
            let frame = mark.frame();
            assert!(!frame.contains('\n'), "{frame}");
            assert_eq!(Mark::read(&frame), Some(mark));
        }
        assert_eq!(Mark::read(r#"{"stream":"!recording","data":{"e":"other"}}"#), None);
        assert_eq!(Mark::read("{}"), None);
    }
}
