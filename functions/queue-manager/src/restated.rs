//! What the exchange has stated anew while a task was loaded.
//!
//! Kept by the number of the batch, so that a report that comes twice counts once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use streamforge_events::{Millis, SeriesKind, Symbol};

use crate::document::{Task, Work, Workflow};

/// Rows of one batch that replaced what was stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restated {
    /// How many.
    pub rows: u64,
    /// Times of the first ones: open times of klines, times of trades.
    pub at: Vec<Millis>,
}

/// The restated rows of a task, by the number of their batch.
pub type RestatedBatches = BTreeMap<u32, Restated>;

impl Restated {
    /// Reads `{"restated": 2, "restated_at": [0, 60000]}`; none if there are no such rows.
    #[must_use]
    pub fn read(extra: Option<&Value>) -> Option<Self> {
        let rows = extra?.get("restated")?.as_u64().filter(|rows| *rows > 0)?;
        let at = extra?.get("restated_at").and_then(Value::as_array);
        Some(Self { rows, at: at.into_iter().flatten().filter_map(Value::as_i64).take(MOST_TIMES).collect() })
    }

    fn add(&mut self, other: &Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.at.extend(&other.at);
        self.at.sort_unstable();
        self.at.truncate(MOST_TIMES);
    }
}

/// Most times that are kept of a batch or shown of a series.
const MOST_TIMES: usize = 10;

impl Task {
    /// Notes what a batch has restated; tells whether that is news.
    pub(crate) fn note_restated(&mut self, batch: u32, restated: Restated) -> bool {
        let known = self.restated.get(&batch);
        let is_news = known.is_none_or(|known| known.rows < restated.rows);
        if is_news {
            self.restated.insert(batch, restated);
        }
        is_news
    }
}

impl Workflow {
    /// What was restated of a series.
    #[must_use]
    pub fn restated_of(&self, symbol: &Symbol, kind: SeriesKind) -> Restated {
        let stages = self.stages.iter().filter(|stage| stage.work == Work::Load(kind));
        let tasks = stages.flat_map(|stage| &stage.tasks).filter(|task| task.symbol == *symbol);
        sum(tasks)
    }

    /// How many rows of all series were restated.
    #[must_use]
    pub fn restated(&self) -> u64 {
        sum(self.stages.iter().flat_map(|stage| &stage.tasks)).rows
    }
}

fn sum<'a>(tasks: impl Iterator<Item = &'a Task>) -> Restated {
    let mut total = Restated::default();
    tasks.flat_map(|task| task.restated.values()).for_each(|restated| total.add(restated));
    total
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use streamforge_events::TimeRange;

    use super::*;

    #[test]
    fn reports_are_read_or_left_out() {
        let extra = json!({"restated": 2, "restated_at": [7, 9]});
        assert_eq!(Restated::read(Some(&extra)), Some(Restated { rows: 2, at: vec![7, 9] }));
        for extra in [json!({}), json!({"restated": 0}), json!({"restated": -1}), json!([1])] {
            assert_eq!(Restated::read(Some(&extra)), None, "{extra}");
        }
    }

    #[test]
    fn a_report_that_comes_twice_counts_once() {
        let range = TimeRange::new(0, 10).unwrap();
        let mut task = Task::waiting("load-0".to_owned(), "BTCUSDT".parse().unwrap(), range, 0);
        let restated = |rows, at: &[Millis]| Restated { rows, at: at.to_vec() };
        assert!(task.note_restated(0, restated(2, &[3, 4])));
        assert!(!task.note_restated(0, restated(2, &[3, 4])));
        assert!(task.note_restated(1, restated(20, &[1, 2])));
        let total = sum(std::iter::once(&task));
        assert_eq!((total.rows, total.at), (22, vec![1, 2, 3, 4]));
        let text = serde_json::to_string(&task).unwrap();
        assert_eq!(serde_json::from_str::<Task>(&text).unwrap(), task);
    }
}
