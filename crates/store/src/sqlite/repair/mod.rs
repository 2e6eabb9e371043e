//! Makes a new store of all that can be read of a damaged one.
//!
//! What is lost of the series no longer counts as loaded, so that a workflow that needs it loads it again.

mod missing;
mod tables;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, params_from_iter};
use streamforge_events::{Millis, SeriesId};
use streamforge_salvage::{Item, Pages, Row, Value, fresh_place, put_in_place};

use super::{failure::Failure, schema, turn::Turn};
use crate::Error;
use tables::{Key, Part, Table};

/// Rows in one transaction of the new store.
const ROWS_AT_ONCE: u64 = 50_000;

/// Tables of which only what their trees lead to is kept: a page elsewhere may hold what was deleted, or of a graph not
/// all that there was.
const NOT_FROM_ELSEWHERE: [&str; 3] = ["loaded_ranges", "graph_nodes", "graph_edges"];

/// What a repair saved and what it could not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Where the damaged file lies now; its WAL lies beside it.
    pub damaged: PathBuf,
    /// How many rows each table has now, and in how many places rows may be lost.
    pub tables: Vec<Kept>,
    /// What may be lost of the series; it no longer counts as loaded.
    pub missing: Vec<Missing>,
    /// Rows of series whose names are lost; they are not kept.
    pub nameless: u64,
    /// Graphs of which parts are lost; nothing of them is kept.
    pub graphs: Vec<String>,
    /// Workflows that were under way and counted on what is lost; they are not kept.
    pub workflows: Vec<String>,
}

/// What is kept of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
    /// In how many places rows could not be read.
    pub holes: usize,
}

/// A time of which a series may lack rows that were there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The series.
    pub series: SeriesId,
    /// From when on; `None` if nothing is known of what was before.
    pub from: Option<Millis>,
    /// Until when; `None` if nothing is known of what came after.
    pub to: Option<Millis>,
}

/// Neighbours in a tree between which rows may be lost.
struct Hole {
    after: Option<Key>,
    before: Option<Key>,
}

/// Puts a new store in the place of a damaged one, with every row that can be read, and answers what is lost; none if
/// nothing is damaged. The damaged files stay beside it, with `.damaged-N` in their names.
///
/// `is_over` tells of the status of a workflow whether it has ended. Nobody else may use the store meanwhile; the caller
/// sees to it.
///
/// # Errors
/// [`Error::Schema`] if a newer version of the program wrote the store, or why a file cannot be read, written or
/// renamed; the damaged one is then where it was.
pub fn repair(path: &Path, is_over: impl Fn(&str) -> bool) -> Result<Option<Repair>, Error> {
    let is_sound = match super::check::whole(path) {
        Err(error @ Error::Schema { .. }) => return Err(error),
        checked => checked.is_ok(),
    };
    let fail = |action| move |error: io::Error| Error::File { action, path: path.to_owned(), source: Arc::new(error) };
    let fresh = fresh_place(path).map_err(fail("repair"))?;
    let pages = Pages::open(path).map_err(fail("read"))?;
    let turn = Turn::open(path)?;
    let taken = turn.take().map_err(fail("lock"))?;
    let mut connection = schema::open_for_writing(&fresh, &taken)?;
    let built = build(&pages, &mut connection, &is_over).map_err(|stopped| match stopped {
        Stopped::Reading(error) => fail("read")(error),
        Stopped::Writing(failure) => failure.into_error(&fresh),
    })?;
    drop((connection, pages));
    if is_sound && built.is_whole() {
        fresh_place(path).map_err(fail("remove what was beside"))?;
        return Ok(None);
    }
    turn.mark_created().map_err(fail("lock"))?;
    let damaged = put_in_place(&fresh, path).map_err(fail("replace"))?;
    Ok(Some(Repair { damaged, ..built }))
}

impl Repair {
    fn is_whole(&self) -> bool {
        self.tables.iter().all(|table| table.holes == 0) && self.nameless == 0 && self.graphs.is_empty()
    }
}

enum Stopped {
    Reading(io::Error),
    Writing(Failure),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Reading(error)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Writing(failure)
    }
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Self::Writing(Failure::Database(error))
    }
}

