//! Records in the database: as many neighbours as fit into one row, so that they are written and deleted at one go.

use rusqlite::Connection;
use streamforge_salvage::{MAX_LOCAL_BYTES, OVERFLOW_BYTES};

use super::{
    failure::Failure,
    frame::{self, Frame, Place},
};
use crate::Record;

/// How large a block grows before the next one is begun: four pages, which it fills to the brim, and no more, so that
/// a reader of a few records does not read many others. A larger record is a block of its own.
const BLOCK_BYTES: usize = MAX_LOCAL_BYTES + 3 * OVERFLOW_BYTES - COLUMNS_BYTES;
/// What the columns beside the records take at most.
const COLUMNS_BYTES: usize = 60;

/// Neighbouring records of one partition on their way into the database.
#[derive(Default)]
pub(super) struct Block {
    data: Vec<u8>,
    last_offset: u64,
    records: u64,
    bytes: u64,
    newest: Option<i64>,
}

impl Block {
    /// Appends a record; writes those before if there is no room for it.
    pub(super) fn push(&mut self, connection: &Connection, place: Place, record: &Record) -> Result<(), Failure> {
        let begin = self.data.len();
        frame::encode(&mut self.data, place, record).ok_or(rusqlite::Error::InvalidQuery)?;
        if begin > 0 && self.data.len() > BLOCK_BYTES {
            let last = self.data.split_off(begin);
            self.write(connection, place)?;
            self.data = last;
        }
        self.last_offset = place.offset;
        self.records += 1;
        self.bytes += record.size() as u64;
        self.newest = self.newest.max(Some(record.timestamp));
        Ok(())
    }

    /// How many records have been gathered.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Writes what has been gathered, if anything, to the partition of `place`, and begins anew.
    pub(super) fn write(&mut self, connection: &Connection, place: Place) -> Result<(), Failure> {
        let Some(newest) = self.newest.take() else {
            return Ok(());
        };
        connection
            .prepare_cached(
                "INSERT INTO blocks (topic_id, partition, last_offset, records, bytes, newest, data)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                place.topic_id,
                place.partition,
                self.last_offset,
                self.records,
                self.bytes,
                newest,
                &self.data,
            ))?;
        self.data.clear();
        (self.records, self.bytes) = (0, 0);
        Ok(())
    }
}

/// Reads every block for damage that the structure of the file does not show.
pub(super) fn check(connection: &Connection) -> Result<(), Failure> {
    let mut select = connection.prepare("SELECT data FROM blocks")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let data = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        if !frames(data).all(|frame| frame.is_some_and(Frame::is_whole)) {
            return Err(Failure::Damaged);
        }
    }
    Ok(())
}

/// The records of a block in their order; `None` in the place of what cannot be read, and then no more.
pub(super) fn frames(mut data: &[u8]) -> impl Iterator<Item = Option<Frame<'_>>> {
    std::iter::from_fn(move || {
        if data.is_empty() {
            return None;
        }
        let frame = Frame::take(&mut data);
        if frame.is_none() {
            data = &[];
        }
        Some(frame)
    })
}
