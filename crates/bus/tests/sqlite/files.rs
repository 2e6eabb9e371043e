//! The file: reopened, damaged, of another kind.

use std::{
    error::Error as _,
    fs,
    path::{Path, PathBuf},
};

use streamforge_bus::{Bus, Error, Record, SqliteBus, TopicConfig, repair};

use crate::{read_topic, record};

fn assert_names(error: &Error, path: &Path) {
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
}

async fn filled_log(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("bus.db");
    let bus = SqliteBus::open(&path).unwrap();
    bus.create_topic("t", &TopicConfig::default()).await.unwrap();
    for index in 0..500 {
        bus.publish("t", record(&format!("{index:0200}"))).await.unwrap();
    }
    bus.commit("g", "t", 0, 123).await.unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled_log(&folder).await;
    let bus = SqliteBus::open(&path).unwrap();
    assert_eq!(*bus.appended().borrow(), 500);
    assert_eq!(read_topic(&bus, "t").await.len(), 500);
    assert_eq!(bus.committed("g", "t").await.unwrap(), [Some(123)]);
    assert_eq!(bus.publish("t", record("next")).await.unwrap(), (0, 500));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_buses_of_one_process_share_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus.db");
    let first = SqliteBus::open(&path).unwrap();
    let second = SqliteBus::open(&path).unwrap();
    first.create_topic("t", &TopicConfig::default()).await.unwrap();
    assert_eq!(second.publish("t", record("a")).await.unwrap(), (0, 0));
    assert_eq!(first.publish("t", record("b")).await.unwrap(), (0, 1));
    assert_eq!(read_topic(&second, "t").await.len(), 2);
}

#[test]
fn file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus.db");
    fs::write(&path, "not a database, ".repeat(1000)).unwrap();
    let error = SqliteBus::open(&path).err().unwrap();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert!(error.source().is_some());
    assert_names(&error, &path);
}

#[test]
fn database_of_another_kind_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE other (a)").unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    let error = SqliteBus::open(&path).err().unwrap();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert_names(&error, &path);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_of_a_later_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled_log(&folder).await;
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = SqliteBus::open(&path).err().unwrap();
    assert!(matches!(error, Error::Schema { found: 99, .. }), "{error:?}");
    assert_names(&error, &path);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_pages_are_reported_by_the_read_that_meets_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled_log(&folder).await;
    let mut bytes = fs::read(&path).unwrap();
    // The tables and their first pages come early in the file; the records fill the rest.
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let bus = SqliteBus::open(&path).unwrap();
    let error = bus.read("t", 0, 0, 1000, usize::MAX).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert!(!error.is_retryable());
    assert_names(&error, &path);
}

#[test]
fn missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none").join("bus.db");
    let error = SqliteBus::open(&path).err().unwrap();
    assert!(matches!(error, Error::Open { .. }), "{error:?}");
    assert_names(&error, &path);
}

