//! The log of one machine: a `SQLite` file in WAL mode that several processes share.
//!
//! - One thread per process writes; all publishes and commits that wait go into one transaction with one fsync.
//! - A small pool of connections reads, each read on one snapshot.
//! - Records lie in blocks of some dozens, one row each: a row for every record would cost more than what it holds.
//! - Offsets are handed out inside the transaction, under the file's write lock: no gap and no duplicate, whoever
//!   publishes. A partition's offsets never start again, even when retention has emptied it.
//! - Beside `NAME` lie `NAME-wal` and `NAME-shm`, which are `SQLite`'s, and `NAME-appended`, which wakes the readers of
//!   other processes.

mod blocks;
mod checksum;
mod failure;
mod frame;
mod frames;
mod groups;
mod headers;
mod ledger;
mod log;
mod readers;
mod repair;
mod retention;
mod rows;
mod schema;
mod topics;
mod watch;
mod writer;

#[cfg(test)]
mod disk_full_tests;

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use writer::Durability;

use crate::{
    Ahead, Bus, Error, GroupOffset, Member, Record, Seat, StoredRecord, TopicConfig, TopicDescription, alone::Alone,
    partitioner::Turns, refusal,
};

pub use repair::{Gone, Repair, repair};

/// The largest log that is checked as a whole before it is used; reading so much takes a fraction of a second.
const MAX_CHECKED_BYTES: u64 = 256 << 20;

/// An event log in one `SQLite` file.
///
/// Dropping it waits for what was handed over to be written.
pub struct SqliteBus {
    writer: writer::Writer,
    readers: readers::Readers,
    turns: Arc<Turns>,
    appended: Arc<tokio::sync::watch::Sender<u64>>,
    // Held for its effect: it raises `appended` until dropped.
    _watch: watch::AppendWatch,
}

impl SqliteBus {
    /// Opens the log, or creates it in a folder that exists.
    ///
    /// Blocks for as long as the disk takes; needs no async runtime, its methods do.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Corrupt`], [`Error::Schema`], [`Error::Busy`], [`Error::Watch`] or
    /// [`Error::Database`], each naming the file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let signal_path = watch::signal_path(path);
        let open_error =
            |path: &Path, source: io::Error| Error::Open { path: path.to_owned(), source: Arc::new(source) };
        let signal = open_signal(&signal_path).map_err(|error| open_error(&signal_path, error))?;
        // One process at a time sets the file up; closing `setup` or dying releases the lock.
        let setup = open_signal(&signal_path).map_err(|error| open_error(&signal_path, error))?;
        setup.lock().map_err(|error| open_error(&signal_path, error))?;
        refuse_what_looks_empty(path, &signal)?;
        let connection = schema::open_for_writing(path)?;
        mark_created(&signal).map_err(|error| open_error(&signal_path, error))?;
        drop(setup);

        let appended = Arc::new(tokio::sync::watch::Sender::new(0));
        let watching = schema::open_for_reading(path)?;
        let watch = watch::AppendWatch::start(path, watching, Arc::clone(&appended))?;
        // Read after the watch has begun, so that no append falls between the two.
        let count = topics::records_appended(&connection).map_err(|error| failure::database_error(error, path))?;
        watch::raise(&appended, count);
        let appends = watch::Appends::new(Arc::clone(&appended), signal);
        let writer = writer::Writer::start(connection, path, appends).map_err(|error| open_error(path, error))?;
        Ok(Self { writer, readers: readers::Readers::new(path), turns: Arc::default(), appended, _watch: watch })
    }

    /// Looks for damage before a log is used: in all that it holds, or where it begins if it is large.
    ///
    /// Damage that this does not find is found by the read that meets it.
    ///
    /// # Errors
    /// [`Error::Corrupt`], or why the file cannot be read. A log that does not exist yet is fine.
    pub fn check(path: &Path) -> Result<(), Error> {
        if path.metadata().is_ok_and(|file| file.len() > MAX_CHECKED_BYTES) {
            return Self::open(path).map(drop);
        }
        Self::check_whole(path)
    }

    /// Looks for damage in all that a log holds, however long that takes.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_whole(path: &Path) -> Result<(), Error> {
        if !path.exists() && !watch::signal_path(path).exists() {
            return Ok(());
        }
        let connection = Self::open(path).and_then(|_| schema::open_for_reading(path))?;
        let said: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|error| failure::database_error(error, path))?;
        if said != "ok" {
            return Err(Error::Corrupt { path: path.to_owned(), source: None });
        }
        let content = blocks::check(&connection).and_then(|()| groups::list(&connection).map(drop));
        content.map_err(|failure| failure.into_error(path))
    }

    async fn set_offset(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
        next: u64,
        allowed: groups::Move,
    ) -> Result<(), Error> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        // A commit that a power failure takes back means that events come again, as they may anyway. Only a person
        // resets.
        let durability = match allowed {
            groups::Move::Forward => Durability::Process,
            groups::Move::Anywhere => Durability::Disk,
        };
        self.writer
            .run(durability, 0, move |batch| groups::set(batch.tables()?, &group, &topic, partition, next, allowed))
            .await
    }
}

