//! Where an export goes: standard output, a file, or an object of a bucket; the last two are whole or not there.

use std::{
    fs::{File, Permissions},
    io::{self, BufWriter, IsTerminal as _, Seek as _, Write},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use streamforge_store::{S3Objects, S3Settings};
use tempfile::NamedTempFile;

use crate::cli::exit::{Failure, Outcome};

/// Bytes that are written at once.
const BUFFER: usize = 64 * 1024;

/// What a caller names: a file, an object of a bucket by its URL, or nothing for standard output.
#[derive(Debug)]
pub(super) struct Target(pub(super) Option<String>);

/// Where rows are written to; [`Sink::finish`] gives them their name.
pub(super) struct Sink {
    writer: BufWriter<Box<dyn Write + Send>>,
    place: Place,
}

enum Place {
    Standard,
    File { path: PathBuf, unfinished: NamedTempFile },
    Object { objects: S3Objects, key: String, rows: File },
}

impl Target {
    /// Whether rows go to a screen.
    pub(super) fn is_terminal(&self) -> bool {
        self.0.is_none() && io::stdout().is_terminal()
    }

    /// Opens the target; no file or object of the name is touched before all is written.
    pub(super) fn open(&self) -> Result<Sink, Failure> {
        let (writer, place): (Box<dyn Write + Send>, Place) = match &self.0 {
            None => (Box::new(io::stdout()), Place::Standard),
            Some(url) if url.starts_with("s3://") => {
                let (bucket, key) = object(url)?;
                let objects = S3Objects::open(&bucket, &S3Settings::from_environment());
                let objects = objects.map_err(|error| Failure::from(crate::platform::Error::from(error)))?;
                let rows = tempfile::tempfile().map_err(|error| {
                    Failure::Failed(format!("failed to hold the rows for `{url}` in the temporary folder: {error}"))
                })?;
                let writer = rows.try_clone().map_err(|error| Failure::Failed(error.to_string()))?;
                (Box::new(writer), Place::Object { objects, key, rows })
            }
            Some(path) => {
                let path = PathBuf::from(path);
                let fail = |error: io::Error| file_failure(&path, &error);
                let unfinished = unfinished(&path).map_err(fail)?;
                let writer = unfinished.as_file().try_clone().map_err(fail)?;
                (Box::new(writer), Place::File { path, unfinished })
            }
        };
        Ok(Sink { writer: BufWriter::with_capacity(BUFFER, writer), place })
    }
}

impl Sink {
    /// Answers once all is where it belongs.
    pub(super) async fn finish(self) -> Outcome {
        let Self { mut writer, place } = self;
        match place {
            Place::Standard => Ok(writer.flush()?),
            Place::File { path, unfinished } => {
                let fail = |error: io::Error| file_failure(&path, &error);
                writer.flush().and_then(|()| unfinished.as_file().sync_all()).map_err(fail)?;
                unfinished.persist(&path).map(drop).map_err(|error| fail(error.error))
            }
            Place::Object { objects, key, mut rows } => {
                let kept = writer.flush().and_then(|()| rows.rewind());
                kept.map_err(|error| Failure::Failed(format!("failed to hold the rows of the export: {error}")))?;
                let stored = objects.put_file(&key, tokio::fs::File::from_std(rows)).await;
                stored.map_err(|error| crate::platform::Error::from(error).into())
            }
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// The URL of a bucket and the key in it.
fn object(url: &str) -> Result<(String, String), Failure> {
    let place = url.trim_start_matches("s3://").split_once('/').filter(|(_, key)| !key.is_empty());
    let (bucket, key) = place
        .ok_or_else(|| Failure::Configuration(format!("target `{url}` names no object: write `s3://BUCKET/KEY`")))?;
    Ok((format!("s3://{bucket}"), key.to_owned()))
}

/// A file beside the one of this name, which goes with the process unless it is given that name.
fn unfinished(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)
}

fn file_failure(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("failed to write `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_object_has_a_bucket_and_a_key() {
        let own = |text: &str| text.to_owned();
        assert_eq!(object("s3://bucket/a/b.csv").unwrap(), (own("s3://bucket"), own("a/b.csv")));
        for url in ["s3://bucket", "s3://bucket/", "s3://"] {
            assert!(matches!(object(url), Err(Failure::Configuration(_))), "{url}");
        }
    }

    #[tokio::test]
    async fn a_file_has_its_name_once_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        fs::write(&path, "before").unwrap();
        let target = Target(path.to_str().map(str::to_owned));
        let mut sink = target.open().unwrap();
        sink.write_all(&vec![b'x'; 2 * BUFFER]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"before");
        sink.write_all(b"y").unwrap();
        sink.finish().await.unwrap();
        let written = fs::read(&path).unwrap();
        assert_eq!((written.len(), written.last()), (2 * BUFFER + 1, Some(&b'y')));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let mut dropped = target.open().unwrap();
        dropped.write_all(b"z").unwrap();
        drop(dropped);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let nowhere = Target(Some(folder.path().join("no/file").display().to_string()));
        assert!(matches!(nowhere.open(), Err(Failure::Failed(words)) if words.contains("no/file")));
    }
}
