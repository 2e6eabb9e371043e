//! Opens the log that a URL names.

use std::{path::Path, sync::Arc};

use crate::{Bus, Error, SqliteBus};

/// Opens the log of a URL such as `sqlite:///var/lib/streamforge/bus.db`.
///
/// # Errors
/// [`Error::Url`] for a URL of another kind, or why the log cannot be used.
pub fn open(url: &str) -> Result<Arc<dyn Bus>, Error> {
    let path = url.strip_prefix("sqlite://").filter(|path| path.starts_with('/') && !path.ends_with('/'));
    match path {
        Some(path) => Ok(Arc::new(SqliteBus::open(Path::new(path))?)),
        None => Err(Error::Url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_with_its_whole_path_is_a_log() {
        let folder = tempfile::tempdir().unwrap();
        assert!(open(&format!("sqlite://{}/bus.db", folder.path().display())).is_ok());
        for url in ["", "bus.db", "sqlite://bus.db", "sqlite:///tmp/", "kafka://user:secret@broker:9092"] {
            let error = open(url).err().expect(url).to_string();
            assert!(error.contains("sqlite:///") && !error.contains("secret"), "{error}");
        }
    }
}