/// Writes a log as the first version did, with a row for each of 25,000 records.
fn log_of_rows(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("bus.db");
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = wal;
         PRAGMA application_id = 1397121653; PRAGMA user_version = 1;
         CREATE TABLE topics (
             id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, retention_ms INTEGER, retention_bytes INTEGER
         ) STRICT;
         CREATE TABLE partitions (
             topic_id INTEGER NOT NULL REFERENCES topics (id), partition INTEGER NOT NULL,
             start_offset INTEGER NOT NULL DEFAULT 0, end_offset INTEGER NOT NULL DEFAULT 0,
             bytes INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (topic_id, partition)
         ) STRICT, WITHOUT ROWID;
         CREATE TABLE records (
             topic_id INTEGER NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
             timestamp INTEGER NOT NULL, bytes INTEGER NOT NULL, key BLOB, headers BLOB NOT NULL,
             value BLOB NOT NULL, PRIMARY KEY (topic_id, partition, offset)
         ) STRICT, WITHOUT ROWID;
         CREATE TABLE group_offsets (
             group_name TEXT NOT NULL, topic_id INTEGER NOT NULL REFERENCES topics (id),
             partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
             PRIMARY KEY (group_name, topic_id, partition)
         ) STRICT, WITHOUT ROWID;
         INSERT INTO topics VALUES (1, 't', NULL, NULL);
         INSERT INTO partitions VALUES (1, 0, 0, 15000, 75000), (1, 1, 5, 10005, 50000);
         INSERT INTO group_offsets VALUES ('g', 1, 0, 123);
         WITH RECURSIVE numbers (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < 24999)
         INSERT INTO records SELECT 1, number >= 15000, number - (number >= 15000) * 14995, number, 5, NULL, x'',
             CAST(format('%05d', number) AS BLOB) FROM numbers;",
    )
    .unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn log_of_the_first_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = log_of_rows(&folder);
    for round in 0..2 {
        let bus = SqliteBus::open(&path).unwrap();
        assert_eq!(bus.committed("g", "t").await.unwrap(), [Some(123), None]);
        assert_eq!(bus.end_offsets("t").await.unwrap(), [15_000 + round, 10_005]);
        for (partition, start, first) in [(0, 0, 0), (1, 5, 15_000)] {
            let held = bus.fetch("t", partition, start, 10_000, usize::MAX).await.unwrap();
            assert_eq!(held.len(), 10_000);
            for (stored, number) in held.iter().zip(first..) {
                assert_eq!(stored.record.value, format!("{number:05}").into_bytes());
                assert_eq!(
                    (stored.offset, stored.record.timestamp),
                    (start + u64::try_from(number - first).unwrap(), number)
                );
            }
        }
        assert!(matches!(bus.fetch("t", 1, 4, 1, 1).await, Err(Error::RecordsGone { resume: 5, .. })));
        assert_eq!(bus.publish("t", Record::default()).await.unwrap(), (0, 15_000 + round));
    }
    SqliteBus::check(&path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_a_log_of_the_first_version_gets_no_new_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let path = log_of_rows(&folder);
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch(
        "ALTER TABLE records ADD COLUMN checksum INTEGER;
         UPDATE records SET checksum = 1 WHERE partition = 1 AND offset = 9000;",
    )
    .unwrap();
    drop(file);
    let error = SqliteBus::open(&path).err().unwrap();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    let report = repair(&path).unwrap();
    assert_eq!((report.records, report.groups), (24_999, 1));
    let gone: Vec<_> = report.gone.iter().map(|gone| (gone.partition, gone.from, gone.to)).collect();
    assert_eq!(gone, [(1, 9000, 9001)]);
    let bus = SqliteBus::open(&path).unwrap();
    assert_eq!(bus.committed("g", "t").await.unwrap(), [Some(123), None]);
    // A batch ends where a record is missing, so that its reader hears of it.
    let before = bus.fetch("t", 1, 8997, 100, usize::MAX).await.unwrap();
    assert_eq!(before.iter().map(|stored| stored.offset).collect::<Vec<_>>(), [8997, 8998, 8999]);
    assert!(matches!(bus.fetch("t", 1, 9000, 100, usize::MAX).await, Err(Error::RecordsGone { resume: 9001, .. })));
    let after = bus.fetch("t", 1, 9001, 1, 1).await.unwrap();
    assert_eq!((after[0].offset, after[0].record.value.as_slice()), (9001, &b"23996"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_damage_has_moved_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled_log(&folder).await;
    let file = rusqlite::Connection::open(&path).unwrap();
    // A single bit: no page says anything about it.
    assert_eq!(file.execute("UPDATE group_offsets SET next_offset = 123 | 256", []).unwrap(), 1);
    drop(file);
    assert!(matches!(SqliteBus::check(&path), Err(Error::Corrupt { .. })));
    let bus = SqliteBus::open(&path).unwrap();
    for told in [bus.committed("g", "t").await.map(drop), bus.commit("g", "t", 0, 400).await] {
        let error = told.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
        assert_names(&error, &path);
    }
    // Those who have nothing to do with it go on.
    bus.publish("t", record("next")).await.unwrap();
    drop(bus);
    let report = repair(&path).unwrap();
    assert_eq!((report.records, report.groups), (501, 0));
    // What the group has done comes again rather than being passed over.
    assert_eq!(SqliteBus::open(&path).unwrap().committed("g", "t").await.unwrap(), [None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_damage_has_moved_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus.db");
    let bus = SqliteBus::open(&path).unwrap();
    bus.create_topic("t", &TopicConfig { partitions: 2, ..TopicConfig::default() }).await.unwrap();
    bus.publish_many("t", vec![record("zero"), record("one")]).await.unwrap();
    drop(bus);
    let file = rusqlite::Connection::open(&path).unwrap();
    // Each record is whole, and at the offset that it claims.
    file.execute("UPDATE blocks SET data = (SELECT data FROM blocks WHERE partition = 1) WHERE partition = 0", [])
        .unwrap();
    drop(file);
    let bus = SqliteBus::open(&path).unwrap();
    let error = bus.fetch("t", 0, 0, 1, 1).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert_eq!(bus.fetch("t", 1, 0, 1, 1).await.unwrap().len(), 1);
}
