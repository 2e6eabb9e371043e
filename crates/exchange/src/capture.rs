//! Recorded frames of an exchange: what came, over what, and when; read line by line from files of a folder.
//!
//! # Source
//! Two ways to write them down are known: `<local nanoseconds> <JSON>` of
//! <https://github.com/nkaz001/hftbacktest>, and `<seconds>: <JSON>` below a line with the URL of
//! <https://github.com/bmoscon/cryptofeed>, where a line of an answer over HTTP has its own URL.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead, BufReader, ErrorKind, Lines},
    path::{Path, PathBuf},
    sync::Arc,
};

use flate2::read::MultiGzDecoder;

use crate::{Error, recording::names};

/// A frame as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When it came, by the clock of who recorded it.
    ///
    /// # Units
    /// Nanoseconds since the epoch.
    pub received: i64,
    /// The URL that was asked; none for a frame of a stream, and where the recording does not say.
    pub asked: Option<String>,
    /// The symbol that its file is named for.
    pub named: Option<Arc<str>>,
    /// What came.
    pub json: String,
}

impl Recorded {
    /// A parameter of the URL that was asked.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let query = self.asked.as_deref()?.split_once('?')?.1;
        query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whose an answer is: of the symbol that was asked for, or else of the one that the file is named for.
    #[must_use]
    pub fn symbol(&self) -> Option<&str> {
        self.parameter("symbol").or(self.named.as_deref())
    }
}

/// The frames of all files of a folder, in the order in which they came.
#[derive(Debug)]
pub struct Capture {
    files: Vec<Recording>,
    /// When the next frame of each file came, and its place among the files: of frames that came at the same time, those
    /// of the first file come first.
    due: BTreeSet<(i64, usize)>,
}

/// One file, and its next frame.
#[derive(Debug)]
struct Recording {
    path: PathBuf,
    named: Option<Arc<str>>,
    /// Open from the moment at which its first frame was taken: a long recording has more files than may be open.
    lines: Option<Lines<BufReader<MultiGzDecoder<File>>>>,
    line: usize,
    next: Option<Recorded>,
}

impl Capture {
    /// Opens all files of a folder whose name ends in `.gz`.
    ///
    /// A file that ends in the middle, as that of a process that was killed may, is read as far as it goes.
    ///
    /// # Errors
    /// [`Error::Source`] if the folder cannot be read, has no such file, or one does not begin with a frame.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let unreadable = |error: std::io::Error| fail(folder, &format!("the folder cannot be read: {error}"));
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "gz") {
                paths.push(path);
            }
        }
        if paths.is_empty() {
            return Err(fail(folder, "it has no file whose name ends in .gz"));
        }
        paths.sort();
        let files = paths.into_iter().map(Recording::open).collect::<Result<Vec<_>, _>>()?;
        let due = files.iter().enumerate().filter_map(|(place, file)| Some((file.next.as_ref()?.received, place)));
        Ok(Self { due: due.collect(), files })
    }
}

impl Iterator for Capture {
    type Item = Result<Recorded, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (_, place) = self.due.pop_first()?;
        let file = &mut self.files[place];
        let frame = file.next.take()?;
        let advanced = file.advance();
        self.due.extend(file.next.as_ref().map(|next| (next.received, place)));
        Some(advanced.map(|()| frame))
    }
}

impl Recording {
    fn open(path: PathBuf) -> Result<Self, Error> {
        let name = path.file_name().and_then(|name| name.to_str());
        let named = name.and_then(names::symbol).map(Arc::from);
        let mut recording = Self { path, named, lines: None, line: 0, next: None };
        recording.advance()?;
        recording.lines = None;
        Ok(recording)
    }

    fn lines(&self) -> Result<Lines<BufReader<MultiGzDecoder<File>>>, Error> {
        let unreadable = |error| fail(&self.path, &format!("the file cannot be read: {error}"));
        let mut lines = BufReader::new(MultiGzDecoder::new(File::open(&self.path).map_err(unreadable)?)).lines();
        for _ in 0..self.line {
            lines.next().transpose().map_err(unreadable)?;
        }
        Ok(lines)
    }

