//! `streamforge queues`: workflows listed, shown, watched and stopped.

use std::{sync::Arc, time::Duration};

use queue_manager::document::Workflow;
use serde_json::Value;
use streamforge_events::QueueId;
use streamforge_store::{Store, WorkflowQuery};

use super::{
    exit::{Failure, Outcome},
    output::{self, Output},
    progress::Progress,
    remote, scores,
};
use crate::platform::{Places, interrupted};

/// How often a watched workflow is read.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List workflows, newest first.
    List {
        /// Only workflows with this status.
        #[arg(long, value_parser = ["pending", "loading", "finished", "stopped", "error"])]
        status: Option<String>,
        /// Most workflows to list.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show one workflow with its stages.
    Show {
        /// Id of the workflow.
        queue_id: QueueId,
    },
    /// Follow a workflow to its end.
    Watch {
        /// Id of the workflow.
        queue_id: QueueId,
    },
    /// Stop a workflow.
    Stop {
        /// Id of the workflow.
        queue_id: QueueId,
    },
}

pub(super) async fn execute(command: Command, places: &Places, output: Output) -> Outcome {
    if let Command::Stop { queue_id } = &command {
        return stop(queue_id, places, output).await;
    }
    let store = open(places).await?;
    match command {
        Command::List { status, limit } => list(store.as_ref(), status.as_deref(), limit as usize, output).await,
        Command::Show { queue_id } => {
            let document = document(store.as_ref(), &queue_id).await?;
            if output.is_json() {
                output::value(&document)?;
                return Ok(());
            }
            show(&document)
        }
        Command::Watch { queue_id } => watch(store.as_ref(), &queue_id, output).await,
        Command::Stop { .. } => Ok(()),
    }
}

/// Opens the store of a data folder that exists.
pub(super) async fn open(places: &Places) -> Result<Arc<dyn Store>, Failure> {
    places.existing_store().await?.ok_or_else(|| {
        let shown = places.folder().root().display();
        Failure::Unavailable(format!("nothing is stored in `{shown}`; name another folder by --data-dir"))
    })
}

/// Stops a workflow through the API of the running platform.
pub(super) async fn stop(queue_id: &QueueId, places: &Places, output: Output) -> Outcome {
    let state = remote::running(places)?;
    let client = remote::client()?;
    let path = format!("/queues/stop?queue_id={queue_id}");
    let answer = remote::post_api(&client, &state.api_url, &path, None).await?;
    if output.is_json() {
        output::value(&answer)?;
        return Ok(());
    }
    let status = answer["status"].as_str().unwrap_or("stopped");
    output::line(&format!("{queue_id} is {status}"))?;
    Ok(())
}

/// Reads a workflow's document.
pub(super) async fn document(store: &dyn Store, queue_id: &QueueId) -> Result<Value, Failure> {
    let found = store.get(queue_id).await?;
    found
        .map(|stored| stored.document.json)
        .ok_or_else(|| Failure::Failed(format!("workflow `{queue_id}` is not known")))
}

async fn list(store: &dyn Store, status: Option<&str>, limit: usize, output: Output) -> Outcome {
    let query = WorkflowQuery { limit, cursor: None, status: status.map(str::to_owned) };
    let page = store.list(&query).await?;
    let documents: Vec<Value> = page.documents.into_iter().map(|document| document.json).collect();
    if output.is_json() {
        output::value(&documents)?;
        return Ok(());
    }
    let text = |document: &Value, field: &str| match &document[field] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let fields = ["id", "status", "records_written", "created_at", "finished_at"];
    let rows: Vec<Vec<String>> =
        documents.iter().map(|document| fields.iter().map(|field| text(document, field)).collect()).collect();
    output::table(&["workflow", "status", "records", "created", "finished"], &[2], &rows)?;
    Ok(())
}

fn show(document: &Value) -> Outcome {
    let text = |field: &str| document[field].as_str().unwrap_or("-").to_owned();
    output::line(&format!("{}: {}", text("id"), text("status")))?;
    let restated = serde_json::from_value(document.clone()).map_or(0, |workflow: Workflow| workflow.restated());
    output::line(&format!(
        "range {} to {}, {} records, {restated} of them restated by the exchange",
        text("start_time"),
        text("end_time"),
        document["records_written"]
    ))?;
    if let Some(message) = document["error_message"].as_str() {
        output::line(&format!("reason: {message}"))?;
    }
    let rows: Vec<Vec<String>> = super::progress::stages(document)
        .into_iter()
        .map(|stage| vec![stage.name, stage.status, format!("{}/{}", stage.done, stage.total)])
        .collect();
    output::table(&["stage", "status", "tasks"], &[2], &rows)?;
    if let (Some(name), Some(version)) = (document["model"]["name"].as_str(), document["model"]["version"].as_str()) {
        output::line(&format!("model {name}, version {version}"))?;
    }
    scores::print(document.get("scores"))
}

async fn watch(store: &dyn Store, queue_id: &QueueId, output: Output) -> Outcome {
    let document = tokio::select! {
        document = follow(store, queue_id, output) => document?,
        () = interrupted() => return Err(Failure::Interrupted),
    };
    if output.is_json() {
        output::value(&document)?;
    } else {
        show(&document)?;
    }
    ended(&document)
}

/// Follows a workflow until its status is final and returns its document.
pub(super) async fn follow(store: &dyn Store, queue_id: &QueueId, output: Output) -> Result<Value, Failure> {
    let progress = Progress::start(output);
    loop {
        let document = document(store, queue_id).await?;
        progress.show(&document);
        if is_final(&document) {
            return Ok(document);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether nothing will change the workflow any more.
pub(super) fn is_final(document: &Value) -> bool {
    matches!(document["status"].as_str(), Some("finished" | "stopped" | "error"))
}

/// Turns the end of a workflow into the command's end.
pub(super) fn ended(document: &Value) -> Outcome {
    if document["status"] == "finished" {
        return Ok(());
    }
    let status = document["status"].as_str().unwrap_or("unknown");
    let reason = document["error_message"].as_str().map(|message| format!(": {message}")).unwrap_or_default();
    Err(Failure::Failed(format!("the workflow ended as `{status}`{reason}")))
}
