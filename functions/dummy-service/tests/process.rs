//! The real process: ports announced, drained by signal and by the end of standard input, exit codes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::process::Stdio;

use common::command;
use serde_json::{Value, json};
use streamforge_function::test_util::{TestIngress, get_from, post_event_to};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};

/// A dummy at work in a process of its own.
struct Worker {
    child: Child,
    stdin: ChildStdin,
    log: Lines<BufReader<ChildStderr>>,
    address: String,
    metrics: String,
}

fn dummy(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dummy-service"));
    command.env_clear().envs(variables.iter().copied()).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn worker(ingress: &TestIngress) -> Worker {
    let mut child = dummy(&[
        ("PORT", "0"),
        ("STREAMFORGE_METRICS_PORT", "0"),
        ("STREAMFORGE_PARENT", "stdin"),
        ("STREAMFORGE_DRAIN_GRACE", "0s"),
        ("STREAMFORGE_INGRESS_URL", ingress.url()),
    ])
    .spawn()
    .unwrap();
    let mut announced = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut announced).await.unwrap();
    let announced: Value = serde_json::from_str(&announced).unwrap();
    let address = |name: &str| announced[name].as_str().unwrap().to_owned();
    Worker {
        stdin: child.stdin.take().unwrap(),
        log: BufReader::new(child.stderr.take().unwrap()).lines(),
        address: address("listening"),
        metrics: address("metrics"),
        child,
    }
}

impl Worker {
    /// Reads the log until a line says `message`.
    async fn until_logged(&mut self, message: &str) {
        loop {
            let line = self.log.next_line().await.unwrap().expect("the log goes on until the message");
            let line: Value = serde_json::from_str(&line).expect("each line of the log is JSON");
            if line["message"] == message {
                return;
            }
        }
    }

    async fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id().unwrap());
        assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
    }
}

#[tokio::test]
async fn a_signal_drains_the_event_in_flight_and_the_exit_code_is_0() {
    for signal in ["TERM", "INT"] {
        let ingress = TestIngress::start().await;
        let mut worker = worker(&ingress).await;
        worker.until_logged("ready").await;
        ingress.hold();
        let address = worker.address.clone();
        let slow = tokio::spawn(async move { post_event_to(&address, &command("start", "dummy", &json!({}))).await });
        ingress.wait_for_arrivals(1).await;
        worker.signal(signal).await;
        worker.until_logged("draining").await;
        assert!(worker.child.try_wait().unwrap().is_none());
        ingress.release();
        assert_eq!(slow.await.unwrap().status, 204);
        assert_eq!(worker.child.wait().await.unwrap().code(), Some(0), "SIG{signal}");
        assert_eq!(ingress.events().len(), 2);
    }
}

#[tokio::test]
async fn the_end_of_standard_input_drains_too() {
    let ingress = TestIngress::start().await;
    let mut worker = worker(&ingress).await;
    worker.until_logged("ready").await;
    assert_eq!(get_from(&worker.address, "/health/ready").await.status, 200);
    assert!(get_from(&worker.metrics, "/metrics").await.body.contains("dummy_pings_total 0"));
    drop(worker.stdin);
    assert_eq!(worker.child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn bad_configuration_is_one_line_and_exit_code_64() {
    let cases = [
        ("PORT", "many"),
        ("STREAMFORGE_DEADLNE", "1s"),
        ("STREAMFORGE_INGRESS_URL", "nowhere"),
        ("STREAMFORGE_DUMMY_BEHAVIOUR", "{\"fail\": 1}"),
    ];
    for (name, value) in cases {
        let mut child = dummy(&[(name, value)]).spawn().unwrap();
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(64), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("dummy-service: ") && stderr.contains(name), "{stderr}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_one_line_and_exit_code_1() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut child = dummy(&[("PORT", &port), ("STREAMFORGE_METRICS_PORT", "0")]).spawn().unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(1));
    assert!(stderr.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{stderr}");
}

#[tokio::test]
async fn told_to_exit_it_ends_like_a_crash() {
    let ingress = TestIngress::start().await;
    let mut worker = worker(&ingress).await;
    let address = worker.address.clone();
    let crash =
        tokio::spawn(
            async move { post_event_to(&address, &command("start", "dummy", &json!({"exit_after": 0}))).await },
        );
    assert_eq!(worker.child.wait().await.unwrap().code(), Some(1));
    assert!(crash.await.is_err(), "nobody answers after a crash");
    assert_eq!(ingress.events().len(), 1);
}
