//! The store on `ArangoDB` over a double: the contract suite, and each way in which a server can fail.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod chaos;
mod server;
mod support;
mod traps;

use std::sync::Arc;

use async_trait::async_trait;
use streamforge_store::{Error, Store, arangodb_double::Double, contract::Backend, store_contract};
use tokio::sync::OnceCell;

use support::open;

/// A double that is started with the first store that is opened.
#[derive(Default)]
struct Database(OnceCell<Double>);

#[async_trait]
impl Backend for Database {
    async fn open(&self) -> Result<Arc<dyn Store>, Error> {
        let double = self.0.get_or_init(async || {
            let double = Double::start().await;
            double.require_user("root", "geheim");
            double
        });
        Ok(open(double.await).await?)
    }
}

store_contract!(Some(Database::default()));
