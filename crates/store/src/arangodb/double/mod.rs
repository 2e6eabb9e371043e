//! A server that speaks `ArangoDB`'s protocol as it is documented, with all that can go wrong at the flick of a switch.
//!
//! It is written from the documentation and from what the server's own tests expect, not from what our client does. It
//! answers the queries of this crate by their exact text and no others, and holds everything in memory.
//!
//! # Source
//! <https://docs.arangodb.com/3.12/develop/http-api/>
#![expect(clippy::missing_panics_doc, reason = "a double that cannot be started or is misused fails its test")]

mod documents;
mod faults;
mod http;
mod queries;
mod request;
mod routes;
mod schema;
mod secure;
mod state;

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use tokio::task::JoinHandle;

pub use faults::{Fault, Trap};

use faults::Faults;
use http::Door;
use secure::SecureListener;
use state::Server;

/// A running double; it ends when it is dropped, and fails its test if it was asked what it does not know.
pub struct Double {
    shared: Arc<Shared>,
    doors: Vec<(SocketAddr, Arc<AtomicU8>, JoinHandle<()>)>,
    scheme: &'static str,
}

/// What all addresses of a double share.
#[derive(Default)]
struct Shared {
    server: Mutex<Server>,
    faults: Mutex<Faults>,
    requests: AtomicUsize,
    /// Keys of the batches that are not answered yet.
    in_flight: Mutex<HashSet<String>>,
    overlaps: AtomicUsize,
}

/// How an address of a double behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// It answers.
    Up = 0,
    /// It takes requests and never answers them.
    Hung = 1,
    /// It closes every connection.
    Down = 2,
}

impl Shared {
    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Double {
    /// Starts a double on a port of its own that asks nobody who they are.
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address")).await
    }

    /// Starts a double at an address.
    pub async fn start_at(address: SocketAddr) -> Self {
        let mut double = Self { shared: Arc::default(), doors: Vec::new(), scheme: "arangodb" };
        double.open(address, None).await;
        double
    }

    /// Starts a double on a port of its own that speaks TLS with this certificate and key, both as PEM.
    pub async fn start_secure(certificate: &str, key: &str) -> Self {
        let mut double = Self { shared: Arc::default(), doors: Vec::new(), scheme: "arangodb+ssl" };
        double.open("127.0.0.1:0".parse().expect("an address"), Some((certificate, key))).await;
        double
    }

    /// Opens one more address of the same server.
    pub async fn open_another(&mut self) {
        self.open("127.0.0.1:0".parse().expect("an address"), None).await;
    }

    async fn open(&mut self, address: SocketAddr, secret: Option<(&str, &str)>) {
        let listener = tokio::net::TcpListener::bind(address).await.expect("the address is free");
        let address = listener.local_addr().expect("a listener has an address");
        let mode = Arc::new(AtomicU8::new(Mode::Up as u8));
        let door = Door { shared: Arc::clone(&self.shared), mode: Arc::clone(&mode) };
        let secure = secret.map(|(certificate, key)| (certificate.to_owned(), key.to_owned()));
        let task = tokio::spawn(async move {
            match secure {
                Some((certificate, key)) => {
                    axum::serve(SecureListener::new(listener, &certificate, &key), door.router()).await
                }
                None => axum::serve(listener, door.router()).await,
            }
            .expect("a listener that works");
        });
        self.doors.push((address, mode, task));
    }

    /// URL of a store in it.
    #[must_use]
    pub fn url(&self, user: Option<&str>, database: &str) -> String {
        let hosts: Vec<String> = self.doors.iter().map(|(address, ..)| address.to_string()).collect();
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        format!("{}://{user}{}/{database}", self.scheme, hosts.join(","))
    }

    /// Lets one address behave otherwise; the first is number 0.
    pub fn set_mode(&self, address: usize, mode: Mode) {
        self.doors[address].1.store(mode as u8, Ordering::SeqCst);
    }

    /// From now on only this user is let in.
    pub fn require_user(&self, user: &str, password: &str) {
        self.shared.server().user = Some((user.to_owned(), password.to_owned()));
    }

    /// All tokens end.
    pub fn forget_tokens(&self) {
        self.shared.server().tokens.clear();
    }

    /// The version that the server says it has.
    pub fn set_version(&self, version: &str) {
        version.clone_into(&mut self.shared.server().version);
    }

    /// Largest body that is taken.
    pub fn set_largest_body(&self, bytes: usize) {
        self.shared.server().largest_body = bytes;
    }

    /// Most rows that are sent at once, whatever is asked for.
    pub fn set_cursor_rows(&self, rows: usize) {
        self.shared.server().cursor_rows = rows;
    }

    /// Puts up a trap; of several that fit a request, the first is sprung.
    pub fn set(&self, trap: Trap) {
        self.shared.faults().traps.push(trap);
    }

    /// From now on some of all requests go wrong in some way, as the seed decides: `share` of 1000.
    pub fn set_chaos(&self, seed: u64, share: u32) {
        self.shared.faults().chaos = Some((fastrand::Rng::with_seed(seed), share));
    }

    /// No trap is up any more.
    pub fn calm(&self) {
        *self.shared.faults() = Faults::default();
    }

    /// How many faults there were.
    #[must_use]
    pub fn sprung(&self) -> usize {
        self.shared.faults().sprung
    }

    /// How many requests there were.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// How many documents came while one with the same key had no answer yet: their order would be anybody's guess.
    #[must_use]
    pub fn overlaps(&self) -> usize {
        self.shared.overlaps.load(Ordering::SeqCst)
    }

    /// All documents of a collection as they are stored, by key.
    #[must_use]
    pub fn documents(&self, database: &str, collection: &str) -> Vec<serde_json::Value> {
        let server = self.shared.server();
        let collection = server.databases.get(database).and_then(|database| database.collections.get(collection));
        collection
            .map(|collection| collection.documents.values().map(state::Stored::whole).collect())
            .unwrap_or_default()
    }

    /// Takes a collection away, as somebody else might.
    pub fn drop_collection(&self, database: &str, collection: &str) {
        let mut server = self.shared.server();
        server.databases.get_mut(database).and_then(|database| database.collections.remove(collection));
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        for (.., task) in &self.doors {
            task.abort();
        }
        let unknown = std::mem::take(&mut self.shared.server().unknown);
        assert!(unknown.is_empty() || std::thread::panicking(), "the double does not know: {unknown:?}");
    }
}
