//! A served function: probes, drain, worn connections, metrics, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use axum::http::StatusCode;
use common::{Probe, start};
use streamforge_function::test_util::{TestIngress, config, get_from, post_event_to};
use streamforge_function::{Context, Function, ServeError, axum, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A function at work in this process.
struct Served {
    address: String,
    metrics: String,
    stop: oneshot::Sender<()>,
    end: JoinHandle<Result<(), ServeError>>,
}

async fn served(probe: Probe, ingress: &TestIngress, changes: &[(&str, &str)]) -> Served {
    let mut variables = vec![("STREAMFORGE_INGRESS_URL", ingress.url())];
    variables.extend(changes);
    let context = Context::new(Probe::NAME, config(&variables, &[])).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let metrics = metrics_listener.local_addr().unwrap().to_string();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let end = tokio::spawn(serve(probe, context, listener, metrics_listener, shutdown));
    Served { address, metrics, stop, end }
}

/// Asks until the answer is the expected one; the caller's test fails by its own time limit otherwise.
async fn until(address: &str, path: &str, status: u16) {
    while get_from(address, path).await.status != status {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn while_draining_it_is_alive_not_ready_and_still_serves() {
    let ingress = TestIngress::start().await;
    let served = served(Probe::default(), &ingress, &[("STREAMFORGE_DRAIN_GRACE", "60m")]).await;
    until(&served.address, "/health/ready", 200).await;
    assert_eq!(get_from(&served.address, "/health/startup").await.status, 200);
    served.stop.send(()).unwrap();
    until(&served.address, "/health/ready", 503).await;
    assert_eq!(get_from(&served.address, "/health/live").await.status, 200);
    assert_eq!(get_from(&served.address, "/health/startup").await.status, 200);
    assert_eq!(post_event_to(&served.address, &start("")).await.status, 204);
    served.end.abort();
}

#[tokio::test]
async fn the_drain_ends_after_the_event_at_work() {
    let ingress = TestIngress::start().await;
    let probe = Probe::default();
    let served = served(probe.clone(), &ingress, &[("STREAMFORGE_DRAIN_GRACE", "0s")]).await;
    let address = served.address.clone();
    let answer = tokio::spawn(async move { post_event_to(&address, &start("wait")).await });
    probe.begun.notified().await;
    served.stop.send(()).unwrap();
    while TcpStream::connect(&served.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!served.end.is_finished());
    probe.gate.add_permits(1);
    assert_eq!(answer.await.unwrap().status, 204);
    assert!(served.end.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_drain_that_hangs_ends_with_an_error() {
    let ingress = TestIngress::start().await;
    let probe = Probe::default();
    let changes = [("STREAMFORGE_DRAIN_GRACE", "0s"), ("STREAMFORGE_DRAIN_TIMEOUT", "10ms")];
    let served = served(probe.clone(), &ingress, &changes).await;
    let address = served.address.clone();
    let hanging = tokio::spawn(async move { post_event_to(&address, &start("wait")).await });
    probe.begun.notified().await;
    served.stop.send(()).unwrap();
    assert!(matches!(served.end.await.unwrap(), Err(ServeError::DrainTimeout(_))));
    hanging.abort();
}

#[tokio::test]
async fn a_worn_connection_is_closed_with_its_last_answer() {
    let ingress = TestIngress::start().await;
    let served = served(Probe::default(), &ingress, &[("STREAMFORGE_CONNECTION_REQUESTS", "3")]).await;
    let mut connection = TcpStream::connect(&served.address).await.unwrap();
    let request = b"GET /health/live HTTP/1.1\r\nhost: probe\r\n\r\n".repeat(3);
    connection.write_all(&request).await.unwrap();
    let mut answers = String::new();
    connection.read_to_string(&mut answers).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 3, "{answers}");
    assert_eq!(answers.matches("connection: close").count(), 1, "{answers}");
    served.end.abort();
}

#[tokio::test]
async fn an_oversized_chunked_body_is_413_over_a_socket() {
    let ingress = TestIngress::start().await;
    let served = served(Probe::default(), &ingress, &[("STREAMFORGE_BODY_LIMIT", "1000")]).await;
    let mut connection = TcpStream::connect(&served.address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nhost: probe\r\ntransfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\n";
    connection.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("3e8\r\n{}\r\n", " ".repeat(1000));
    connection.write_all(chunk.repeat(2).as_bytes()).await.unwrap();
    let mut status = [0; 12];
    connection.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
    served.end.abort();
}

#[tokio::test]
async fn metrics_are_served_on_their_own_port() {
    let ingress = TestIngress::start().await;
    let served = served(Probe::default(), &ingress, &[("STREAMFORGE_PUBLISH_ATTEMPTS", "1")]).await;
    assert_eq!(post_event_to(&served.address, &start("")).await.status, 204);
    assert_eq!(post_event_to(&served.address, &start("panic")).await.status, 500);
    ingress.answer_with(StatusCode::BAD_GATEWAY);
    assert_eq!(post_event_to(&served.address, &start("")).await.status, 503);
    let scrape = get_from(&served.metrics, "/metrics").await;
    assert_eq!(scrape.status, 200);
    let labels =
        |outcome| format!(r#"{{function="probe",type="io.streamforge.control.start.v1",outcome="{outcome}"}} 1"#);
    for expected in [
        format!("streamforge_events_total{}", labels("DONE")),
        format!("streamforge_events_total{}", labels("INTERNAL")),
        format!("streamforge_events_total{}", labels("PUBLISH_FAILED")),
        r#"streamforge_events_published_total{function="probe"} 6"#.to_owned(),
        r#"streamforge_events_in_flight{function="probe"} 0"#.to_owned(),
        r#"streamforge_handler_duration_seconds_count{function="probe",type="io.streamforge.control.start.v1"} 3"#
            .to_owned(),
    ] {
        assert!(scrape.body.contains(&expected), "{expected} is not in\n{}", scrape.body);
    }
    assert_eq!(get_from(&served.address, "/metrics").await.status, 404);
    served.end.abort();
}
