//! Opens the log that a URL names.

use std::{path::Path, sync::Arc};

use crate::{Bus, Error, SqliteBus};

/// Opens the log of a URL such as `sqlite:///var/lib/streamforge/bus.db`, `kafka://host:9092,host:9092` or
/// `kafka+ssl://host:9093?ca=/run/ca.crt&user=/run/user&password=/run/password`.
///
/// The files of the last one are read again when they change. Without `ca` the system's authorities are trusted, and
/// without `user` and `password` the cluster is to know us otherwise. Blocks until the log is there.
///
/// # Errors
/// [`Error::Url`] for a URL of another kind, [`Error::WithoutKafka`], or why the log cannot be used.
pub fn open(url: &str) -> Result<Arc<dyn Bus>, Error> {
    if url.starts_with("kafka://") || url.starts_with("kafka+ssl://") {
        return open_kafka(url);
    }
    let path = url.strip_prefix("sqlite://").filter(|path| path.starts_with('/') && !path.ends_with('/'));
    match path {
        Some(path) => Ok(Arc::new(SqliteBus::open(Path::new(path))?)),
        None => Err(Error::Url),
    }
}

#[cfg(feature = "kafka")]
fn open_kafka(url: &str) -> Result<Arc<dyn Bus>, Error> {
    Ok(Arc::new(crate::KafkaBus::open(url)?))
}

#[cfg(not(feature = "kafka"))]
fn open_kafka(_: &str) -> Result<Arc<dyn Bus>, Error> {
    Err(Error::WithoutKafka)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_with_its_whole_path_is_a_log() {
        let folder = tempfile::tempdir().unwrap();
        assert!(open(&format!("sqlite://{}/bus.db", folder.path().display())).is_ok());
        for url in ["", "bus.db", "sqlite://bus.db", "sqlite:///tmp/", "amqp://user:secret@broker:9092"] {
            let error = open(url).err().expect(url).to_string();
            assert!(error.contains("sqlite:///") && !error.contains("secret"), "{error}");
        }
    }
}
