//! The database with its collections, indexes and named graph: made where they are missing, compared where they are not.

use std::{collections::HashMap, sync::Arc};

use arangors::{
    ClientError, Collection, Database, GenericConnection,
    collection::{
        CollectionType,
        options::{CreateOptions, CreateParameters},
    },
    graph::{EdgeDefinition, Graph},
    index::{Index, IndexSettings},
};
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    driver::{self, Driver, failure},
    failure::{DUPLICATE_GRAPH, DUPLICATE_NAME, Failure, NO_COLLECTION, NO_DATABASE, NO_DOCUMENT},
    names::{
        ASSET_GRAPH, ASSET_RELATIONS, ASSETS, CANDLES, GAPS, GRAPHS, IDEMPOTENCY_KEYS, LEASES, PREDICTIONS,
        QUEUE_STATE, SCHEMA, SERIES, TRADES,
    },
    session::Session,
    transport::Call,
};

/// The first version whose writes know a version attribute.
///
/// # Source
/// <https://docs.arangodb.com/3.12/release-notes/version-3.12/whats-new-in-3-12/#external-versioning-support>
const OLDEST_SERVER: (u32, u32) = (3, 12);
/// Version of what is made here.
const VERSION: u32 = 2;

const DOCUMENTS: u8 = 2;
const EDGES: u8 = 3;

const COLLECTIONS: [(&str, u8); 12] = [
    (CANDLES, DOCUMENTS),
    (TRADES, DOCUMENTS),
    (SERIES, DOCUMENTS),
    (QUEUE_STATE, DOCUMENTS),
    (IDEMPOTENCY_KEYS, DOCUMENTS),
    (GRAPHS, DOCUMENTS),
    (ASSETS, DOCUMENTS),
    (ASSET_RELATIONS, EDGES),
    (PREDICTIONS, DOCUMENTS),
    (GAPS, DOCUMENTS),
    (LEASES, DOCUMENTS),
    (SCHEMA, DOCUMENTS),
];

/// Candles need none: they are read in the order of their keys.
const INDEXES: [(&str, &str, &[&str]); 8] = [
    (TRADES, "trades_by_time", &["symbol", "timestamp", "trade_id"]),
    (QUEUE_STATE, "workflows_by_age", &["created_at", "id"]),
    (QUEUE_STATE, "workflows_by_deadline", &["next_deadline", "id"]),
    (GRAPHS, "graphs_by_version", &["version", "id"]),
    (ASSETS, "assets_of_a_graph", &["graph_key", "generation", "position"]),
    (ASSET_RELATIONS, "relations_of_a_graph", &["graph_key", "generation", "position"]),
    (PREDICTIONS, "predictions_by_identity", &["order"]),
    (GAPS, "gaps_by_identity", &["order"]),
];

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    /// A schema that says it is there is believed.
    Trusting,
    /// Everything is looked at: something is missing.
    Thorough,
}

/// Makes what is missing; may be called at any time and by several processes at once.
///
/// # Errors
/// [`Failure::Unfit`] for a server that is too old or a database that holds something else under our names.
pub(super) async fn ensure(session: &Arc<Session>, care: Care) -> Result<(), Failure> {
    let connection = driver::connect(session).await?;
    let database = database(&connection, &session.place.database).await?;
    check_server(&database).await?;
    if care == Care::Trusting && is_there(session).await? {
        return Ok(());
    }
    collections(session, &database).await?;
    for (collection, name, fields) in INDEXES {
        let settings = IndexSettings::Persistent { unique: false, sparse: false, deduplicate: false };
        let fields = fields.iter().map(ToString::to_string).collect();
        let index = Index::builder().name(name).fields(fields).settings(settings).build();
        made(database.create_index(collection, &index).await, 0)?;
    }
    graph(session, &database).await?;
    let path = session.place.path("/_api/document/streamforge_schema?overwriteMode=replace&waitForSync=true");
    let body = json!({"_key": "schema", "version": VERSION}).to_string();
    session.call(&Call::new(Method::POST, path, body)).await.map(drop)
}

async fn database(connection: &GenericConnection<Driver>, name: &str) -> Result<Database<Driver>, Failure> {
    match connection.db(name).await.map_err(failure) {
        Err(Failure::Refused(refusal)) if refusal.is(404, NO_DATABASE) => {}
        outcome => return outcome,
    }
    // Nothing is made on a server that is refused afterwards.
    check_server(&connection.db("_system").await.map_err(failure)?).await?;
    tracing::info!(name, "the database is made");
    match connection.create_database(name).await.map_err(failure) {
        Err(Failure::Refused(refusal)) if refusal.number == DUPLICATE_NAME => {
            connection.db(name).await.map_err(failure)
        }
        outcome => outcome,
    }
}

