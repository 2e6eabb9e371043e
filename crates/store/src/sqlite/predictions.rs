//! [`PredictionStore`] on `SQLite`: what is common to many predictions once, and a row for each open time.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;
use streamforge_events::{Health, Interval, Millis, ModelName, ModelVersion, Prediction, Split, Symbol};

use super::{
    SqliteStore,
    failure::{Failure, parse, signed, unsigned},
};
use crate::{
    Applied, BatchReport, Error, MAX_VERSION, PredictionQuery, PredictionStore, Reject, Versioned, survivors::survivors,
};

const INSERT: &str = "
    INSERT INTO predictions (series_id, open_time, version, volatility, down, sideways, up, health)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT DO NOTHING";

const UPDATE: &str = "
    UPDATE predictions SET (version, volatility, down, sideways, up, health) = (?3, ?4, ?5, ?6, ?7, ?8)
    WHERE series_id = ?1 AND open_time = ?2 AND version < ?3
        AND (volatility, down, sideways, up, health) IS NOT (?4, ?5, ?6, ?7, ?8)";

const CONFIRM: &str = "UPDATE predictions SET version = ?3 WHERE series_id = ?1 AND open_time = ?2 AND version < ?3";

const SERIES: &str = "
    SELECT id, model, model_version, split, symbol, interval, horizon FROM prediction_series
    WHERE (?1 IS NULL OR model = ?1) AND (?2 IS NULL OR model_version = ?2) AND (?3 IS NULL OR split = ?3)
        AND (?4 IS NULL OR symbol = ?4) AND (?5 IS NULL OR interval = ?5)
    ORDER BY model, model_version, split, symbol, interval, horizon";

const SELECT: &str = "
    SELECT open_time, volatility, down, sideways, up, version, health FROM predictions
    WHERE series_id = ?1 AND open_time >= ?2 AND open_time < ?3 ORDER BY open_time LIMIT ?4";

#[async_trait]
impl PredictionStore for SqliteStore {
    async fn upsert_predictions(&self, rows: &[Versioned<Prediction>]) -> Result<BatchReport, Error> {
        if rows.is_empty() {
            return Ok(BatchReport::default());
        }
        let rows = rows.to_vec();
        self.writer.run(rows.len(), move |connection| upsert(connection, &rows)).await
    }

    async fn read_versioned_predictions(
        &self,
        query: &PredictionQuery,
        after: Option<&Prediction>,
        max: usize,
    ) -> Result<Vec<Versioned<Prediction>>, Error> {
        let (query, after) = (query.clone(), after.cloned());
        self.readers.run(move |connection| read(connection, &query, after.as_ref(), max)).await
    }
}

/// What a prediction shares with those of the same model for other bars, in the order in which they are read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Series {
    model: String,
    version: String,
    split: &'static str,
    symbol: String,
    interval: &'static str,
    horizon: u32,
}

impl Series {
    fn of(prediction: &Prediction) -> Self {
        Self {
            model: prediction.model.to_string(),
            version: prediction.version.to_string(),
            split: prediction.split.as_str(),
            symbol: prediction.symbol.to_string(),
            interval: prediction.interval.as_str(),
            horizon: prediction.horizon.get(),
        }
    }
}

fn upsert(connection: &Connection, rows: &[Versioned<Prediction>]) -> Result<BatchReport, Failure> {
    let checks: Vec<Result<(), Reject>> = rows.iter().map(check).collect();
    let keys: Vec<(Series, Millis)> = rows.iter().map(|row| (Series::of(&row.value), row.value.open_time)).collect();
    let survivors = survivors(
        rows.iter().zip(&checks).zip(&keys).map(|((row, check), key)| check.is_ok().then_some((key, row.version))),
    );
    let mut applied = vec![Applied::Unchanged; rows.len()];
    let mut known: Option<(&Series, i64)> = None;
    for (index, row) in rows.iter().enumerate() {
        if survivors[index] != Some(index) {
            continue;
        }
        let series = &keys[index].0;
        let id = match known {
            Some((same, id)) if same == series => id,
            _ => ensure(connection, series)?,
        };
        known = Some((series, id));
        applied[index] = upsert_one(connection, id, row)?;
    }
    let items = checks.into_iter().enumerate();
    let items = items.map(|(index, check)| check.map(|()| applied[survivors[index].unwrap_or(index)])).collect();
    Ok(BatchReport { items })
}

fn check(row: &Versioned<Prediction>) -> Result<(), Reject> {
    if row.version >= MAX_VERSION {
        return Err(Reject::Version(row.version));
    }
    row.value.check().map_err(Reject::Prediction)
}

