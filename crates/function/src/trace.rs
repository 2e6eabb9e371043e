//! W3C trace context: read strictly from an event, written into every output.
//!
//! # Source
//! <https://www.w3.org/TR/trace-context/> and the `CloudEvents` "Distributed Tracing" extension.

use axum::http::HeaderMap;
use streamforge_events::{Event, extension};

/// Position in one distributed trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    id: String,
    span_id: String,
    flags: String,
    state: Option<String>,
}

impl Trace {
    /// Starts a new trace with random ids, sampled.
    #[must_use]
    pub fn start() -> Self {
        Self {
            id: format!("{:032x}", fastrand::u128(1..)),
            span_id: format!("{:016x}", fastrand::u64(1..)),
            flags: "01".to_owned(),
            state: None,
        }
    }

    /// Continues the trace of an event, else that of its request, else starts a new one.
    ///
    /// A `traceparent` that breaks the rules is ignored, as the specification demands.
    #[must_use]
    pub fn of(event: &Event, headers: &HeaderMap) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let from_event =
            extension(event, TRACEPARENT).and_then(|parent| Self::parse(&parent, extension(event, TRACESTATE)));
        from_event
            .or_else(|| header(TRACEPARENT).and_then(|parent| Self::parse(&parent, header(TRACESTATE))))
            .unwrap_or_else(Self::start)
    }

    /// Reads `traceparent`; `None` where it breaks the rules.
    #[must_use]
    pub fn parse(traceparent: &str, tracestate: Option<String>) -> Option<Self> {
        let mut parts = traceparent.split('-');
        let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_last = parts.next().is_none();
        let sound = is_hex(version, 2)
            && version != "ff"
            && (is_last || version != "00")
            && is_hex(trace_id, 32)
            && is_hex(span_id, 16)
            && is_hex(flags, 2)
            && trace_id.bytes().any(|digit| digit != b'0')
            && span_id.bytes().any(|digit| digit != b'0');
        sound.then(|| Self {
            id: trace_id.to_owned(),
            span_id: span_id.to_owned(),
            flags: flags.to_owned(),
            state: tracestate.filter(|state| !state.is_empty() && state.len() <= LONGEST_STATE),
        })
    }

    /// Next span of the same trace, with a random id.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span_id: format!("{:016x}", fastrand::u64(1..)), ..self.clone() }
    }

    /// Writes the trace into an event, over what was there.
    pub fn stamp(&self, event: &mut Event) {
        event.set_extension(TRACEPARENT, self.traceparent());
        match &self.state {
            Some(state) => event.set_extension(TRACESTATE, state.clone()),
            None => {
                event.remove_extension(TRACESTATE);
            }
        }
    }

    /// Value of the `traceparent` header.
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{}", self.id, self.span_id, self.flags)
    }

    /// Id of the whole trace, 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.id
    }

    /// Id of this span, 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> &str {
        &self.span_id
    }
}

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// A longer list may be dropped as a whole, section 3.3.1.5.
const LONGEST_STATE: usize = 512;

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_sound_parent_is_continued_with_a_fresh_span() {
        let parent = Trace::parse(SOUND, Some("vendor=1".to_owned())).unwrap();
        let child = parent.child();
        assert_eq!(parent.traceparent(), SOUND);
        assert_eq!(child.trace_id(), parent.trace_id());
        assert_ne!(child.span_id(), parent.span_id());
        assert_eq!(child.state.as_deref(), Some("vendor=1"));
    }

    #[test]
    fn a_later_version_may_carry_more_fields() {
        let later = format!("cc{}-what-the-future-brings", &SOUND[2..]);
        assert!(Trace::parse(&later, None).is_some());
    }

    #[test]
    fn a_parent_that_breaks_the_rules_is_ignored() {
        let cases = [
            "",
            "00",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ];
        for case in cases {
            assert_eq!(Trace::parse(case, None), None, "{case}");
        }
    }

    #[test]
    fn a_new_trace_can_be_read_back() {
        let trace = Trace::start();
        assert_eq!(Trace::parse(&trace.traceparent(), None), Some(trace));
    }
}