async fn check_server(database: &Database<Driver>) -> Result<(), Failure> {
    let found = database.arango_version().await.map_err(failure)?;
    let mut numbers = found.version.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or_default());
    let version = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    if found.server != "arango" || version < OLDEST_SERVER {
        let (server, version) = (found.server, found.version);
        let (major, minor) = OLDEST_SERVER;
        return Err(Failure::Unfit(format!("it is {server} {version}; ArangoDB {major}.{minor} or later is needed")));
    }
    Ok(())
}

/// Whether the schema was made to its end, as one request tells.
async fn is_there(session: &Arc<Session>) -> Result<bool, Failure> {
    #[derive(Deserialize)]
    struct Note {
        version: u32,
    }
    let path = session.place.path("/_api/document/streamforge_schema/schema");
    let reply = match session.call(&Call::new(Method::GET, path, "")).await {
        Ok(reply) => reply,
        Err(failure) if failure.is(404, NO_DOCUMENT) || failure.is(404, NO_COLLECTION) => return Ok(false),
        Err(failure) => return Err(failure),
    };
    let note: Note = read(&reply.body)?;
    if note.version > VERSION {
        let found = note.version;
        return Err(Failure::Unfit(format!("its schema has version {found}, this program knows version {VERSION}")));
    }
    Ok(note.version == VERSION)
}

async fn collections(session: &Arc<Session>, database: &Database<Driver>) -> Result<(), Failure> {
    let mut found = existing(session).await?;
    let missing: Vec<_> = COLLECTIONS.iter().filter(|(name, _)| !found.contains_key(*name)).collect();
    for (name, kind) in &missing {
        let kind = if *kind == EDGES { CollectionType::Edge } else { CollectionType::Document };
        let options = CreateOptions::builder().name(name).collection_type(kind).build();
        let outcome: Result<Collection<Driver>, _> =
            database.create_collection_with_options(options, CreateParameters::default()).await;
        made(outcome, DUPLICATE_NAME)?;
    }
    if !missing.is_empty() {
        found = existing(session).await?;
    }
    match COLLECTIONS.iter().find(|(name, kind)| found.get(*name) != Some(kind)) {
        Some((name, kind)) => Err(Failure::Unfit(format!("collection `{name}` is not there or not of type {kind}"))),
        None => Ok(()),
    }
}

/// Names and types, from a reply of which nothing else is asked: later servers leave out what the crate insists on.
async fn existing(session: &Arc<Session>) -> Result<HashMap<String, u8>, Failure> {
    #[derive(Deserialize)]
    struct Listing {
        result: Vec<Listed>,
    }
    #[derive(Deserialize)]
    struct Listed {
        name: String,
        #[serde(rename = "type")]
        kind: u8,
    }
    let call = Call::new(Method::GET, session.place.path("/_api/collection"), "");
    let listing: Listing = read(&session.call(&call).await?.body)?;
    Ok(listing.result.into_iter().map(|listed| (listed.name, listed.kind)).collect())
}

async fn graph(session: &Arc<Session>, database: &Database<Driver>) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Stored {
        graph: Graph,
    }
    let ends = || vec![ASSETS.to_owned()];
    let definition = EdgeDefinition { collection: ASSET_RELATIONS.to_owned(), from: ends(), to: ends() };
    let graph = Graph::builder().name(ASSET_GRAPH.to_owned()).edge_definitions(vec![definition]).build();
    made(database.create_graph(graph, true).await, DUPLICATE_GRAPH)?;
    let path = session.place.path(&format!("/_api/gharial/{ASSET_GRAPH}"));
    let stored: Stored = read(&session.call(&Call::new(Method::GET, path, "")).await?.body)?;
    let is_ours = |definition: &EdgeDefinition| {
        definition.collection == ASSET_RELATIONS && definition.from == ends() && definition.to == ends()
    };
    if !stored.graph.edge_definitions.iter().any(is_ours) {
        let reason = format!("graph `{ASSET_GRAPH}` does not join `{ASSETS}` by `{ASSET_RELATIONS}`");
        return Err(Failure::Unfit(reason));
    }
    Ok(())
}

/// What was there before is fine, and so is a reply that the crate cannot read: what counts is looked at afterwards.
fn made<T>(outcome: Result<T, ClientError>, duplicate: u32) -> Result<(), Failure> {
    match outcome {
        Ok(_) | Err(ClientError::Serde(_)) => Ok(()),
        Err(error) => match failure(error) {
            Failure::Refused(refusal) if refusal.number == duplicate => Ok(()),
            other => Err(other),
        },
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::Unfit(format!("its reply cannot be read: {error}")))
}