    /// Reads the next frame.
    fn advance(&mut self) -> Result<(), Error> {
        let mut lines = match self.lines.take() {
            Some(lines) => lines,
            None => self.lines()?,
        };
        for line in lines.by_ref() {
            self.line += 1;
            let place = || format!("{}:{}", self.path.display(), self.line);
            let unreadable = |reason: String| Error::Source { place: place(), reason };
            let line = match line {
                Ok(line) => line,
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    tracing::warn!(place = place(), "the file ends in the middle, and is read up to there");
                    return Ok(());
                }
                Err(error) => return Err(unreadable(format!("the line cannot be read: {error}"))),
            };
            if let Read::Frame(frame) = read(&line).map_err(|reason| unreadable(reason.to_owned()))? {
                self.next = Some(Recorded { named: self.named.clone(), ..frame });
                self.lines = Some(lines);
                return Ok(());
            }
        }
        Ok(())
    }
}

enum Read {
    Frame(Recorded),
    /// Says what was recorded, not what came.
    Heading,
}

fn read(line: &str) -> Result<Read, &'static str> {
    if line.is_empty() || line.starts_with("configuration: ") || line.contains(" <-> ") && !line.contains('{') {
        return Ok(Read::Heading);
    }
    let (asked, rest) = match line.split_once(" -> ") {
        Some((url, rest)) if url.starts_with("http") => (Some(url.to_owned()), rest),
        _ => (None, line),
    };
    let expected = "expected the time of receipt and JSON";
    let (time, json) = rest.split_once(' ').ok_or(expected)?;
    let received = match time.strip_suffix(':') {
        Some(seconds) => nanoseconds(seconds),
        None => time.parse().ok(),
    };
    let received = received.ok_or(expected)?;
    Ok(Read::Frame(Recorded { received, asked, named: None, json: json.to_owned() }))
}

/// Seconds with at most nine digits behind the point.
fn nanoseconds(seconds: &str) -> Option<i64> {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let missing = u32::try_from(9_usize.checked_sub(fraction.len())?).ok()?;
    let fraction: i64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    whole.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction * 10_i64.pow(missing))
}

fn fail(place: &Path, reason: &str) -> Error {
    Error::Source { place: place.display().to_string(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let mut file = GzEncoder::new(File::create(folder.path().join(name)).unwrap(), Compression::fast());
            file.write_all(text.as_bytes()).unwrap();
            file.finish().unwrap();
        }
        folder
    }

    #[test]
    fn frames_of_all_files_come_in_the_order_of_their_receipt() {
        let folder = folder(&[
            ("a.gz", "https://x/depth?symbol=S -> 1.5: {\"a\":1}\n"),
            ("b.gz", "wss://x/stream?streams=s@depth <-> 0.5\n1.25: {\"b\":1}\n1.5: {\"b\":2}\n"),
            ("c.gz", "1400000000 {\"c\":1}\n"),
        ]);
        let frames: Vec<Recorded> = Capture::open(folder.path()).unwrap().collect::<Result<_, _>>().unwrap();
        let shown: Vec<(i64, &str)> = frames.iter().map(|frame| (frame.received, frame.json.as_str())).collect();
        let expected = [
            (1_250_000_000, "{\"b\":1}"),
            (1_400_000_000, "{\"c\":1}"),
            (1_500_000_000, "{\"a\":1}"),
            (1_500_000_000, "{\"b\":2}"),
        ];
        assert_eq!(shown, expected);
        assert_eq!((frames[2].symbol(), frames[2].parameter("limit"), frames[1].symbol()), (Some("S"), None, None));
    }

    #[test]
    fn what_is_no_recording_is_told_with_its_place() {
        for (text, place) in [("nonsense\n", "a.gz:1"), ("1 {}\n{}\n", "a.gz:2"), ("1.0000000001: {}\n", "a.gz:1")] {
            let folder = folder(&[("a.gz", text)]);
            let told = match Capture::open(folder.path()) {
                Ok(capture) => capture.collect::<Result<Vec<_>, _>>().unwrap_err(),
                Err(error) => error,
            };
            assert!(told.to_string().contains(place), "{text}: {told}");
        }
        let empty = folder(&[]);
        assert!(Capture::open(empty.path()).unwrap_err().to_string().contains(".gz"));
    }
}
