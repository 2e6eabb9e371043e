//! Which events a Trigger wants.

pub mod cesql;

pub use cesql::Expression;

use crate::message::Message;

/// A condition on an event's attributes and extensions.
///
/// # Source
/// <https://knative.dev/docs/eventing/triggers/#trigger-filtering>
#[derive(Debug, Clone)]
pub enum Filter {
    /// Each attribute has exactly this value. An empty value matches anything, absence included: that is how the
    /// Kafka Broker's data plane reads `filter.attributes`.
    Exact(Vec<(String, String)>),
    /// Each attribute starts with this value.
    Prefix(Vec<(String, String)>),
    /// Each attribute ends with this value.
    Suffix(Vec<(String, String)>),
    /// All of these hold; true without any.
    All(Vec<Filter>),
    /// One of these holds.
    Any(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
    /// The expression is true; an error while evaluating it counts as false.
    Cesql(cesql::Expression),
}

impl Filter {
    /// Whether the event passes.
    #[must_use]
    pub fn matches(&self, message: &Message) -> bool {
        let each = |expected: &[(String, String)], holds: fn(&str, &str) -> bool| {
            expected.iter().all(|(name, value)| {
                let actual = message.attribute(name);
                actual.is_some_and(|actual| holds(actual, value))
            })
        };
        match self {
            Self::Exact(expected) => {
                expected.iter().all(|(name, value)| value.is_empty() || message.attribute(name) == Some(value))
            }
            Self::Prefix(expected) => each(expected, |actual, value| actual.starts_with(value)),
            Self::Suffix(expected) => each(expected, |actual, value| actual.ends_with(value)),
            Self::All(filters) => filters.iter().all(|filter| filter.matches(message)),
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(message)),
            Self::Not(filter) => !filter.matches(message),
            Self::Cesql(expression) => expression.holds(message),
        }
    }
}
