//! Rows one after the other into chunks: the same rows make the same bytes.

use std::io;

use streamforge_events::Millis;

use crate::{
    Chunk, Contents, Error,
    chunk::{Packer, checksum},
    period::Period,
    rows::Row,
};

/// What a chunk holds at most, so that it fits into memory, and that a late row costs no more to write again.
const MOST_ROWS: u64 = 50_000;

/// As [`MOST_ROWS`]; a single row may be larger.
const MOST_BYTES: u64 = 16 << 20;

/// A chunk and its bytes.
pub(crate) type Packed = (Chunk, Vec<u8>);

/// Divides rows into chunks.
pub(crate) struct Packing {
    contents: Contents,
    period: Period,
    line: Vec<u8>,
    open: Option<Open>,
}

/// The chunk that takes rows at present.
struct Open {
    packer: Packer,
    /// The period of its rows, half-open.
    period: (Millis, Millis),
    rows: u64,
    first: Millis,
    last: Millis,
    newest: u64,
}

impl Packing {
    pub(crate) fn new(contents: Contents, period: Period) -> Self {
        Self { contents, period, line: Vec::new(), open: None }
    }

    /// Adds a row, and answers the chunk before it if that is complete.
    pub(crate) fn add<R: Row>(&mut self, row: &R) -> Result<Option<Packed>, Error> {
        let before =
            if self.open.as_ref().is_some_and(|open| open.is_full_for(row.time())) { self.cut()? } else { None };
        self.append(row).map_err(|source| Error::Pack { what: self.contents.to_string(), source })?;
        Ok(before)
    }

    /// Ends the chunk of the rows so far.
    pub(crate) fn cut(&mut self) -> Result<Option<Packed>, Error> {
        let Some(open) = self.open.take() else { return Ok(None) };
        let Open { packer, rows, first, last, newest, .. } = open;
        let unpacked = packer.unpacked();
        let bytes = packer.finish().map_err(|source| Error::Pack { what: self.contents.to_string(), source })?;
        let chunk = Chunk { sha256: checksum(&bytes), bytes: bytes.len() as u64, unpacked, rows, first, last, newest };
        Ok(Some((chunk, bytes)))
    }

    fn append<R: Row>(&mut self, row: &R) -> io::Result<()> {
        let time = row.time();
        if self.open.is_none() {
            let mut packer = Packer::new();
            packer.add(&self.contents.header()?)?;
            let period = self.period.around(time);
            self.open = Some(Open { packer, period, rows: 0, first: time, last: time, newest: 0 });
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        self.line.clear();
        row.write(&mut self.line)?;
        open.packer.add(&self.line)?;
        open.rows += 1;
        open.first = open.first.min(time);
        open.last = open.last.max(time);
        open.newest = open.newest.max(row.version());
        Ok(())
    }
}

impl Open {
    /// Whether a row of this time belongs into another chunk.
    fn is_full_for(&self, time: Millis) -> bool {
        let (from, to) = self.period;
        time < from || time >= to || self.rows >= MOST_ROWS || self.packer.unpacked() >= MOST_BYTES
    }
}
