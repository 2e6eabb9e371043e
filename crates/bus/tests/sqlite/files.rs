//! The file: reopened, damaged, of another kind.

use std::{
    error::Error as _,
    fs,
    path::{Path, PathBuf},
};

use streamforge_bus::{Bus, Error, SqliteBus, TopicConfig};

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
