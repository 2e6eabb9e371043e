//! What a query string asks for, checked.

use std::{fmt::Display, str::FromStr};

use serde_json::Value;
use streamforge_events::{Millis, TimeRange, parse_instant};
use streamforge_function::api::{Problem, parse_repeatable_query, schema};

/// How many rows a page may have, and has if nothing is said.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    most: usize,
    usual: usize,
}

/// Rows of a series.
pub(crate) const ROWS: Limit = Limit { most: 5000, usual: 500 };
/// Messages of a topic.
pub(crate) const MESSAGES: Limit = Limit { most: 500, usual: 50 };
/// Lines of a log.
pub(crate) const LINES: Limit = Limit { most: 1000, usual: 200 };

impl Limit {
    pub(crate) fn schema(self) -> Value {
        schema::limit(self.most, self.usual)
    }
}

/// The parameters of a request.
pub(crate) struct Asked(Vec<(String, String)>);

impl Asked {
    /// Reads a query string, every name of which must be known and come once.
    pub(crate) fn new(text: Option<String>, known: &[&str]) -> Result<Self, Problem> {
        Self::repeatable(text, known, &[])
    }

    /// The same, where some names may come more than once.
    pub(crate) fn repeatable(text: Option<String>, known: &[&str], repeatable: &[&str]) -> Result<Self, Problem> {
        parse_repeatable_query(&text.unwrap_or_default(), known, repeatable).map(Self)
    }

    /// The text of a parameter, the first of several.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All texts of a parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    /// All texts of a parameter, none of which may be empty.
    pub(crate) fn named(&self, name: &str) -> Result<Vec<String>, Problem> {
        let sound = |text: &str| if text.is_empty() { Err(unfit(name, "it is empty")) } else { Ok(text.to_owned()) };
        self.all(name).map(sound).collect()
    }

    /// A parameter that may be left out.
    pub(crate) fn optional<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        let parse = |text: &str| text.parse().map_err(|error: T::Err| unfit(name, error));
        self.text(name).map(parse).transpose()
    }

    /// A parameter that has to be there.
    pub(crate) fn required<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T, Problem> {
        let missing = || Problem::field("missing_field", name, format!("name the {name} by `{name}=`"));
        self.optional(name)?.ok_or_else(missing)
    }

    /// A whole number that may be left out.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Problem> {
        let parse = |text: &str| text.parse().map_err(|_| unfit(name, "write a whole number"));
        self.text(name).map(parse).transpose()
    }

    /// An instant: RFC 3339, or milliseconds since 1970.
    pub(crate) fn instant(&self, name: &str) -> Result<Option<Millis>, Problem> {
        let parse = |text: &str| {
            let found = parse_instant(text).or_else(|| text.parse().ok());
            found.ok_or_else(|| unfit(name, "write an RFC 3339 instant or milliseconds since 1970"))
        };
        self.text(name).map(parse).transpose()
    }

    /// The range from `from` to `to`, each of which may be left out.
    pub(crate) fn range(&self) -> Result<Option<TimeRange>, Problem> {
        let (from, to) = (self.instant("from")?, self.instant("to")?);
        let widest = TimeRange::WIDEST;
        let range = TimeRange::new(from.unwrap_or(widest.from()), to.unwrap_or(widest.to()));
        let range = range.map_err(|error| Problem::field("invalid_range", "from", error.to_string()))?;
        Ok(from.or(to).map(|_| range))
    }

    /// How many rows are wanted.
    pub(crate) fn limit(&self, Limit { most, usual }: Limit) -> Result<usize, Problem> {
        let Some(text) = self.text("limit") else { return Ok(usual) };
        let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
        let message = format!("limit must be a whole number from 1 to {most}");
        limit.ok_or_else(|| Problem::field("invalid_limit", "limit", message))
    }
}

fn unfit(name: &str, reason: impl Display) -> Problem {
    Problem::field("invalid_field", name, reason.to_string())
}

#[cfg(test)]
mod tests {
    use streamforge_events::Symbol;

    use super::*;

    fn asked(text: &str) -> Asked {
        Asked::new(Some(text.to_owned()), &["symbol", "from", "to", "limit", "before"]).unwrap()
    }

    #[test]
    fn parameters_are_read_or_refused() {
        let good = asked("symbol=BTCUSDT&from=2024-06-01T00:00:00Z&to=1717200000001&limit=7&before=-3");
        assert_eq!(good.required::<Symbol>("symbol").unwrap().as_str(), "BTCUSDT");
        assert_eq!(good.range(), Ok(Some(TimeRange::new(1_717_200_000_000, 1_717_200_000_001).unwrap())));
        assert_eq!((good.limit(Limit { most: 9, usual: 5 }), good.number("before")), (Ok(7), Ok(Some(-3))));
        let none = asked("");
        assert_eq!(
            (none.range(), none.limit(Limit { most: 9, usual: 5 }), none.number("before")),
            (Ok(None), Ok(5), Ok(None))
        );
        assert!(none.required::<Symbol>("symbol").is_err());
        for text in ["symbol=../x", "symbol=%3Cimg%20src=x%20onerror=alert(1)%3E", "symbol="] {
            assert!(asked(text).required::<Symbol>("symbol").is_err(), "{text}");
        }
        for text in ["from=noon", "from=5&to=5", "to=-5", "from=99999999999999999999"] {
            assert!(asked(text).range().is_err(), "{text}");
        }
        for text in ["limit=0", "limit=10", "limit=x", "limit=-1", "limit="] {
            assert!(asked(text).limit(Limit { most: 9, usual: 5 }).is_err(), "{text}");
        }
        assert_eq!(good.named("symbol"), Ok(vec!["BTCUSDT".to_owned()]));
        assert!(asked("symbol=").named("symbol").is_err());
        assert!(Asked::new(Some("other=1".to_owned()), &["symbol"]).is_err());
    }
}
