//! `streamforge control`: ping or stop the workers of a workflow, and wait for their answer.

use std::time::Duration;

use serde_json::{Value, json};
use streamforge_bus::Bus;
use streamforge_events::{QueueId, Topic};

use super::{
    exit::{Failure, Outcome},
    output::{self, Output},
    queues, remote,
};
use crate::{message::Message, platform::Places};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Id of the workflow.
    #[arg(long, value_name = "ID")]
    queue_id: QueueId,
    /// What to send.
    #[arg(long, value_enum)]
    command: Kind,
    /// Function to ask; without it, all functions of the workflow.
    #[arg(long, value_name = "FUNCTION")]
    target: Option<String>,
    /// Fail unless a worker answers the ping in time.
    #[arg(long)]
    expect_pong: bool,
    /// Seconds to wait for the answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Ask the workers for a sign of life.
    Ping,
    /// Stop the workflow.
    Stop,
}

pub(super) async fn execute(arguments: Arguments, places: &Places, output: Output) -> Outcome {
    if arguments.command == Kind::Stop {
        return queues::stop(&arguments.queue_id, places, output).await;
    }
    let state = remote::running(places)?;
    let bus = remote::existing_bus(places)?;
    let topic = Topic::QueueEvents.to_string();
    let before = bus.end_offsets(&topic).await?;
    let client = remote::client()?;
    let mut body = json!({ "queue_id": arguments.queue_id, "command": "ping" });
    if let Some(target) = &arguments.target {
        body["target"] = Value::from(target.as_str());
    }
    let answer = remote::post_api(&client, &state.api_url, "/queues/control", Some(&body)).await?;
    if !arguments.expect_pong {
        return if output.is_json() { Ok(output::value(&answer)?) } else { Ok(output::line("ping sent")?) };
    }
    let wait = Duration::from_secs(arguments.timeout);
    let pong = tokio::time::timeout(wait, pong(bus.as_ref(), &topic, before, &arguments.queue_id)).await;
    let Ok(pong) = pong else {
        return Err(Failure::Failed(format!("no pong within {} s", arguments.timeout)));
    };
    let pong = pong?;
    if output.is_json() {
        output::value(&pong)?;
    } else {
        output::line(&format!("pong from {}", pong["producer"].as_str().unwrap_or("an unknown worker")))?;
    }
    Ok(())
}

/// Waits for a report with the status `pong` of this workflow, after the offsets given.
async fn pong(bus: &dyn Bus, topic: &str, mut next: Vec<u64>, queue_id: &QueueId) -> Result<Value, Failure> {
    let mut appended = bus.appended();
    loop {
        appended.borrow_and_update();
        for (partition, next) in (0..).zip(&mut next) {
            loop {
                let records = bus.read(topic, partition, *next, 500, 8 << 20).await?;
                let Some(last) = records.last() else { break };
                *next = last.offset + 1;
                let reports = records.into_iter().filter_map(|stored| Message::from_record(stored.record).ok());
                let mut reports = reports.filter_map(|event| serde_json::from_slice::<Value>(event.body()).ok());
                let found = reports.find(|report| {
                    report["status"] == "pong" && report["queue_id"].as_str() == Some(queue_id.as_str())
                });
                if let Some(report) = found {
                    return Ok(report);
                }
            }
        }
        if appended.changed().await.is_err() {
            return Err(Failure::Failed("the event log is closed".to_owned()));
        }
    }
}
