//! Predictions against what came: a row for each, open until the last bar of its horizon is there.

use std::{collections::BTreeMap, num::NonZeroU32};

use serde::Serialize;
use sqlx::{Any, AssertSqlSafe, Row as _, any::AnyRow, query::Query};
use streamforge_events::{Health, Interval, Millis, ModelName, ModelVersion, Prediction, Split, Symbol};

use crate::{Error, Ledger, statement};

/// Rows that one statement writes.
const WRITTEN_AT_ONCE: usize = 500;

/// A prediction and what came.
#[derive(Clone, Debug, PartialEq)]
pub struct RoiRow {
    /// The prediction; those for use alone are kept.
    pub prediction: Prediction,
    /// When the last bar of its horizon opens.
    pub due: Millis,
    /// The direction that it takes for the likeliest.
    pub predicted_class: String,
    /// What came; none until the bars are there, and for good where one of them is missing.
    pub outcome: Option<Outcome>,
}

/// What came after a prediction.
///
/// # Units
/// `log_return` is that of the price over the horizon; `gain` is a fraction of the capital, without fees.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Root of the mean square of the log returns, per bar.
    pub volatility: f64,
    /// `down`, `sideways` or `up`.
    pub class: String,
    /// Logarithm of what the price was multiplied by.
    pub log_return: f64,
    /// What following the prediction would have brought: long on up, short on down, nothing on sideways.
    pub gain: f64,
}

/// Which rows to read; what is not given matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoiQuery {
    /// Only those of this model.
    pub model: Option<ModelName>,
    /// Only those of this version.
    pub version: Option<ModelVersion>,
    /// Only those for this symbol.
    pub symbol: Option<Symbol>,
    /// Only those for bars of this interval.
    pub interval: Option<Interval>,
    /// Only those of which it is not known what came.
    pub is_open: bool,
}

/// How the predictions of a version for a symbol did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoiSummary {
    /// The model.
    pub model: ModelName,
    /// Its version.
    pub version: ModelVersion,
    /// Whose bars.
    pub symbol: Symbol,
    /// Their interval.
    pub interval: Interval,
    /// Bars that each prediction is about.
    pub horizon: u32,
    /// How many predictions there are.
    pub predictions: i64,
    /// Of how many it is known what came.
    pub closed: i64,
    /// How many of those had the right direction.
    pub right: i64,
    /// Mean gain of following one; none until one is closed.
    pub mean_gain: Option<f64>,
}

const KEY: [&str; 6] = ["model", "version", "symbol", "bar_interval", "horizon", "open_time"];
const CONTENT: [&str; 12] = [
    "due",
    "volatility",
    "down",
    "sideways",
    "up",
    "health",
    "predicted_class",
    "realised_volatility",
    "realised_class",
    "log_return",
    "gain",
    "read_at",
];

