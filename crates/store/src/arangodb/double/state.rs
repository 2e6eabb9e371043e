//! What the server holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

/// Everything.
pub(super) struct Server {
    pub(super) version: String,
    pub(super) user: Option<(String, String)>,
    pub(super) largest_body: usize,
    pub(super) cursor_rows: usize,
    pub(super) databases: BTreeMap<String, Database>,
    pub(super) tokens: BTreeSet<String>,
    /// Batches that are still to be fetched.
    pub(super) cursors: BTreeMap<String, VecDeque<Vec<Value>>>,
    /// Queries and paths that were asked for and are not known.
    pub(super) unknown: Vec<String>,
    last_number: u64,
}

#[derive(Default)]
pub(super) struct Database {
    pub(super) collections: BTreeMap<String, Collection>,
    pub(super) graphs: BTreeMap<String, Value>,
}

pub(super) struct Collection {
    pub(super) name: String,
    pub(super) is_edges: bool,
    pub(super) documents: BTreeMap<String, Stored>,
    pub(super) indexes: Vec<Value>,
}

/// A document; key and revision stand beside its fields.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) revision: String,
    pub(super) fields: Map<String, Value>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            version: "3.12.4".to_owned(),
            user: None,
            largest_body: 1 << 30,
            cursor_rows: usize::MAX,
            databases: BTreeMap::from([("_system".to_owned(), Database::default())]),
            tokens: BTreeSet::new(),
            cursors: BTreeMap::new(),
            unknown: Vec::new(),
            last_number: 0,
        }
    }
}

impl Server {
    /// A number that was never given before.
    pub(super) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

impl Collection {
    pub(super) fn new(name: &str, is_edges: bool) -> Self {
        Self { name: name.to_owned(), is_edges, documents: BTreeMap::new(), indexes: Vec::new() }
    }
}

impl Stored {
    /// The document as it is sent.
    pub(super) fn whole(&self) -> Value {
        let mut whole = self.fields.clone();
        whole.insert("_key".to_owned(), json!(self.key));
        whole.insert("_id".to_owned(), json!(self.id));
        whole.insert("_rev".to_owned(), json!(self.revision));
        Value::Object(whole)
    }

    pub(super) fn identity(&self) -> Value {
        json!({"_id": self.id, "_key": self.key, "_rev": self.revision})
    }
}