fn upsert_one(connection: &Connection, series: i64, row: &Versioned<Prediction>) -> Result<Applied, Failure> {
    let Prediction { open_time, volatility, probabilities, health, .. } = &row.value;
    let version = signed(row.version);
    let [down, sideways, up] = probabilities.array();
    let health = health.map(|health| json!(health).to_string());
    let values = params![series, open_time, version, volatility, down, sideways, up, health];
    if connection.prepare_cached(INSERT)?.execute(values)? == 1 {
        return Ok(Applied::Inserted);
    }
    if connection.prepare_cached(UPDATE)?.execute(values)? == 1 {
        return Ok(Applied::Updated);
    }
    connection.prepare_cached(CONFIRM)?.execute(params![series, open_time, version])?;
    Ok(Applied::Unchanged)
}

fn ensure(connection: &Connection, series: &Series) -> Result<i64, Failure> {
    let Series { model, version, split, symbol, interval, horizon } = series;
    let values = params![model, version, split, symbol, interval, horizon];
    let found = connection
        .prepare_cached(
            "SELECT id FROM prediction_series WHERE (model, model_version, split, symbol, interval, horizon)
                = (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .query_row(values, |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    connection
        .prepare_cached(
            "INSERT INTO prediction_series (model, model_version, split, symbol, interval, horizon)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(values)?;
    Ok(connection.last_insert_rowid())
}

fn read(
    connection: &Connection,
    query: &PredictionQuery,
    after: Option<&Prediction>,
    max: usize,
) -> Result<Vec<Versioned<Prediction>>, Failure> {
    let after = after.map(|prediction| (Series::of(prediction), prediction.open_time));
    let mut found = Vec::new();
    for (id, template) in matching(connection, query)? {
        let series = Series::of(&template);
        let passed = match &after {
            Some((last, _)) if series < *last => continue,
            Some((last, open_time)) if series == *last => Some(*open_time),
            _ => None,
        };
        append(connection, id, &template, query, passed, max, &mut found)?;
        if found.len() >= max {
            break;
        }
    }
    Ok(found)
}

/// The series that a query asks for, each as a prediction that lacks its bar and its numbers.
fn matching(connection: &Connection, query: &PredictionQuery) -> Result<Vec<(i64, Prediction)>, Failure> {
    let PredictionQuery { model, version, symbol, interval, split, range: _ } = query;
    let mut statement = connection.prepare_cached(SERIES)?;
    let mut rows = statement.query(params![
        model.as_ref().map(ModelName::as_str),
        version.as_ref().map(ModelVersion::as_str),
        split.map(Split::as_str),
        symbol.as_ref().map(Symbol::as_str),
        interval.map(Interval::as_str),
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, template(row)?));
    }
    Ok(found)
}

fn template(row: &Row<'_>) -> Result<Prediction, Failure> {
    let text = |column| row.get::<_, String>(column);
    let horizon: u32 = row.get(6)?;
    Ok(Prediction {
        model: parse(&text(1)?)?,
        version: parse(&text(2)?)?,
        split: match text(3)?.as_str() {
            "test" => Split::Test,
            "live" => Split::Live,
            other => return Err(Failure::Damaged(format!("split `{other}` of predictions is not known"))),
        },
        symbol: parse(&text(4)?)?,
        interval: parse(&text(5)?)?,
        horizon: horizon.try_into().map_err(|_| Failure::Damaged("stored horizon is zero".to_owned()))?,
        open_time: 0,
        volatility: 0.0,
        probabilities: [0.0; 3].into(),
        health: None,
    })
}

fn append(
    connection: &Connection,
    series: i64,
    template: &Prediction,
    query: &PredictionQuery,
    passed: Option<Millis>,
    max: usize,
    found: &mut Vec<Versioned<Prediction>>,
) -> Result<(), Failure> {
    let (from, to) = query.range.map_or((Millis::MIN, Millis::MAX), |range| (range.from(), range.to()));
    let from = passed.map_or(from, |passed| passed.saturating_add(1).max(from));
    let limit = i64::try_from(max.saturating_sub(found.len())).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query(params![series, from, to, limit])?;
    while let Some(row) = rows.next()? {
        let value = Prediction {
            open_time: row.get(0)?,
            volatility: row.get(1)?,
            probabilities: [row.get(2)?, row.get(3)?, row.get(4)?].into(),
            health: health(row.get(6)?)?,
            ..template.clone()
        };
        found.push(Versioned { version: unsigned(row.get(5)?)?, value });
    }
    Ok(())
}

fn health(text: Option<String>) -> Result<Option<Health>, Failure> {
    let read = |text: String| {
        serde_json::from_str(&text).map_err(|_| Failure::Damaged(format!("stored value `{text}` cannot be read")))
    };
    text.map(read).transpose()
}