fn build(pages: &Pages, connection: &mut Connection, is_over: &dyn Fn(&str) -> bool) -> Result<Repair, Stopped> {
    // What refers to lost rows is settled at the end; until the last line nothing need survive a power failure.
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "synchronous", false)?;
    let tables = tables::all(connection)?;
    let holes = copy_trees(pages, connection, &tables)?;
    copy_from_elsewhere(pages, connection, &tables, &holes)?;
    let transaction = connection.transaction()?;
    let nameless = drop_nameless(&transaction)?;
    let of = |table: &str| holes.get(table).map_or(&[][..], Vec::as_slice);
    let missing = missing::settle(&transaction, of("klines"), of("trades"))?;
    let graphs = drop_graphs(&transaction, [of("graph_nodes"), of("graph_edges")])?;
    let has_lost = !missing.is_empty() || nameless > 0;
    let workflows = if has_lost { drop_underway(&transaction, is_over)? } else { Vec::new() };
    let count = |table: &Table| {
        transaction.query_row(&format!("SELECT COUNT(*) FROM {}", table.name), [], |row| row.get::<_, i64>(0))
    };
    let mut kept = Vec::new();
    for table in &tables {
        let holes = of(&table.name).len();
        kept.push(Kept { table: table.name.clone(), rows: count(table)?.unsigned_abs(), holes });
    }
    transaction.commit()?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(Repair { damaged: PathBuf::new(), tables: kept, missing, nameless, graphs, workflows })
}

/// Copies what the trees of the tables lead to, and answers where rows of which table may be lost.
fn copy_trees(
    pages: &Pages,
    connection: &mut Connection,
    tables: &[Table],
) -> Result<BTreeMap<String, Vec<Hole>>, Stopped> {
    let (roots, are_all) = roots(pages)?;
    let mut holes = BTreeMap::new();
    for table in tables {
        // Tables that an older store does not have are none that it has lost.
        let root = roots.get(&table.name).copied().or((!are_all).then_some(table.root));
        if let Some(root) = root {
            holes.insert(table.name.clone(), copy_tree(pages, connection, table, root)?);
        }
    }
    Ok(holes)
}

/// Where the tables begin, and whether all are known.
fn roots(pages: &Pages) -> Result<(BTreeMap<String, u32>, bool), Stopped> {
    let mut roots = BTreeMap::new();
    let mut are_all = true;
    pages.walk::<Stopped>(1, &mut |item| {
        match item {
            Item::Row(Row { values, .. }) => {
                if let [Value::Text(kind), Value::Text(name), _, Value::Integer(root), _] = values.as_slice()
                    && let (Ok(name), Ok(root)) = (String::from_utf8(name.clone()), u32::try_from(*root))
                    && kind == b"table"
                {
                    roots.insert(name, root);
                }
            }
            Item::Hole => are_all = false,
        }
        Ok(())
    })?;
    are_all &= !roots.is_empty();
    Ok((roots, are_all))
}

fn copy_tree(pages: &Pages, connection: &mut Connection, table: &Table, root: u32) -> Result<Vec<Hole>, Stopped> {
    let mut holes = Vec::new();
    let mut last: Option<Key> = None;
    let mut is_open = false;
    let mut batch = Batch::begin(connection, table)?;
    pages.walk::<Stopped>(root, &mut |item| {
        let Item::Row(row) = item else {
            is_open = true;
            return Ok(());
        };
        let key = Key::of(&row);
        let is_next = last.as_ref().is_none_or(|last| *last < key);
        let is_kept = batch.insert(table, row)?;
        if !(is_kept && is_next) {
            is_open = true;
            return Ok(());
        }
        if is_open {
            holes.push(Hole { after: last.take(), before: Some(key.clone()) });
            is_open = false;
        }
        last = Some(key);
        Ok(())
    })?;
    if is_open {
        holes.push(Hole { after: last, before: None });
    }
    batch.end()?;
    Ok(holes)
}

