//! The running platform, as a command reaches it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use streamforge_bus::Bus;

use super::exit::{Failure, chain};
use crate::{
    message::Message,
    platform::{Places, State},
};

/// The namespace of our own Brokers.
pub(super) const NAMESPACE: &str = "streamforge";

/// Finds the platform that works on a data folder.
pub(super) fn running(places: &Places) -> Result<State, Failure> {
    let folder = places.folder();
    folder.running().ok_or_else(|| {
        let folder = folder.root().display();
        Failure::Unavailable(format!(
            "no platform runs on `{folder}`; start one with `streamforge up --data-dir {folder}`"
        ))
    })
}

/// Opens the event log of a data folder that has one.
pub(super) fn existing_bus(places: &Places) -> Result<Arc<dyn Bus>, Failure> {
    places.existing_bus()?.ok_or_else(|| {
        let shown = places.folder().root().display();
        Failure::Unavailable(format!("there is no data in `{shown}`; name another folder by --data-dir"))
    })
}

/// Builds an HTTP client for the platform on this machine.
pub(super) fn client() -> Result<Client, Failure> {
    // An error says that a provider is installed already, which is all that is wanted.
    rustls::crypto::ring::default_provider().install_default().ok();
    Client::builder().timeout(Duration::from_secs(30)).no_proxy().build().map_err(|error| Failure::failed(&error))
}

/// Reads an event from its JSON document.
pub(super) fn event(document: &Value) -> Result<Message, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json"));
    Message::from_http(&headers, Bytes::from(document.to_string()))
        .map_err(|error| Failure::Configuration(format!("event {error}")))
}

/// Publishes an event to a Broker and waits until it is on the disk.
pub(super) async fn publish(
    client: &Client,
    ingress_url: &str,
    namespace: &str,
    broker: &str,
    event: &Message,
) -> Result<(), Failure> {
    let url = format!("{ingress_url}/{namespace}/{broker}");
    let request = client.post(&url).headers(event.to_headers()).body(event.body().clone());
    let response = request.send().await.map_err(|error| Failure::Unavailable(chain(&error)))?;
    match response.status() {
        status if status.is_success() => Ok(()),
        StatusCode::NOT_FOUND => Err(Failure::Failed(format!("no Broker `{broker}` in namespace `{namespace}`"))),
        status => Err(Failure::Failed(format!("Broker `{broker}` refused the event: {status}"))),
    }
}

/// Posts to the workflow API and returns what it answered in `data`.
pub(super) async fn post_api(
    client: &Client,
    api_url: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Failure> {
    let mut request = client.post(format!("{api_url}{path}"));
    if let Some(body) = body {
        request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
    }
    let response = request.send().await.map_err(|error| Failure::Unavailable(chain(&error)))?;
    let status = response.status();
    let body = response.bytes().await.map_err(|error| Failure::failed(&error))?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(answer.get("data").cloned().unwrap_or_default());
    }
    let message = answer.get("message").and_then(Value::as_str).map_or_else(|| status.to_string(), str::to_owned);
    Err(Failure::Failed(message))
}
