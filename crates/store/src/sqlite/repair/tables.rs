//! The tables of the store as a repair sees them: how a row of each looks, and how it gets into the new file.

use std::str::FromStr;

use rusqlite::{Connection, types::Value as Stored};
use serde_json::Value as Json;
use streamforge_events::{Decimal, Health, Interval, ModelName, ModelVersion, QueueId, Symbol, TimeRange};
use streamforge_salvage::{Row, Value};

/// Columns that tell which of two rows under one key is the newer one.
const NEWER: [&str; 3] = ["version", "revision", "fence"];

/// A table.
pub(super) struct Table {
    pub(super) name: String,
    /// The page where it begins in a file that this program has made.
    pub(super) root: u32,
    columns: Vec<Column>,
    has_rowid: bool,
}

struct Column {
    name: String,
    kind: String,
    is_required: bool,
    is_key: bool,
}

/// Where in the order of its table a row stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(pub(super) Part, pub(super) Part);

/// A part of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Number(i64),
    Text(Vec<u8>),
    Other,
}

/// The tables of a store; those that others refer to come first.
pub(super) fn all(connection: &Connection) -> Result<Vec<Table>, rusqlite::Error> {
    let mut tables = connection
        .prepare(
            "SELECT name, rootpage, NOT wr FROM sqlite_schema JOIN pragma_table_list USING (name)
             WHERE sqlite_schema.type = 'table' ORDER BY rootpage",
        )?
        .query_map([], |row| {
            Ok(Table { name: row.get(0)?, root: row.get(1)?, has_rowid: row.get(2)?, columns: Vec::new() })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for table in &mut tables {
        table.columns = connection
            .prepare("SELECT name, type, \"notnull\" OR pk > 0, pk > 0 FROM pragma_table_info(?1) ORDER BY cid")?
            .query_map([&table.name], |row| {
                Ok(Column { name: row.get(0)?, kind: row.get(1)?, is_required: row.get(2)?, is_key: row.get(3)? })
            })?
            .collect::<Result<_, _>>()?;
    }
    Ok(tables)
}

impl Key {
    /// The key by which a row is found in the file.
    pub(super) fn of(row: &Row) -> Self {
        if let Some(number) = row.rowid {
            return Self(Part::Number(number), Part::Other);
        }
        let mut parts = row.values.iter().map(|value| match value {
            Value::Integer(number) => Part::Number(*number),
            Value::Text(text) => Part::Text(text.clone()),
            _ => Part::Other,
        });
        Self(parts.next().unwrap_or(Part::Other), parts.next().unwrap_or(Part::Other))
    }
}

impl Table {
    /// The columns of a row, if it is one of this table and can be read.
    pub(super) fn columns(&self, row: Row) -> Option<Vec<Stored>> {
        let Row { rowid, mut values } = row;
        // A row of before a column was added ends before it.
        while self.columns.get(values.len()).is_some_and(|column| !column.is_required) {
            values.push(Value::Null);
        }
        if self.has_rowid && self.columns[0].kind == "INTEGER" {
            match (rowid, values.first()?, values.last()?) {
                (Some(number), Value::Null, _) => values[0] = Value::Integer(number),
                // The index of what is unique ends with the number.
                (None, _, Value::Integer(_)) => values.rotate_right(1),
                _ => return None,
            }
        } else if rowid.is_some() != self.has_rowid {
            return None;
        }
        if values.len() != self.columns.len() {
            return None;
        }
        let columns = values.into_iter().zip(&self.columns);
        let columns: Vec<Stored> = columns.map(|(value, column)| column.take(value)).collect::<Option<_>>()?;
        self.is_readable(&columns).then_some(columns)
    }

    /// Puts a row into the table unless it has a newer one under the same key.
    pub(super) fn insert(&self) -> String {
        let list = |columns: &mut dyn Iterator<Item = String>| columns.collect::<Vec<_>>().join(", ");
        let values = list(&mut (1..=self.columns.len()).map(|number| format!("?{number}")));
        let name = &self.name;
        let Some(newer) = NEWER.iter().find(|newer| self.columns.iter().any(|column| column.name == **newer)) else {
            return format!("INSERT OR IGNORE INTO {name} VALUES ({values})");
        };
        let key = list(&mut self.columns.iter().filter(|column| column.is_key).map(|column| column.name.clone()));
        let set = |column: &Column| format!("{0} = excluded.{0}", column.name);
        let set = list(&mut self.columns.iter().filter(|column| !column.is_key).map(set));
        format!(
            "INSERT INTO {name} VALUES ({values}) ON CONFLICT ({key}) DO UPDATE SET {set}
             WHERE excluded.{newer} > {name}.{newer}"
        )
    }

    /// Whether the store could read what the columns say; their types are right.
    fn is_readable(&self, columns: &[Stored]) -> bool {
        let text = |column: usize| if let Stored::Text(text) = &columns[column] { text.as_str() } else { "" };
        let number = |column: usize| if let Stored::Integer(number) = columns[column] { number } else { 0 };
        match self.name.as_str() {
            "series" => is::<Symbol>(text(1)) && kind_is_known(text(2), text(3)),
            "klines" => {
                [3, 4, 5, 6, 7, 9, 11, 12].iter().all(|column| is::<Decimal>(text(*column)))
                    && number(2) >= 0
                    && number(10) >= 0
            }
            "trades" => is::<Decimal>(text(3)) && is::<Decimal>(text(4)) && number(2) >= 0,
            "loaded_ranges" => TimeRange::new(number(1), number(2)).is_ok(),
            "workflows" => is::<QueueId>(text(0)) && is::<Json>(text(5)),
            "idempotency_keys" => is::<QueueId>(text(2)),
            "graphs" => is::<Interval>(text(2)) && TimeRange::new(number(3), number(4)).is_ok() && is::<Json>(text(5)),
            "gaps" => is::<Symbol>(text(0)) && ["open", "left", "filled"].contains(&text(5)),
            "predictions" => columns[7] == Stored::Null || serde_json::from_str::<Health>(text(7)).is_ok(),
            "graph_nodes" => is::<Symbol>(text(2)),
            "graph_edges" => is::<Symbol>(text(2)) && is::<Symbol>(text(3)),
            "prediction_series" => {
                is::<ModelName>(text(1))
                    && is::<ModelVersion>(text(2))
                    && ["test", "live"].contains(&text(3))
                    && is::<Symbol>(text(4))
                    && is::<Interval>(text(5))
                    && number(6) > 0
            }
            _ => true,
        }
    }
}

impl Column {
    fn take(&self, value: Value) -> Option<Stored> {
        match (self.kind.as_str(), value) {
            (_, Value::Null) if !self.is_required => Some(Stored::Null),
            // A fraction that is whole is stored as a whole number; the table makes a fraction of it again.
            ("INTEGER" | "REAL", Value::Integer(number)) => Some(Stored::Integer(number)),
            ("REAL", Value::Real(number)) => Some(Stored::Real(number)),
            ("TEXT", Value::Text(text)) => String::from_utf8(text).ok().map(Stored::Text),
            ("BLOB", Value::Blob(bytes)) => Some(Stored::Blob(bytes)),
            _ => None,
        }
    }
}

fn is<T: FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

fn kind_is_known(kind: &str, interval: &str) -> bool {
    match kind {
        "klines" => is::<Interval>(interval),
        "trades" => interval.is_empty(),
        _ => false,
    }
}
