//! The files of a recording: lines are gathered, packed and appended as whole gzip members, so that whatever ends the
//! process, a file can be read up to its last member.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use streamforge_events::Millis;

use super::names;
use crate::Error;

const HOUR: Millis = 3_600_000;
/// Lines that wait in memory at most, for each file.
const MOST_WAITING: usize = 1 << 20;
/// Files of one name and time.
const MOST_NUMBERS: u32 = 999_999;

/// When a new file is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Each hour, UTC; otherwise each day.
    pub is_hourly: bool,
    /// As soon as the last one has so many bytes, packed.
    pub bytes: u64,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { is_hourly: false, bytes: 1 << 30 }
    }
}

impl Rotation {
    /// The beginning of the hour or day that a time lies in.
    fn begins(self, time: Millis) -> Millis {
        let length = if self.is_hourly { HOUR } else { 24 * HOUR };
        time.div_euclid(length) * length
    }
}

/// The files that are written.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    rotation: Rotation,
    parts: BTreeMap<String, Part>,
    /// What was written so far.
    pub(super) bytes: u64,
    /// How many files were begun.
    pub(super) count: u64,
    /// Holds the lock on the folder.
    lock: File,
}

/// The newest file of one name.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    file: File,
    begins: Millis,
    bytes: u64,
    waiting: Vec<u8>,
}

impl Files {
    /// Takes a folder that is new, empty, or holds nothing but an earlier recording.
    pub(super) fn open(folder: &Path, rotation: Rotation) -> Result<Self, Error> {
        let fail = |source| failed(folder, source);
        fs::create_dir_all(folder).map_err(fail)?;
        for entry in fs::read_dir(folder).map_err(fail)? {
            let name = entry.map_err(fail)?.file_name();
            if name.to_str().and_then(names::owner).is_none() {
                let reason = format!("`{}` in it is no part of a recording", name.to_string_lossy());
                return Err(Error::Folder { path: folder.to_owned(), reason });
            }
        }
        let lock = File::open(folder).map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let reason = "another process records into it".to_owned();
                return Err(Error::Folder { path: folder.to_owned(), reason });
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        Ok(Self { folder: folder.to_owned(), rotation, parts: BTreeMap::new(), bytes: 0, count: 0, lock })
    }

    /// Adds a line to the file of `of`; `head` stands before the time of receipt.
    pub(super) fn add(&mut self, of: &str, received: i64, head: &str, json: &str) -> Result<(), Error> {
        let begins = self.rotation.begins(received / 1_000_000);
        let is_due = |part: &Part| part.begins < begins || part.bytes >= self.rotation.bytes;
        if let Some(mut part) = self.parts.get(of).is_some_and(is_due).then(|| self.parts.remove(of)).flatten() {
            self.bytes += part.flush()?;
            part.sync()?;
        }
        if !self.parts.contains_key(of) {
            self.parts.insert(of.to_owned(), self.begin(of, begins)?);
            self.count += 1;
        }
        let Some(part) = self.parts.get_mut(of) else { return Ok(()) };
        // Writing to memory cannot fail.
        let _ = writeln!(part.waiting, "{head}{received} {json}");
        if part.waiting.len() >= MOST_WAITING {
            self.bytes += part.flush()?;
        }
        Ok(())
    }

    /// Appends what waits to the files.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        for part in self.parts.values_mut() {
            self.bytes += part.flush()?;
        }
        Ok(())
    }

    /// Appends what waits, and ends when all of it is on the disk.
    pub(super) fn close(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.parts.values().try_for_each(Part::sync)?;
        self.lock.sync_all().map_err(|source| failed(&self.folder, source))
    }

    /// A file that was not there before: nothing that was recorded is ever touched.
    fn begin(&self, of: &str, begins: Millis) -> Result<Part, Error> {
        for number in 0..=MOST_NUMBERS {
            let path = self.folder.join(names::file_name(of, begins, self.rotation.is_hourly, number));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Part { path, file, begins, bytes: 0, waiting: Vec::new() }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&path, error)),
            }
        }
        let reason = format!("it has {MOST_NUMBERS} files of `{of}` already");
        Err(Error::Folder { path: self.folder.clone(), reason })
    }
}

impl Part {
    /// Appends what waits as one member; says how many bytes that took.
    fn flush(&mut self) -> Result<u64, Error> {
        if self.waiting.is_empty() {
            return Ok(0);
        }
        let mut packer = GzEncoder::new(Vec::with_capacity(self.waiting.len() / 4), Compression::default());
        // Writing to memory cannot fail.
        let member = packer.write_all(&self.waiting).and_then(|()| packer.finish()).unwrap_or_default();
        if let Err(source) = self.file.write_all(&member) {
            // Half a member would be all that is at the end. If it stays, readers pass over it.
            self.file.set_len(self.bytes).ok();
            return Err(failed(&self.path, source));
        }
        self.waiting.clear();
        self.bytes += member.len() as u64;
        Ok(member.len() as u64)
    }

