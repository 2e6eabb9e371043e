//! A checksum of each record: `SQLite` notices a damaged page only where its structure suffers.

use rusqlite::{
    Result,
    types::{ToSql, ToSqlOutput, Value},
};

use crate::Record;

/// Where a record stands; a record that damage moved elsewhere is found out, too.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) topic_id: i64,
    pub(super) partition: u32,
    pub(super) offset: u64,
}

/// CRC-32 of a record and its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Checksum(u32);

impl Checksum {
    pub(super) fn of(place: Place, record: &Record, headers: &[u8]) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&place.topic_id.to_le_bytes());
        hasher.update(&place.partition.to_le_bytes());
        hasher.update(&place.offset.to_le_bytes());
        hasher.update(&record.timestamp.to_le_bytes());
        // The length keeps bytes from wandering between key and headers, and tells no key from an empty one.
        hasher.update(&record.key.as_ref().map_or(u64::MAX, |key| key.len() as u64).to_le_bytes());
        hasher.update(record.key.as_deref().unwrap_or_default());
        hasher.update(&(headers.len() as u64).to_le_bytes());
        hasher.update(headers);
        hasher.update(&record.value);
        Self(hasher.finalize())
    }

    /// Whether a stored checksum is this one; records of logs that had none yet are taken as they are.
    pub(super) fn agrees_with(self, stored: Option<i64>) -> bool {
        stored.is_none_or(|stored| stored == i64::from(self.0))
    }
}

impl ToSql for Checksum {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Integer(i64::from(self.0))))
    }
}
