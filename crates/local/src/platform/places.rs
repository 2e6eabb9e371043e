//! Where the log, the store, the objects and the ledger are: in the data folder, or where a URL says.

use std::{path::Path, sync::Arc};

use streamforge_bus::{Bus, SqliteBus};
use streamforge_ledger::Ledger;
use streamforge_store::{ObjectStore, SqliteStore, Store};

use super::{DataFolder, Error};

/// URLs of what does not lie in the data folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Urls {
    /// The event log.
    pub bus: Option<String>,
    /// The store.
    pub store: Option<String>,
    /// The objects.
    pub objects: Option<String>,
    /// The ledger.
    pub ledger: Option<String>,
}

/// A data folder, and the URL of each part: of the file in the folder unless another one was named.
#[derive(Debug, Clone)]
pub struct Places {
    folder: DataFolder,
    urls: Urls,
}

impl Places {
    /// Names places without touching them.
    ///
    /// # Errors
    /// As of [`DataFolder::new`].
    pub fn new(data_dir: &Path, urls: Urls) -> Result<Self, Error> {
        Ok(Self { folder: DataFolder::new(data_dir)?, urls })
    }

    /// Returns the data folder.
    #[must_use]
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// Returns the URL of the event log, as jobs get it.
    #[must_use]
    pub fn bus_url(&self) -> String {
        self.urls.bus.clone().unwrap_or_else(|| format!("sqlite://{}", self.folder.bus().display()))
    }

    /// Returns the URL of the store, as workers get it.
    #[must_use]
    pub fn store_url(&self) -> String {
        self.urls.store.clone().unwrap_or_else(|| format!("sqlite://{}", self.folder.store().display()))
    }

    /// Returns the URL of the objects, such as models, as workers get it.
    #[must_use]
    pub fn objects_url(&self) -> String {
        self.urls.objects.clone().unwrap_or_else(|| format!("file://{}", self.folder.objects().display()))
    }

    /// Returns the URL of the ledger, as workers get it.
    #[must_use]
    pub fn ledger_url(&self) -> String {
        self.urls.ledger.clone().unwrap_or_else(|| format!("sqlite://{}", self.folder.ledger().display()))
    }

    /// Returns the arguments by which another command finds the same places.
    #[must_use]
    pub fn arguments(&self) -> String {
        let Urls { bus, store, objects, ledger } = &self.urls;
        let named = [("bus", bus), ("store", store), ("objects", objects), ("ledger", ledger)];
        let named = named.into_iter().filter_map(|(name, url)| url.as_ref().map(|url| format!(" --{name} {url}")));
        format!("--data-dir {}", self.folder.root().display()) + &named.collect::<String>()
    }

    /// Opens the event log for a platform that starts: a file of the data folder is made if it is not there, and
    /// checked if it is.
    ///
    /// # Errors
    /// [`Error::Bus`] if it cannot be used.
    pub fn open_bus(&self) -> Result<Arc<dyn Bus>, Error> {
        if self.urls.bus.is_none() {
            SqliteBus::check(&self.folder.bus())?;
        }
        Ok(streamforge_bus::open(&self.bus_url())?)
    }

    /// Opens the event log, none if the data folder has none.
    ///
    /// # Errors
    /// [`Error::Bus`] if it cannot be used.
    pub fn existing_bus(&self) -> Result<Option<Arc<dyn Bus>>, Error> {
        let is_there = self.urls.bus.is_some() || self.folder.bus().exists();
        if is_there { Ok(Some(streamforge_bus::open(&self.bus_url())?)) } else { Ok(None) }
    }

    /// Opens the store for a platform that starts.
    ///
    /// # Errors
    /// [`Error::Store`] if it cannot be used.
    pub async fn open_store(&self) -> Result<Arc<dyn Store>, Error> {
        if self.urls.store.is_none() {
            SqliteStore::check(&self.folder.store()).await?;
        }
        Ok(streamforge_store::open(&self.store_url()).await?)
    }

    /// Opens the store, none if the data folder has none.
    ///
    /// # Errors
    /// [`Error::Store`] if it cannot be used.
    pub async fn existing_store(&self) -> Result<Option<Arc<dyn Store>>, Error> {
        let is_there = self.urls.store.is_some() || self.folder.store().exists();
        if is_there { Ok(Some(streamforge_store::open(&self.store_url()).await?)) } else { Ok(None) }
    }

    /// Opens the objects; the folder is made if it is not there.
    ///
    /// # Errors
    /// [`Error::Store`] if they cannot be used.
    pub async fn open_objects(&self) -> Result<Arc<dyn ObjectStore>, Error> {
        Ok(streamforge_store::open_objects(&self.objects_url()).await?)
    }

    /// Opens the objects, none if the data folder has none.
    ///
    /// # Errors
    /// [`Error::Store`] if they cannot be used.
    pub async fn existing_objects(&self) -> Result<Option<Arc<dyn ObjectStore>>, Error> {
        let is_there = self.urls.objects.is_some() || self.folder.objects().is_dir();
        if is_there { Ok(Some(streamforge_store::open_objects(&self.objects_url()).await?)) } else { Ok(None) }
    }

    /// Opens the ledger and makes it if it is not there.
    ///
    /// # Errors
    /// [`Error::Ledger`] if it cannot be used.
    pub async fn open_ledger(&self) -> Result<Ledger, Error> {
        Ok(Ledger::open(&self.ledger_url()).await?)
    }

    /// Opens the ledger, none if the data folder has none.
    ///
    /// # Errors
    /// [`Error::Ledger`] if it cannot be used.
    pub async fn existing_ledger(&self) -> Result<Option<Ledger>, Error> {
        let is_there = self.urls.ledger.is_some() || self.folder.ledger().exists();
        if is_there { Ok(Some(self.open_ledger().await?)) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_no_url_names_lies_in_the_data_folder() {
        let temporary = tempfile::tempdir().unwrap();
        let elsewhere = format!("sqlite://{}/elsewhere.db", temporary.path().display());
        let urls = Urls { bus: Some(elsewhere.clone()), ..Urls::default() };
        let places = Places::new(&temporary.path().join("data"), urls).unwrap();
        assert_eq!(places.bus_url(), elsewhere);
        let data = temporary.path().join("data");
        assert_eq!(places.arguments(), format!("--data-dir {} --bus {elsewhere}", data.display()));
        assert!(places.store_url().ends_with("/data/store.db"), "{}", places.store_url());
        assert!(places.objects_url().ends_with("/data/objects"), "{}", places.objects_url());
        assert!(places.existing_bus().unwrap().is_some());
        assert!(places.existing_store().await.unwrap().is_none());
        assert!(places.existing_objects().await.unwrap().is_none());
        assert!(places.ledger_url().ends_with("/data/ledger.db"), "{}", places.ledger_url());
        assert!(places.existing_ledger().await.unwrap().is_none());
    }
}
