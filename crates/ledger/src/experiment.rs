//! Experiments: every run of a training, as its reports tell of it.

use serde::Serialize;
use serde_json::Value;
use sqlx::{Row as _, any::AnyRow};
use streamforge_events::{Interval, Millis, ModelName, ModelVersion, QueueId};

use crate::{Error, Ledger, statement};

/// Which training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExperimentId {
    /// The workflow.
    pub queue_id: QueueId,
    /// The task of it.
    pub task: String,
}

/// How far a training is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExperimentState {
    /// It is at work.
    Running,
    /// It was left off and goes on elsewhere.
    Interrupted,
    /// It failed; a further attempt may follow.
    Error,
    /// Its workflow ended before it did.
    Stopped,
    /// Its model is published.
    Finished,
}

/// What one report tells of a training; what it does not tell is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The training.
    pub id: ExperimentId,
    /// How far it is.
    pub state: ExperimentState,
    /// Which attempt at it, from 1.
    pub attempt: u32,
    /// When it was told.
    pub at: Millis,
    /// Why it failed.
    pub reason: Option<String>,
    /// Name of the model.
    pub model: Option<ModelName>,
    /// Its version.
    pub version: Option<ModelVersion>,
    /// What was asked for.
    pub parameters: Option<Value>,
    /// How it was trained, with all that nobody asked for.
    pub settings: Option<Value>,
    /// How well it does.
    pub scores: Option<Value>,
    /// The graph that it was trained on.
    pub graph: Option<String>,
    /// Seed of all that was drawn.
    pub seed: Option<u64>,
    /// Length of a bar.
    pub interval: Option<Interval>,
    /// The first bar that it was made of, and the first that it was not any more.
    pub range: Option<(Millis, Millis)>,
}

/// A training as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are those of what was told")]
pub struct Experiment {
    #[serde(flatten)]
    pub id: ExperimentId,
    pub model: Option<ModelName>,
    pub version: Option<ModelVersion>,
    pub state: ExperimentState,
    pub reason: Option<String>,
    pub attempt: u32,
    pub started: Option<Millis>,
    pub ended: Option<Millis>,
    pub interval: Option<Interval>,
    pub from: Option<Millis>,
    pub to: Option<Millis>,
    pub graph: Option<String>,
    pub seed: Option<u64>,
    pub parameters: Option<Value>,
    pub settings: Option<Value>,
    pub scores: Option<Value>,
}

/// What the reports describe, each some of it.
const DESCRIPTION: [&str; 10] =
    ["model", "version", "parameters", "settings", "scores", "graph", "seed", "bar_interval", "range_from", "range_to"];
/// What the newest report alone says.
const STATE: [&str; 5] = ["state", "reason", "attempt", "ended", "told"];

impl Told {
    /// A report that says no more than how far a training is.
    #[must_use]
    pub fn new(id: ExperimentId, state: ExperimentState, attempt: u32, at: Millis) -> Self {
        Self {
            id,
            state,
            attempt,
            at,
            reason: None,
            model: None,
            version: None,
            parameters: None,
            settings: None,
            scores: None,
            graph: None,
            seed: None,
            interval: None,
            range: None,
        }
    }
}

impl ExperimentState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Running, Self::Interrupted, Self::Error, Self::Stopped, Self::Finished];

    /// The state as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Error => "error",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
        }
    }

    /// Which of two reports is the later one, in whatever order they come: a model that is there outlives the end of the
    /// workflow, that outlives any attempt, and a later attempt an earlier one.
    fn rank(self, attempt: u32) -> i64 {
        let within = |rank: i64| i64::from(attempt) * 4 + rank;
        match self {
            Self::Running => within(0),
            Self::Interrupted => within(1),
            Self::Error => within(2),
            Self::Stopped => 1 << 40,
            Self::Finished => (1 << 40) + within(1),
        }
    }
}

