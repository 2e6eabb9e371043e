//! Which versions are kept: the one in use, all that are newer, and some that are older.

use streamforge_events::{ModelName, ModelVersion};

use super::{ModelRegistry, ROOT, latest::Latest, manifest};
use crate::Error;

impl ModelRegistry {
    /// Deletes the oldest of those that are older than the version in use, all but as many as are to be kept.
    ///
    /// They are noted first, beside the version in use, so that nobody puts one into use that is about to go. What a
    /// process that died has noted is deleted too.
    pub(super) async fn drop_old(&self, name: &ModelName) -> Result<(), Error> {
        loop {
            let Some(stored) = self.read_latest(name).await? else { return Ok(()) };
            let latest = stored.latest.clone()?;
            let versions = self.versions(name).await?;
            let older = versions.iter().skip_while(|manifest| manifest.version != latest.version).skip(1);
            let too_many = older.skip(self.kept.get()).map(|manifest| manifest.version.clone());
            let dropped = latest.dropped.iter().cloned().chain(too_many).collect();
            let next = Latest { dropped, ..latest.clone() };
            if next.dropped.is_empty() {
                return Ok(());
            }
            if next != latest && !self.swap_latest(name, Some(&stored), &next).await? {
                continue;
            }
            for version in &next.dropped {
                self.delete(name, version).await?;
            }
            return self.forget_dropped(name, &next).await;
        }
    }

    /// The manifest goes first: without it the version does not exist.
    async fn delete(&self, name: &ModelName, version: &ModelVersion) -> Result<(), Error> {
        self.objects.delete(&manifest::key(name, version)).await?;
        for key in self.objects.list(&format!("{ROOT}{name}/{version}/")).await? {
            self.objects.delete(&key).await?;
        }
        Ok(())
    }

    async fn forget_dropped(&self, name: &ModelName, deleted: &Latest) -> Result<(), Error> {
        loop {
            let Some(stored) = self.read_latest(name).await? else { return Ok(()) };
            let latest = stored.latest.clone()?;
            let dropped = latest.dropped.difference(&deleted.dropped).cloned().collect();
            let next = Latest { dropped, ..latest.clone() };
            if next == latest || self.swap_latest(name, Some(&stored), &next).await? {
                return Ok(());
            }
        }
    }
}
