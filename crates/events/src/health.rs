//! How sound the data is that something rests on, in numbers and as a grade.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// How sound the records are that were looked at.
///
/// # Units
/// `age` in milliseconds; all else are counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Records that should be there.
    pub needed: u64,
    /// Records that are there.
    pub present: u64,
    /// Those of them that did not come live and were asked for afterwards.
    pub filled: u64,
    /// Gaps among them that are neither filled nor known to stay.
    pub open_gaps: u64,
    /// Other symbols of the same model that lack records.
    pub lacking: u64,
    /// How old the newest record was; none where that says nothing, as of a time that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<Millis>,
    /// What all of it comes to.
    pub grade: Grade,
}

/// What can be expected of data, the best first.
///
/// - `poor`: more than a tenth of the records are missing, or the newest is older than ten bars;
/// - `degraded`: any is missing or may be, another symbol lacks some, more than half came afterwards, or the newest is
///   older than a bar;
/// - `good`: nothing of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the rule is that of all three together")]
pub enum Grade {
    Good,
    Degraded,
    Poor,
}

impl Grade {
    /// The grade as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Degraded => "degraded",
            Self::Poor => "poor",
        }
    }
}

impl Health {
    /// Records of which so many are needed and there.
    #[must_use]
    pub fn of(needed: u64, present: u64) -> Self {
        let counts = Self { needed, present, filled: 0, open_gaps: 0, lacking: 0, age: None, grade: Grade::Good };
        counts.graded(None)
    }

    /// Records that are needed and not there.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.needed.saturating_sub(self.present)
    }

    /// The same with the grade that it comes to; `bar` is the length of one, without which no age is too old.
    #[must_use]
    pub fn graded(self, bar: Option<Millis>) -> Self {
        let is_older_than = |bars: Millis| self.age.zip(bar).is_some_and(|(age, bar)| age > bar.saturating_mul(bars));
        let is_poor = self.missing() > self.needed / 10 || is_older_than(10);
        let is_degraded = [self.missing(), self.open_gaps, self.lacking].iter().any(|count| *count > 0)
            || self.filled > self.present / 2
            || is_older_than(1);
        let grade = match (is_poor, is_degraded) {
            (true, _) => Grade::Poor,
            (false, true) => Grade::Degraded,
            (false, false) => Grade::Good,
        };
        Self { grade, ..self }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_worst_that_is_found_makes_the_grade() {
        let sound = Health { age: Some(60_000), ..Health::of(100, 100) };
        let graded = |health: Health| health.graded(Some(60_000)).grade;
        for (health, grade) in [
            (sound, Grade::Good),
            (Health { filled: 50, ..sound }, Grade::Good),
            (Health { present: 101, ..sound }, Grade::Good),
            (Health { filled: 51, ..sound }, Grade::Degraded),
            (Health { present: 99, ..sound }, Grade::Degraded),
            (Health { present: 90, ..sound }, Grade::Degraded),
            (Health { open_gaps: 1, ..sound }, Grade::Degraded),
            (Health { lacking: 1, ..sound }, Grade::Degraded),
            (Health { age: Some(60_001), ..sound }, Grade::Degraded),
            (Health { age: Some(600_001), ..sound }, Grade::Poor),
            (Health { present: 89, ..sound }, Grade::Poor),
            (Health { present: 0, ..sound }, Grade::Poor),
            (Health { age: None, ..sound }, Grade::Good),
            (Health::of(0, 0), Grade::Good),
            (Health { needed: u64::MAX, filled: u64::MAX, ..sound }, Grade::Poor),
        ] {
            assert_eq!(graded(health), grade, "{health:?}");
        }
        // A tape has no bars that its age could be counted in.
        assert_eq!(Health { age: Some(Millis::MAX), ..sound }.graded(None).grade, Grade::Good);
    }

    #[test]
    fn names_on_the_wire_are_the_types() {
        let health = Health { filled: 3, open_gaps: 1, lacking: 2, age: Some(1_200), ..Health::of(97, 96) };
        let wire = json!({"needed": 97, "present": 96, "filled": 3, "open_gaps": 1, "lacking": 2, "age": 1200,
            "grade": "degraded"});
        assert_eq!(serde_json::to_value(health.graded(Some(60_000))).unwrap(), wire);
        for grade in [Grade::Good, Grade::Degraded, Grade::Poor] {
            assert_eq!(serde_json::to_value(grade).unwrap(), grade.as_str());
        }
        assert!(serde_json::to_value(Health::of(1, 1)).unwrap().get("age").is_none());
    }
}