impl Ledger {
    /// Adds what a report tells; the order of reports does not matter.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn tell(&self, told: &Told) -> Result<(), Error> {
        let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
        let is_over = !matches!(told.state, ExperimentState::Running | ExperimentState::Interrupted);
        let begins = told.state == ExperimentState::Running;
        let statement = upsert();
        let query = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(told.id.queue_id.as_str())
            .bind(told.id.task.as_str())
            .bind(told.model.as_ref().map(ModelName::as_str))
            .bind(told.version.as_ref().map(ModelVersion::as_str))
            .bind(text(&told.parameters))
            .bind(text(&told.settings))
            .bind(text(&told.scores))
            .bind(told.graph.as_deref())
            .bind(told.seed.map(|seed| seed.to_string()))
            .bind(told.interval.map(Interval::as_str))
            .bind(told.range.map(|(from, _)| from))
            .bind(told.range.map(|(_, to)| to))
            .bind(told.state.as_str())
            .bind(told.reason.as_deref())
            .bind(i64::from(told.attempt))
            .bind(is_over.then_some(told.at))
            .bind(told.state.rank(told.attempt))
            .bind(begins.then_some(told.at));
        self.call(query.execute(&self.pool)).await.map(drop)
    }

    /// Notes that a workflow has ended: its trainings that are still at work are not.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn stop(&self, queue_id: &QueueId, reason: &str, at: Millis) -> Result<(), Error> {
        let query = sqlx::query(
            "UPDATE experiments SET state = 'stopped', reason = $2, ended = $3, told = $4 \
             WHERE queue_id = $1 AND state IN ('running', 'interrupted')",
        );
        let rank = ExperimentState::Stopped.rank(0);
        let query = query.bind(queue_id.as_str()).bind(reason).bind(at).bind(rank);
        self.call(query.execute(&self.pool)).await.map(drop)
    }

    /// Reads at most `max` experiments, the newest first; of one model only if it is named.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn experiments(&self, model: Option<&ModelName>, max: u32) -> Result<Vec<Experiment>, Error> {
        let query = sqlx::query(
            "SELECT * FROM experiments WHERE $1 IS NULL OR model = $1 \
             ORDER BY COALESCE(started, ended, 0) DESC, queue_id, task LIMIT $2",
        );
        let query = query.bind(model.map(ModelName::as_str)).bind(i64::from(max));
        let rows = self.call(query.fetch_all(&self.pool)).await?;
        rows.iter().map(|row| self.read_experiment(row)).collect()
    }

    /// Reads the experiments of a workflow; usually it has one.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn experiments_of(&self, queue_id: &QueueId) -> Result<Vec<Experiment>, Error> {
        let query = sqlx::query("SELECT * FROM experiments WHERE queue_id = $1 ORDER BY task").bind(queue_id.as_str());
        let rows = self.call(query.fetch_all(&self.pool)).await?;
        rows.iter().map(|row| self.read_experiment(row)).collect()
    }

    fn read_experiment(&self, row: &AnyRow) -> Result<Experiment, Error> {
        let bad = |error: sqlx::Error| Error::of(&self.place, &error);
        let text = |column: &str| row.try_get::<Option<String>, _>(column).map_err(bad);
        let number = |column: &str| row.try_get::<Option<i64>, _>(column).map_err(bad);
        let queue_id = text("queue_id")?.unwrap_or_default();
        let state = text("state")?.unwrap_or_default();
        let state = ExperimentState::ALL.into_iter().find(|known| known.as_str() == state);
        Ok(Experiment {
            id: ExperimentId {
                queue_id: queue_id.parse().map_err(|error| self.row_error(error))?,
                task: text("task")?.unwrap_or_default(),
            },
            model: self.parsed(text("model")?)?,
            version: self.parsed(text("version")?)?,
            state: state.ok_or_else(|| self.row_error("its state is none"))?,
            reason: text("reason")?,
            attempt: number("attempt")?.and_then(|attempt| u32::try_from(attempt).ok()).unwrap_or_default(),
            started: number("started")?,
            ended: number("ended")?,
            interval: self.parsed(text("bar_interval")?)?,
            from: number("range_from")?,
            to: number("range_to")?,
            graph: text("graph")?,
            seed: self.parsed(text("seed")?)?,
            parameters: self.parsed(text("parameters")?)?,
            settings: self.parsed(text("settings")?)?,
            scores: self.parsed(text("scores")?)?,
        })
    }

    /// Reads what a column holds, if anything.
    pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        text: Option<String>,
    ) -> Result<Option<T>, Error> {
        text.map(|text| text.parse().map_err(|error| self.row_error(error))).transpose()
    }
}

/// The statement that adds a report to what is known of a training.
fn upsert() -> String {
    let columns: Vec<&str> =
        ["queue_id", "task"].into_iter().chain(DESCRIPTION).chain(STATE).chain(["started"]).collect();
    let newer = "excluded.told > experiments.told";
    let described = DESCRIPTION.map(|name| {
        format!(
            "{name} = CASE WHEN {newer} THEN COALESCE(excluded.{name}, experiments.{name}) \
             ELSE COALESCE(experiments.{name}, excluded.{name}) END"
        )
    });
    let told = STATE.map(|name| format!("{name} = CASE WHEN {newer} THEN excluded.{name} ELSE experiments.{name} END"));
    let started = "started = CASE WHEN excluded.started < experiments.started THEN excluded.started \
                   ELSE COALESCE(experiments.started, excluded.started) END";
    let changes: Vec<String> = described.into_iter().chain(told).chain([started.to_owned()]).collect();
    format!(
        "INSERT INTO experiments ({}) VALUES {} ON CONFLICT (queue_id, task) DO UPDATE SET {}",
        columns.join(", "),
        statement::rows(1, columns.len()),
        changes.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::ExperimentState::{Error, Finished, Interrupted, Running, Stopped};

    #[test]
    fn later_reports_rank_higher() {
        let order = [
            (Running, 1),
            (Interrupted, 1),
            (Error, 1),
            (Running, 2),
            (Error, 2),
            (Error, u32::MAX),
            (Stopped, 1),
            (Finished, 1),
            (Finished, 2),
        ];
        let ranks: Vec<i64> = order.iter().map(|(state, attempt)| state.rank(*attempt)).collect();
        assert!(ranks.windows(2).all(|pair| pair[0] < pair[1]), "{ranks:?}");
    }
}
