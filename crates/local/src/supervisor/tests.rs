//! Real child processes: shells that announce themselves as workers do.

use std::{net::SocketAddr, path::Path, time::Duration};

use tokio::sync::watch;

use super::{Counts, Pool, WorkerCommand};
use crate::{endpoints::Endpoints, manifest::ObjectName};

const ANNOUNCE: &str = r#"echo '{"listening":"127.0.0.1:41234","metrics":"127.0.0.1:41235"}';"#;

fn command(folder: &Path, script: &str) -> WorkerCommand {
    WorkerCommand {
        name: "loader".to_owned(),
        program: "/bin/sh".into(),
        arguments: vec!["-c".to_owned(), script.to_owned()],
        environment: vec![("GREETING".to_owned(), "hello".to_owned())],
        without: Vec::new(),
        log: folder.join("logs/loader.log"),
        start_timeout: Duration::from_secs(20),
        grace: Duration::from_secs(20),
        liveness: None,
    }
}

fn service() -> ObjectName {
    ObjectName::new("streamforge", "loader")
}

async fn until(counts: &mut watch::Receiver<Counts>, condition: impl Fn(&Counts) -> bool) -> Counts {
    let found = tokio::time::timeout(Duration::from_secs(30), counts.wait_for(|counts| condition(counts))).await;
    *found.unwrap_or_else(|_| panic!("never seen")).unwrap()
}

#[tokio::test]
async fn workers_come_take_events_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let endpoints = Endpoints::default();
    let script = format!("echo $GREETING >&2; {ANNOUNCE} cat; echo bye >&2");
    let pool = Pool::start(command(folder.path(), &script), service(), endpoints.clone());
    let mut counts = pool.counts();
    assert!(endpoints.is_managed(&service()));
    pool.desired().send_replace(2);
    until(&mut counts, |counts| counts.ready == 2).await;
    let lease = endpoints.pick(&service()).await;
    assert_eq!(lease.address(), SocketAddr::from(([127, 0, 0, 1], 41234)));
    pool.desired().send_replace(1);
    until(&mut counts, |counts| counts.ready == 1 && counts.stopping == 0).await;
    let mut last = counts.clone();
    pool.shutdown().await;
    assert_eq!(*last.borrow_and_update(), Counts::default());
    let log = std::fs::read_to_string(folder.path().join("logs/loader.log")).unwrap();
    assert_eq!(log.matches("hello").count(), 2, "{log}");
    assert_eq!(log.matches("bye").count(), 2, "{log}");
}

#[tokio::test]
async fn a_worker_that_dies_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let flag = folder.path().join("died");
    // The first process dies as if killed; its successor lives.
    let script = format!("{ANNOUNCE} [ -e '{0}' ] || {{ touch '{0}'; kill -9 $$; }}; cat", flag.display());
    let pool = Pool::start(command(folder.path(), &script), service(), Endpoints::default());
    let mut counts = pool.counts();
    pool.desired().send_replace(1);
    until(&mut counts, |counts| counts.crashes == 1 && counts.ready == 1).await;
    pool.shutdown().await;
}

#[tokio::test]
async fn a_worker_that_cannot_start_is_tried_again_and_can_be_given_up() {
    let folder = tempfile::tempdir().unwrap();
    for script in ["exit 64", "echo nonsense; cat"] {
        let pool = Pool::start(command(folder.path(), script), service(), Endpoints::default());
        let mut counts = pool.counts();
        pool.desired().send_replace(1);
        until(&mut counts, |counts| counts.crashes >= 2).await;
        pool.desired().send_replace(0);
        until(&mut counts, |counts| counts.desired == 0 && counts.starting == 0).await;
        pool.shutdown().await;
    }
    let missing = WorkerCommand { program: "/nonexistent".into(), ..command(folder.path(), "") };
    let pool = Pool::start(missing, service(), Endpoints::default());
    pool.desired().send_replace(1);
    until(&mut pool.counts(), |counts| counts.crashes >= 1).await;
    pool.shutdown().await;
}

#[tokio::test]
async fn a_worker_that_does_not_drain_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let stubborn = WorkerCommand {
        grace: Duration::from_millis(10),
        ..command(folder.path(), &format!("{ANNOUNCE} exec tail -f /dev/null"))
    };
    let pool = Pool::start(stubborn, service(), Endpoints::default());
    pool.desired().send_replace(1);
    until(&mut pool.counts(), |counts| counts.ready == 1).await;
    let counts = pool.counts();
    pool.shutdown().await;
    assert_eq!(counts.borrow().stopping, 0);
}
