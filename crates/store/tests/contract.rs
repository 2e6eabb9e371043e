//! The embedded store and the folder of objects under the contract suite.

use std::sync::Arc;

use async_trait::async_trait;
use streamforge_store::{
    Error, FolderObjects, ObjectStore, Store,
    contract::{Backend, objects::ObjectBackend},
    object_contract, open, store_contract,
};
use tempfile::TempDir;

struct Folder(TempDir);

fn folder() -> Folder {
    Folder(tempfile::tempdir().expect("a temporary folder can be made"))
}

#[async_trait]
impl Backend for Folder {
    async fn open(&self) -> Result<Arc<dyn Store>, Error> {
        open(&format!("sqlite://{}/store.db", self.0.path().display())).await
    }
}

impl ObjectBackend for Folder {
    async fn open(&self) -> Result<Arc<dyn ObjectStore>, Error> {
        Ok(Arc::new(FolderObjects::open(self.0.path()).await?))
    }
}

store_contract!(Some(folder()));
object_contract!(folder());
