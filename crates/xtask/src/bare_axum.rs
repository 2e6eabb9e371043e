//! The floor that functions are measured against: a bare axum handler that parses body and `ce-` headers.
//!
//! It checks nothing, measures nothing and traces nothing; one thread serves it.

use std::{collections::HashMap, net::SocketAddr};

use anyhow::{Context, Result};
use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::Value;
use tokio::net::TcpListener;

/// Serves until killed.
pub(crate) fn serve(port: &str) -> Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], port.parse().context("bare-axum needs a port")?));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        axum::serve(listener, Router::new().route("/", post(handle))).await?;
        Ok(())
    })
}

async fn handle(headers: HeaderMap, Json(body): Json<Value>) -> StatusCode {
    let attributes: HashMap<String, String> = headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().strip_prefix("ce-")?.to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect();
    if attributes.contains_key("type") && body.is_object() { StatusCode::NO_CONTENT } else { StatusCode::BAD_REQUEST }
}