#[async_trait]
impl Bus for SqliteBus {
    async fn create_topic(&self, name: &str, config: &TopicConfig) -> Result<(), Error> {
        refusal::check_topic(name, config)?;
        let (name, config) = (name.to_owned(), config.clone());
        self.writer.run(Durability::Disk, 0, move |batch| topics::create(batch.tables()?, &name, &config)).await
    }

    async fn topics(&self) -> Result<Vec<TopicDescription>, Error> {
        self.readers.run(topics::describe_all).await
    }

    async fn publish_many(&self, topic: &str, records: Vec<Record>) -> Result<Vec<(u32, u64)>, Error> {
        refusal::check_records(topic, &records)?;
        let bytes = records.iter().map(Record::size).sum();
        let (topic, turns) = (topic.to_owned(), Arc::clone(&self.turns));
        self.writer.run(Durability::Disk, bytes, move |batch| log::append(batch, &topic, &records, &turns)).await
    }

    async fn fetch(
        &self,
        topic: &str,
        partition: u32,
        from: u64,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<StoredRecord>, Error> {
        let topic = topic.to_owned();
        self.readers
            .run(move |connection| log::fetch(connection, &topic, partition, from, max_records, max_bytes))
            .await
    }

    async fn look(
        &self,
        topic: &str,
        positions: Vec<Option<u64>>,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<Ahead>, Error> {
        let topic = topic.to_owned();
        self.readers.run(move |connection| log::look(connection, &topic, &positions, max_records, max_bytes)).await
    }

    async fn committed(&self, group: &str, topic: &str) -> Result<Vec<Option<u64>>, Error> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.readers.run(move |connection| groups::committed(connection, &group, &topic)).await
    }

    async fn commit(&self, group: &str, topic: &str, partition: u32, next: u64) -> Result<(), Error> {
        self.set_offset(group, topic, partition, next, groups::Move::Forward).await
    }

    async fn reset(&self, group: &str, topic: &str, partition: u32, next: u64) -> Result<(), Error> {
        self.set_offset(group, topic, partition, next, groups::Move::Anywhere).await
    }

    async fn record_loss(&self, group: &str, topic: &str, partition: u32, from: u64, to: u64) -> Result<(), Error> {
        if from >= to {
            return Ok(());
        }
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.writer
            .run(Durability::Disk, 0, move |batch| {
                groups::record_loss(batch.tables()?, &group, &topic, partition, from..to)
            })
            .await
    }

    async fn join(self: Arc<Self>, seat: Seat) -> Result<Arc<dyn Member>, Error> {
        Alone::join(self, seat).await
    }

    async fn groups(&self) -> Result<Vec<GroupOffset>, Error> {
        self.readers.run(groups::list).await
    }

    async fn delete_group(&self, group: &str) -> Result<(), Error> {
        let group = group.to_owned();
        self.writer.run(Durability::Disk, 0, move |batch| groups::delete(batch.tables()?, &group)).await
    }

    async fn lag(&self, group: &str, topic: &str) -> Result<Vec<u64>, Error> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.readers.run(move |connection| groups::lag(connection, &group, &topic)).await
    }

    async fn end_offsets(&self, topic: &str) -> Result<Vec<u64>, Error> {
        let topic = topic.to_owned();
        self.readers
            .run(move |connection| {
                let (_, ranges) = topics::find(connection, &topic)?;
                Ok(ranges.iter().map(|range| range.end).collect())
            })
            .await
    }

    async fn enforce_retention(&self, now: i64) -> Result<u64, Error> {
        let mut total = 0;
        loop {
            let enforce = move |batch: &mut writer::Batch<'_>| retention::enforce(batch.tables()?, now);
            let deleted = self.writer.run(Durability::Process, 0, enforce).await?;
            if deleted == 0 {
                return Ok(total);
            }
            total += deleted;
        }
    }

    fn appended(&self) -> tokio::sync::watch::Receiver<u64> {
        self.appended.subscribe()
    }
}

/// Refuses files that `SQLite` would silently take for an empty log although records were acknowledged.
fn refuse_what_looks_empty(path: &Path, signal: &File) -> Result<(), Error> {
    let open_error = |source: io::Error| Error::Open { path: path.to_owned(), source: Arc::new(source) };
    let was_created = signal.metadata().map_err(open_error)?.len() > 0;
    let is_empty = path.metadata().map_or(true, |file| file.len() == 0);
    if (was_created && is_empty) || streamforge_salvage::is_wal_damaged(path).map_err(open_error)? {
        return Err(Error::Corrupt { path: path.to_owned(), source: None });
    }
    Ok(())
}

/// Notes in the signal file that the log has been created.
fn mark_created(mut signal: &File) -> io::Result<()> {
    if signal.metadata()?.len() == 0 {
        signal.write_all(b"\n")?;
    }
    Ok(())
}

/// Opens the signal file; it is also what set-up locks. See [`SqliteBus::open`].
fn open_signal(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).truncate(false).open(path)
}
