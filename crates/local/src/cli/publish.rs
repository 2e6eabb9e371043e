//! `streamforge publish`: one event to a Broker, from flags or from a file.

use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use reqwest::Url;
use serde_json::{Map, Value};
use streamforge_events::{parse_json, rfc3339};

use super::{
    exit::{Failure, Outcome},
    output::{self, Output},
    remote,
};
use crate::{
    bounded_text,
    platform::{Places, now},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Broker to publish to.
    #[arg(long)]
    broker: String,
    /// Namespace of the Broker.
    #[arg(long, default_value = remote::NAMESPACE)]
    namespace: String,
    /// File with an event as one JSON document (structured mode); `-` reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["type", "data"])]
    event: Option<PathBuf>,
    /// Type of the event.
    #[arg(long, required_unless_present = "event", value_parser = NonEmptyStringValueParser::new())]
    r#type: Option<String>,
    /// Id of the event; without it, one from the present time.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    id: Option<String>,
    /// Source of the event.
    #[arg(long, default_value = "/streamforge/cli", value_parser = NonEmptyStringValueParser::new())]
    source: String,
    /// Subject of the event.
    #[arg(long)]
    subject: Option<String>,
    /// Extension attribute; may be given several times.
    #[arg(long = "extension", value_name = "NAME=VALUE", value_parser = parse_extension)]
    extensions: Vec<(String, String)>,
    /// Data as JSON; `@FILE` reads it from a file.
    #[arg(long)]
    data: Option<String>,
    /// URL of an ingress; without it, the one of the platform that runs on the data folder.
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    ingress_url: Option<String>,
}

pub(super) async fn execute(arguments: Arguments, places: &Places, output: Output) -> Outcome {
    let event = remote::event(&document(&arguments)?)?;
    let ingress_url = match &arguments.ingress_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => remote::running(places)?.ingress_url,
    };
    let client = remote::client()?;
    remote::publish(&client, &ingress_url, &arguments.namespace, &arguments.broker, &event).await?;
    if output.is_json() {
        let (id, source) = (event.attribute("id"), event.attribute("source"));
        output::value(&serde_json::json!({ "id": id, "source": source, "broker": arguments.broker }))?;
        return Ok(());
    }
    output::line(&format!("published {} to {}", event.attribute("id").unwrap_or_default(), arguments.broker))?;
    Ok(())
}

/// Returns the event as one JSON document.
fn document(arguments: &Arguments) -> Result<Value, Failure> {
    if let Some(path) = &arguments.event {
        return parse_json(read(path)?.as_bytes())
            .map_err(|error| Failure::Configuration(format!("`{}` is not JSON: {error}", path.display())));
    }
    let now = now();
    let mut document = Map::new();
    let mut set = |name: &str, value: &str| document.insert(name.to_owned(), Value::from(value));
    for (name, value) in &arguments.extensions {
        set(name, value);
    }
    let id = arguments.id.clone().unwrap_or_else(|| format!("cli-{now}-{}", std::process::id()));
    set("specversion", "1.0");
    set("id", &id);
    set("source", &arguments.source);
    set("type", arguments.r#type.as_deref().unwrap_or_default());
    set("time", &rfc3339(now));
    if let Some(subject) = &arguments.subject {
        set("subject", subject);
    }
    if let Some(data) = &arguments.data {
        set("datacontenttype", "application/json");
        let text = match data.strip_prefix('@') {
            Some(path) => read(Path::new(path))?,
            None => data.clone(),
        };
        let value = parse_json(text.as_bytes())
            .map_err(|error| Failure::Configuration(format!("data is not JSON: {error}")))?;
        document.insert("data".to_owned(), value);
    }
    Ok(Value::Object(document))
}

/// No request and no event is larger.
const LARGEST_FILE: u64 = 4 << 20;

/// Reads a text file, or standard input for `-`.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let fail = |error| Failure::Configuration(format!("failed to read `{}`: {error}", path.display()));
    if path == Path::new("-") {
        return bounded_text::read(std::io::stdin(), LARGEST_FILE).map_err(fail);
    }
    bounded_text::read_file(path, LARGEST_FILE).map_err(fail)
}

fn parse_extension(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !is_name {
        return Err("a name has lower-case letters and digits only".to_owned());
    }
    if ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"].contains(&name) {
        return Err(format!("`{name}` is an attribute of every event; use its own option"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn parse_url(text: &str) -> Result<String, String> {
    let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
    match Url::parse(text).ok().filter(is_http) {
        Some(_) => Ok(text.to_owned()),
        None => Err("write a URL such as http://127.0.0.1:8080".to_owned()),
    }
}
