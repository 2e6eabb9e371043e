//! `GET /views/models`: models with their versions, the card of one, and which one is in use.

use std::sync::Arc;

use serde_json::{Value, json};
use streamforge_events::{ModelName, ModelVersion};
use streamforge_function::{
    api::{Problem, fields, parse_body, required, success},
    axum::{
        body::Bytes,
        extract::{Path, State, rejection::PathRejection},
        http::{HeaderMap, StatusCode},
        response::Response,
    },
};
use streamforge_store::{Error, ModelManifest};

use crate::Views;

/// Name and version in a path, as they came.
type Named = Result<Path<(String, String)>, PathRejection>;

pub(crate) async fn list(State(views): State<Arc<Views>>) -> Result<Response, Problem> {
    let mut models = Vec::new();
    for name in views.models.names().await.map_err(problem)? {
        let latest = match views.models.latest(&name).await {
            // Where the note of it is damaged, none is in use.
            Err(Error::Model { .. }) => None,
            latest => latest.map_err(problem)?,
        };
        let mut versions = Vec::new();
        for manifest in views.models.versions(&name).await.map_err(problem)? {
            versions.push(summary(&views, &manifest).await?);
        }
        models.push(json!({"name": name, "latest": latest, "versions": versions}));
    }
    Ok(success(StatusCode::OK, "models by name, their newest version first", &json!({"models": models})))
}

/// What a card says, in a few words; of a card that is damaged or of another maker, what there is.
async fn summary(views: &Views, manifest: &ModelManifest) -> Result<Value, Problem> {
    let card = match views.models.card(manifest).await {
        Err(Error::Model { .. }) => None,
        card => card.map_err(problem)?,
    };
    let card: Value = card.and_then(|card| serde_json::from_slice(&card).ok()).unwrap_or_default();
    Ok(json!({
        "version": manifest.version,
        "trained_at": manifest.created,
        "epochs": card["training"]["epochs"],
        "graph": card["graph"],
        "interval": card["interval"],
        "horizon": card["definition"]["horizon"],
        "symbols": card["symbols"].as_array().map(Vec::len),
        "scores": card["scores"],
        "verdicts": card["verdicts"],
    }))
}

pub(crate) async fn show(State(views): State<Arc<Views>>, path: Named) -> Result<Response, Problem> {
    let Path((name, version)) = path.map_err(|_| no_text())?;
    let (name, version) = (model(&name)?, model_version(&version)?);
    let model = views.models.load(&name, Some(&version)).await.map_err(problem)?;
    let mut shown = model.manifest.shown(views.models.is_latest(&model.manifest).await);
    let card: Result<Value, _> = serde_json::from_slice(&model.files.card);
    shown["card"] = card.map_err(|error| Problem::unavailable(&error))?;
    Ok(success(StatusCode::OK, "model with its card", &shown))
}

pub(crate) async fn promote(
    State(views): State<Arc<Views>>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let Path(name) = path.map_err(|_| no_text())?;
    let name = model(&name)?;
    let body = parse_body(&headers, &body)?;
    let version = required(fields(&body, &["version"])?, "version")?;
    let version: ModelVersion =
        version.parse().map_err(|error| Problem::field("invalid_field", "version", format!("{error}")))?;
    views.models.promote(&name, &version).await.map_err(problem)?;
    let data = json!({"name": name, "version": version, "latest": true});
    Ok(success(StatusCode::OK, &format!("version {version} of {name} is in use"), &data))
}

/// A text that can be no name names no model.
fn model(text: &str) -> Result<ModelName, Problem> {
    text.parse().map_err(|_| unknown(text))
}

fn model_version(text: &str) -> Result<ModelVersion, Problem> {
    text.parse().map_err(|_| unknown(text))
}

fn unknown(text: &str) -> Problem {
    let shown: String = text.chars().take(200).collect();
    let message = format!("there is no model or version `{shown}`; /views/models lists them");
    Problem::new(StatusCode::NOT_FOUND, "unknown_model", message)
}

fn no_text() -> Problem {
    let message = "the path is not UTF-8 text once its percent escapes are decoded";
    Problem::new(StatusCode::BAD_REQUEST, "invalid_path", message)
}

fn problem(error: Error) -> Problem {
    match error {
        Error::NoModel { .. } => Problem::new(StatusCode::NOT_FOUND, "unknown_model", error.to_string()),
        Error::Model { .. } => Problem::new(StatusCode::CONFLICT, "damaged_model", error.to_string()),
        error => Problem::unavailable(&error),
    }
}