/// Copies rows of tables with holes from pages that nothing intact may lead to any more.
fn copy_from_elsewhere(
    pages: &Pages,
    connection: &mut Connection,
    tables: &[Table],
    holes: &BTreeMap<String, Vec<Hole>>,
) -> Result<(), Stopped> {
    let has_holes = |table: &&Table| holes.get(&table.name).is_some_and(|holes| !holes.is_empty());
    for table in tables.iter().filter(has_holes) {
        if NOT_FROM_ELSEWHERE.contains(&table.name.as_str()) {
            continue;
        }
        let mut batch = Batch::begin(connection, table)?;
        for number in 1..=pages.count() {
            for row in pages.rows(number)? {
                batch.insert(table, row)?;
            }
        }
        batch.end()?;
    }
    Ok(())
}

/// Rows on their way into one table.
struct Batch<'connection> {
    connection: &'connection Connection,
    insert: rusqlite::Statement<'connection>,
    rows: u64,
}

impl<'connection> Batch<'connection> {
    fn begin(connection: &'connection Connection, table: &Table) -> Result<Self, rusqlite::Error> {
        let insert = connection.prepare(&table.insert())?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self { connection, insert, rows: 0 })
    }

    /// Answers whether the row is one of the table.
    fn insert(&mut self, table: &Table, row: Row) -> Result<bool, rusqlite::Error> {
        let Some(columns) = table.columns(row) else { return Ok(false) };
        self.insert.execute(params_from_iter(columns))?;
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_AT_ONCE) {
            self.connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        }
        Ok(true)
    }

    fn end(self) -> Result<(), rusqlite::Error> {
        self.connection.execute_batch("COMMIT")
    }
}

/// Drops rows of which nobody knows any more what they belong to, and counts those of series.
fn drop_nameless(connection: &Connection) -> Result<u64, rusqlite::Error> {
    let mut count = 0;
    for kind in ["klines", "trades"] {
        let sql = format!("DELETE FROM {kind} WHERE series_id NOT IN (SELECT id FROM series WHERE kind = ?1)");
        count += connection.execute(&sql, [kind])? as u64;
    }
    connection.execute_batch(
        "DELETE FROM loaded_ranges WHERE series_id NOT IN (SELECT id FROM series);
         DELETE FROM predictions WHERE series_id NOT IN (SELECT id FROM prediction_series);",
    )?;
    Ok(count)
}

/// Drops graphs that are not known to be whole, and names them.
fn drop_graphs(connection: &Connection, holes: [&[Hole]; 2]) -> Result<Vec<String>, rusqlite::Error> {
    let known: Vec<(String, bool)> = connection
        .prepare(
            "SELECT id, id IN (SELECT id FROM graphs) FROM (
                 SELECT id FROM graphs UNION SELECT graph_id FROM graph_nodes UNION SELECT graph_id FROM graph_edges
             ) ORDER BY id",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut dropped = Vec::new();
    for (id, is_described) in known {
        let begin = Key(Part::Text(id.clone().into_bytes()), Part::Number(0));
        let may_hold = |hole: &Hole| {
            hole.after.as_ref().is_none_or(|after| after.0 <= begin.0)
                && hole.before.as_ref().is_none_or(|before| *before > begin)
        };
        if !is_described || holes.into_iter().flatten().any(may_hold) {
            for sql in [
                "DELETE FROM graph_edges WHERE graph_id = ?1",
                "DELETE FROM graph_nodes WHERE graph_id = ?1",
                "DELETE FROM graphs WHERE id = ?1",
            ] {
                connection.execute(sql, [&id])?;
            }
            dropped.push(id);
        }
    }
    Ok(dropped)
}

/// Drops workflows that would count what is lost as done, or still have to say what they counted as done.
fn drop_underway(connection: &Connection, is_over: &dyn Fn(&str) -> bool) -> Result<Vec<String>, rusqlite::Error> {
    let known: Vec<(String, String, bool)> = connection
        .prepare("SELECT id, status, next_deadline IS NOT NULL FROM workflows ORDER BY created_at, id")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut dropped: BTreeSet<String> = BTreeSet::new();
    for (id, status, is_waited_for) in known {
        if is_waited_for || !is_over(&status) {
            connection.execute("DELETE FROM workflows WHERE id = ?1", [&id])?;
            dropped.insert(id);
        }
    }
    Ok(dropped.into_iter().collect())
}
