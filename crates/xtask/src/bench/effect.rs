//! From a posted event to its first effect while no worker of the function runs.
//!
//! The event is a ping. Its effect is the function's answer, which went through the log and a Trigger of its own.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    Unit, figure,
    load::Load,
    platform::{Platform, write_command},
    process::children,
};

const ROUNDS: u64 = 15;
const PATIENCE: Duration = Duration::from_secs(30);

/// Lets the function sleep soon, and brings its answers here.
const MANIFESTS: &str = "
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: dummy-service, namespace: bench}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: dummy-service}
  pollingInterval: 1
  cooldownPeriod: 1
  minReplicaCount: 0
  maxReplicaCount: 1
  triggers:
    - type: kafka
      metadata:
        bootstrapServers: bench:9092
        consumerGroup: knative-trigger-bench-dummy-service
        topic: dummy-service
        lagThreshold: \"5\"
        activationLagThreshold: \"0\"
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: bench, namespace: bench}
spec:
  broker: queue-events
  subscriber: {uri: \"http://ADDRESS/\"}
";

/// Wakes the function again and again after it went to sleep.
pub(super) fn run() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let (sender, answers) = channel();
    thread::spawn(move || serve(&listener, &sender));
    let platform = Platform::start(&MANIFESTS.replace("ADDRESS", &address))?;
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        times.push(one(&platform, &answers, round)?);
    }
    figure("from a posted event to its first effect, from zero workers", Unit::Milliseconds, times);
    Ok(())
}

fn one(platform: &Platform, answers: &Receiver<Instant>, round: u64) -> Result<f64> {
    let started = Instant::now();
    while !children(platform.id())?.is_empty() {
        ensure!(started.elapsed() < PATIENCE, "the function does not go to sleep");
        thread::sleep(Duration::from_millis(20));
    }
    let load = Load { address: platform.ingress, connections: 1, requests: 1, status: "202", request };
    let mut connection = load.open()?;
    let sent = Instant::now();
    connection.exchange(round)?;
    let seen = answers.recv_timeout(PATIENCE).context("the function did not answer")?;
    Ok(seen.duration_since(sent).as_secs_f64() * 1000.0)
}

fn request(number: u64, request: &mut Vec<u8>) {
    write_command(number, "ping", 0, request);
}

/// Takes every event and tells when it came.
fn serve(listener: &TcpListener, sender: &Sender<Instant>) {
    for stream in listener.incoming().flatten() {
        let sender = sender.clone();
        // An error is the end of a connection.
        thread::spawn(move || serve_connection(stream, &sender).ok());
    }
}

fn serve_connection(stream: TcpStream, sender: &Sender<Instant>) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            ensure!(reader.read_line(&mut line)? > 0, "end of the connection");
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length])?;
        sender.send(Instant::now())?;
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
}