    fn sync(&self) -> Result<(), Error> {
        self.file.sync_all().map_err(|source| failed(&self.path, source))
    }
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Write { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Capture;

    /// 2024-08-08T00:00:00Z.
    const DAY: i64 = 1_723_075_200_000_000_000;
    const HOURS: i64 = 3_600_000_000_000;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn frames(folder: &Path) -> Vec<(String, String)> {
        let frame = |frame: Result<crate::capture::Recorded, Error>| {
            let frame = frame.unwrap();
            (frame.symbol().unwrap_or_default().to_owned(), frame.json)
        };
        Capture::open(folder).unwrap().map(frame).collect()
    }

    #[test]
    fn files_begin_with_the_hour_and_with_their_size_and_are_read_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::open(folder.path(), Rotation { is_hourly: true, bytes: 1 }).unwrap();
        for (number, time) in [(1, DAY), (2, DAY + 1), (3, DAY + HOURS), (4, DAY + 30 * HOURS)] {
            files.add("btcusdt", time, "", &format!("{{\"b\":{number}}}")).unwrap();
            files.add("ethusdt", time, "", &format!("{{\"e\":{number}}}")).unwrap();
            files.flush().unwrap();
        }
        files.add("btcusdt", DAY, "", "{\"b\":5}").unwrap();
        files.close().unwrap();
        let expected = ["2024080800.gz", "2024080800_001.gz", "2024080801.gz", "2024080906.gz"];
        let of = |symbol: &str| expected.map(|time| format!("{symbol}_{time}"));
        // The clock was set back: what comes goes on in a file of its own.
        let back = "btcusdt_2024080800_002.gz".to_owned();
        let mut all: Vec<String> = of("btcusdt").into_iter().chain(of("ethusdt")).chain([back]).collect();
        all.sort();
        assert_eq!(names(folder.path()), all);
        let read = frames(folder.path());
        assert_eq!(read.len(), 9);
        let of = |symbol: &str| read.iter().filter(|frame| frame.0 == symbol).count();
        assert_eq!((of("BTCUSDT"), of("ETHUSDT")), (5, 4));
        assert_eq!((files.count, files.bytes > 0), (9, true));
    }

    #[test]
    fn what_was_flushed_is_there_whatever_comes_after() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::open(folder.path(), Rotation::default()).unwrap();
        for number in 1..=3 {
            files.add("btcusdt", DAY + number, "", &format!("{{\"b\":{number}}}")).unwrap();
            files.flush().unwrap();
        }
        let path = folder.path().join("btcusdt_20240808.gz");
        let whole = fs::read(&path).unwrap();
        let third = whole.len() - whole.len() / 3;
        for length in third + 1..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let read = frames(folder.path());
            assert!(read.len() >= 2 && read[..2] == [1, 2].map(|b| ("BTCUSDT".to_owned(), format!("{{\"b\":{b}}}"))));
        }
    }

    #[test]
    fn a_second_recording_goes_into_files_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Files::open(folder.path(), Rotation::default()).unwrap();
        first.add("btcusdt", DAY, "", "{}").unwrap();
        first.close().unwrap();
        let held = Files::open(folder.path(), Rotation::default()).unwrap_err();
        assert!(held.to_string().contains("another process"), "{held}");
        drop(first);
        let mut second = Files::open(folder.path(), Rotation::default()).unwrap();
        second.add("btcusdt", DAY + 1, "", "{}").unwrap();
        second.close().unwrap();
        assert_eq!(names(folder.path()), ["btcusdt_20240808.gz", "btcusdt_20240808_001.gz"]);
        assert_eq!(frames(folder.path()).len(), 2);
    }

    #[test]
    fn a_folder_with_other_content_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let refused = Files::open(folder.path(), Rotation::default()).unwrap_err();
        assert!(refused.to_string().contains("notes.txt"), "{refused}");
        let unwritable = Files::open(&folder.path().join("notes.txt"), Rotation::default()).unwrap_err();
        assert!(matches!(unwritable, Error::Write { .. }), "{unwritable}");
    }

    #[test]
    fn a_full_disk_is_told_and_takes_nothing_away() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::open(folder.path(), Rotation::default()).unwrap();
        files.add("btcusdt", DAY, "", "{\"b\":1}").unwrap();
        files.flush().unwrap();
        let part = files.parts.get_mut("btcusdt").unwrap();
        part.file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        files.add("btcusdt", DAY + 1, "", "{\"b\":2}").unwrap();
        let told = files.flush().unwrap_err();
        assert!(told.to_string().contains("btcusdt_20240808.gz"), "{told}");
        assert_eq!(frames(folder.path()).len(), 1);
    }
}