impl Ledger {
    /// Stores rows as they were found at `read_at`, all of a call or, where it fails, some; what was found later stays,
    /// but for an open row, which is closed in any case.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn keep(&self, rows: &[RoiRow], read_at: Millis) -> Result<(), Error> {
        // Each key once and all in one order: one statement must not meet a row twice, nor two of them each other.
        let rows: BTreeMap<_, &RoiRow> = rows
            .iter()
            .filter(|row| row.prediction.split == Split::Live)
            .map(|row| (key(&row.prediction), row))
            .collect();
        let rows: Vec<&RoiRow> = rows.into_values().collect();
        for rows in rows.chunks(WRITTEN_AT_ONCE) {
            let text = upsert(rows.len());
            // Prepared for this call alone: the driver declares a double that is not there as one of 32 bits, and would
            // then send one that is there to the statement that it keeps under the same text.
            let query = sqlx::query(AssertSqlSafe(text)).persistent(false);
            let query = rows.iter().fold(query, |query, row| bind(query, row, read_at));
            self.call(query.execute(&self.pool)).await?;
        }
        Ok(())
    }

    /// Reads at most `max` rows after the one given, ascending by model, version, symbol, interval, horizon and open
    /// time; names in the order of their bytes.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn roi(&self, query: &RoiQuery, after: Option<&RoiRow>, max: u32) -> Result<Vec<RoiRow>, Error> {
        let RoiQuery { model, version, symbol, interval, is_open } = query;
        let mut text = "SELECT * FROM roi WHERE ($1 IS NULL OR model = $1) AND ($2 IS NULL OR version = $2) \
                        AND ($3 IS NULL OR symbol = $3) AND ($4 IS NULL OR bar_interval = $4)"
            .to_owned();
        if *is_open {
            text.push_str(" AND realised_class IS NULL");
        }
        let names = KEY.join(", ");
        if after.is_some() {
            text = format!("{text} AND ({names}) > ($6, $7, $8, $9, $10, $11)");
        }
        text = format!("{text} ORDER BY {names} LIMIT $5");
        let mut query = sqlx::query(AssertSqlSafe(text))
            .bind(model.as_ref().map(ModelName::as_str))
            .bind(version.as_ref().map(ModelVersion::as_str))
            .bind(symbol.as_ref().map(Symbol::as_str))
            .bind(interval.map(Interval::as_str))
            .bind(i64::from(max));
        if let Some(after) = after {
            query = bind_key(query, &after.prediction);
        }
        let rows = self.call(query.fetch_all(&self.pool)).await?;
        rows.iter().map(|row| self.read_roi(row)).collect()
    }

    /// Reads at most `max` open rows of a series whose last bar opens by `until`, those of the newest bars first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn newest_open(
        &self,
        symbol: &Symbol,
        interval: Interval,
        until: Millis,
        max: u32,
    ) -> Result<Vec<RoiRow>, Error> {
        let query = sqlx::query(
            "SELECT * FROM roi WHERE realised_class IS NULL AND symbol = $1 AND bar_interval = $2 AND due <= $3 \
             ORDER BY due DESC LIMIT $4",
        );
        let query = query.bind(symbol.as_str()).bind(interval.as_str()).bind(until).bind(i64::from(max));
        let rows = self.call(query.fetch_all(&self.pool)).await?;
        rows.iter().map(|row| self.read_roi(row)).collect()
    }

    /// The series that have open rows, or rows at all.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn roi_series(&self, is_open: bool) -> Result<Vec<(Symbol, Interval)>, Error> {
        let query = if is_open {
            sqlx::query("SELECT DISTINCT symbol, bar_interval FROM roi WHERE realised_class IS NULL")
        } else {
            sqlx::query("SELECT DISTINCT symbol, bar_interval FROM roi")
        };
        let rows = self.call(query.fetch_all(&self.pool)).await?;
        let series = |row: &AnyRow| Ok((self.name(row, "symbol")?, self.name(row, "bar_interval")?));
        rows.iter().map(series).collect()
    }

    /// Sums up the rows of each version and symbol, of one model only if it is named.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn roi_summary(&self, model: Option<&ModelName>) -> Result<Vec<RoiSummary>, Error> {
        let query = sqlx::query(
            "SELECT model, version, symbol, bar_interval, horizon, COUNT(*) AS predictions, \
             COUNT(realised_class) AS closed, COUNT(CASE WHEN realised_class = predicted_class THEN 1 END) AS correct, \
             AVG(gain) AS mean_gain FROM roi WHERE $1 IS NULL OR model = $1 \
             GROUP BY model, version, symbol, bar_interval, horizon \
             ORDER BY model, version, symbol, bar_interval, horizon",
        );
        let rows = self.call(query.bind(model.map(ModelName::as_str)).fetch_all(&self.pool)).await?;
        let bad = |error: sqlx::Error| Error::of(&self.place, &error);
        let summary = |row: &AnyRow| {
            Ok(RoiSummary {
                model: self.name(row, "model")?,
                version: self.name(row, "version")?,
                symbol: self.name(row, "symbol")?,
                interval: self.name(row, "bar_interval")?,
                horizon: self.horizon(row)?.get(),
                predictions: row.try_get("predictions").map_err(bad)?,
                closed: row.try_get("closed").map_err(bad)?,
                right: row.try_get("correct").map_err(bad)?,
                mean_gain: row.try_get("mean_gain").map_err(bad)?,
            })
        };
        rows.iter().map(summary).collect()
    }

    fn read_roi(&self, row: &AnyRow) -> Result<RoiRow, Error> {
        let bad = |error: sqlx::Error| Error::of(&self.place, &error);
        let number = |column: &str| row.try_get::<Option<f64>, _>(column).map_err(bad);
        let present = |column: &str| number(column)?.ok_or_else(|| self.row_error(format!("it has no {column}")));
        let class: Option<String> = row.try_get("realised_class").map_err(bad)?;
        let outcome = match (class, number("realised_volatility")?, number("log_return")?, number("gain")?) {
            (Some(class), Some(volatility), Some(log_return), Some(gain)) => {
                Some(Outcome { volatility, class, log_return, gain })
            }
            _ => None,
        };
        Ok(RoiRow {
            prediction: Prediction {
                model: self.name(row, "model")?,
                version: self.name(row, "version")?,
                symbol: self.name(row, "symbol")?,
                interval: self.name(row, "bar_interval")?,
                open_time: row.try_get("open_time").map_err(bad)?,
                horizon: self.horizon(row)?,
                volatility: present("volatility")?,
                probabilities: [present("down")?, present("sideways")?, present("up")?].into(),
                split: Split::Live,
                health: self.health(row)?,
            },
            due: row.try_get("due").map_err(bad)?,
            predicted_class: row.try_get("predicted_class").map_err(bad)?,
            outcome,
        })
    }

    fn name<T: std::str::FromStr<Err: std::fmt::Display>>(&self, row: &AnyRow, column: &str) -> Result<T, Error> {
        let text: String = row.try_get(column).map_err(|error| Error::of(&self.place, &error))?;
        text.parse().map_err(|error| self.row_error(error))
    }

    fn health(&self, row: &AnyRow) -> Result<Option<Health>, Error> {
        let text: Option<String> = row.try_get("health").map_err(|error| Error::of(&self.place, &error))?;
        let read = |text: String| serde_json::from_str(&text).map_err(|error| self.row_error(error));
        text.map(read).transpose()
    }

    fn horizon(&self, row: &AnyRow) -> Result<NonZeroU32, Error> {
        let bars: i64 = row.try_get("horizon").map_err(|error| Error::of(&self.place, &error))?;
        let bars = u32::try_from(bars).ok().and_then(NonZeroU32::new);
        bars.ok_or_else(|| self.row_error("its horizon is none"))
    }
}

