//! Which dead letters were replayed: an empty file for each, so that a replay which is cut short may be repeated.

use std::{fs, io, path::PathBuf};

use crate::LetterId;

/// Remembers replays in a folder, which is made with the first of them.
#[derive(Debug, Clone)]
pub struct Replays {
    folder: PathBuf,
}

impl Replays {
    /// The replays that a folder tells of.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Whether a letter was replayed.
    #[must_use]
    pub fn contains(&self, id: LetterId) -> bool {
        self.mark(id).exists()
    }

    /// Remembers that a letter was replayed; call it after the publication.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn add(&self, id: LetterId) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        fs::write(self.mark(id), [])
    }

    fn mark(&self, id: LetterId) -> PathBuf {
        self.folder.join(id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let replays = Replays::new(folder.path().join("replayed"));
        let id = LetterId { partition: 0, offset: 3 };
        assert!(!replays.contains(id));
        replays.add(id).unwrap();
        replays.add(id).unwrap();
        assert!(replays.contains(id));
    }
}
