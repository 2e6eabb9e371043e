//! The contract suite against a real server: `ARANGO_URL=arangodb://root@localhost:8529/any`, with `ARANGO_PASSWORD_FILE`
//! or `ARANGO_PASSWORD`. Each test makes a database of its own, whose name begins with that of the URL, and removes it.
//!
//! Without `ARANGO_URL` nothing is tested, and each test says that it was skipped.

use std::{
    env,
    io::{self, Write},
    process,
    sync::{
        Arc, Once,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use async_trait::async_trait;
use streamforge_store::{
    ArangoAccess, ArangoOptions, ArangoStore, Error, Store, contract::Backend, open, store_contract,
};
use tokio::runtime::Runtime;

/// A database for one test.
struct Live(String);

#[async_trait]
impl Backend for Live {
    async fn open(&self) -> Result<Arc<dyn Store>, Error> {
        open(&self.0).await
    }
}

/// Removes the database, if it was ever opened.
impl Drop for Live {
    fn drop(&mut self) {
        let url = self.0.clone();
        let remove = async move {
            let options = ArangoOptions { access: ArangoAccess::from_environment(), ..ArangoOptions::default() };
            ArangoStore::open(&url, options).await?.remove().await
        };
        // A runtime cannot be waited for inside of another one.
        let removed = thread::spawn(|| Runtime::new().map(|runtime| runtime.block_on(remove))).join();
        if !matches!(removed, Ok(Ok(Ok(())))) {
            eprintln!("{} is still there: {removed:?}", self.0);
        }
    }
}

fn live() -> Option<Live> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let Some(url) = env::var("ARANGO_URL").ok().filter(|url| !url.is_empty()) else {
        static TOLD: Once = Once::new();
        // Past the harness, which keeps what tests that pass have printed to itself.
        TOLD.call_once(|| drop(writeln!(io::stderr(), "skipped: ARANGO_URL names no server to test with")));
        return None;
    };
    Some(Live(format!("{url}_test_{}_{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))))
}

store_contract!(live());