type Key<'a> = (&'a ModelName, &'a ModelVersion, &'a Symbol, &'static str, NonZeroU32, Millis);

fn key(prediction: &Prediction) -> Key<'_> {
    let Prediction { model, version, symbol, interval, horizon, open_time, .. } = prediction;
    (model, version, symbol, interval.as_str(), *horizon, *open_time)
}

type Binding<'query> = Query<'query, Any, sqlx::any::AnyArguments>;

fn bind_key<'query>(query: Binding<'query>, prediction: &Prediction) -> Binding<'query> {
    let (model, version, symbol, interval, horizon, open_time) = key(prediction);
    let query = query.bind(model.to_string()).bind(version.to_string()).bind(symbol.to_string());
    query.bind(interval).bind(i64::from(horizon.get())).bind(open_time)
}

fn bind<'query>(query: Binding<'query>, row: &RoiRow, read_at: Millis) -> Binding<'query> {
    let RoiRow { prediction, due, predicted_class, outcome } = row;
    let [down, sideways, up] = prediction.probabilities.array();
    let query = bind_key(query, prediction).bind(*due).bind(prediction.volatility);
    let health = prediction.health.map(|health| serde_json::json!(health).to_string());
    let query = query.bind(down).bind(sideways).bind(up).bind(health).bind(predicted_class.clone());
    let part = |of: fn(&Outcome) -> f64| outcome.as_ref().map(of);
    let query = query.bind(part(|came| came.volatility)).bind(outcome.as_ref().map(|came| came.class.clone()));
    query.bind(part(|came| came.log_return)).bind(part(|came| came.gain)).bind(read_at)
}

/// The statement that writes some rows.
fn upsert(rows: usize) -> String {
    let columns: Vec<&str> = KEY.into_iter().chain(CONTENT).collect();
    let changes = CONTENT.map(|name| format!("{name} = excluded.{name}")).join(", ");
    format!(
        "INSERT INTO roi ({}) VALUES {} ON CONFLICT ({}) DO UPDATE SET {changes} \
         WHERE excluded.read_at > roi.read_at \
         OR (roi.realised_class IS NULL AND excluded.realised_class IS NOT NULL)",
        columns.join(", "),
        statement::rows(rows, columns.len()),
        KEY.join(", ")
    )
}
