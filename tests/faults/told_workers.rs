//! SIGTERM to workers under a stream of events: each ends what it has begun and exits with 0; what it answered it did.

use std::{
    collections::{BTreeSet, VecDeque},
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use fastrand::Rng;
use serde_json::Value;
use streamforge_events::data;
use streamforge_function::test_util::TestIngress;

use crate::support::{binary, dummy, process::signal};

const WORKERS: usize = 180;
/// Workers under way at once, one after the other in each line.
const LINES: usize = 4;
/// Events under way at once in a line.
const SENDERS: usize = 3;

/// A worker has to be gone by then.
const GRACE: Duration = Duration::from_secs(10);

#[test]
fn workers_that_are_told_to_go_lose_nothing() {
    let seed = fastrand::u64(..1 << 32);
    eprintln!("seed {seed}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ingress = runtime.block_on(TestIngress::start());
    let lines: Vec<Line> = thread::scope(|scope| {
        let url = ingress.url();
        let start = |number| scope.spawn(move || Line::run(number, url, seed));
        let lines: Vec<_> = (0..LINES).map(start).collect();
        lines.into_iter().map(|line| line.join().unwrap()).collect()
    });
    let reports: Vec<Value> = ingress.events().iter().filter_map(|event| data(event).ok()).collect();
    let tasks = |status: &str| {
        let reports = reports.iter().filter(|report| report["status"] == status);
        reports.filter_map(|report| report["task"].as_str()).map(str::to_owned).collect::<Vec<_>>()
    };
    let finished = BTreeSet::from_iter(tasks("finished"));
    let mut begun = BTreeSet::new();
    let again: Vec<String> = tasks("started").into_iter().filter(|task| !begun.insert(task.clone())).collect();
    assert!(again.is_empty(), "begun by a worker that did not end them: {again:?}");
    let answered: BTreeSet<String> = lines.iter().flat_map(|line| line.answered.lock().unwrap().clone()).collect();
    let lost: Vec<&String> = answered.difference(&finished).collect();
    assert!(lost.is_empty(), "answered and not done: {lost:?}");
    let sent: usize = lines.iter().map(|line| line.next.load(Ordering::SeqCst)).sum();
    assert_eq!(answered.len(), sent, "everything was done in the end");
    let busy: usize = lines.iter().map(|line| line.busy.load(Ordering::SeqCst)).sum();
    assert!(busy > WORKERS / 2, "only {busy} of {WORKERS} workers were at work when they were told to go");
}

/// A worker that others follow, and the events for all of them.
#[derive(Default)]
struct Line {
    number: usize,
    next: AtomicUsize,
    /// Events that nobody answered: the next worker gets them.
    again: Mutex<VecDeque<String>>,
    answered: Mutex<BTreeSet<String>>,
    in_flight: AtomicUsize,
    /// Workers that were told to go while they had events.
    busy: AtomicUsize,
}

impl Line {
    fn run(number: usize, ingress: &str, seed: u64) -> Self {
        let line = Self { number, ..Self::default() };
        let mut random = Rng::with_seed(seed + number as u64);
        for _ in 0..WORKERS / LINES {
            line.turn(&mut Worker::start(ingress), &mut random);
        }
        let last = Worker::start(ingress);
        while let Some(event) = line.again.lock().unwrap().pop_front() {
            assert_eq!(dummy::post(&last.url, &event, 0), Some(204));
            line.answered.lock().unwrap().insert(event);
        }
        line
    }

    /// Lets a worker have events, tells it to go in the middle of them, and waits for its end.
    fn turn(&self, worker: &mut Worker, random: &mut Rng) {
        let is_gone = AtomicBool::new(false);
        thread::scope(|scope| {
            let (url, is_gone) = (&worker.url, &is_gone);
            for _ in 0..SENDERS {
                let millis = random.u64(5..60);
                scope.spawn(move || {
                    while !is_gone.load(Ordering::SeqCst) {
                        self.send(url, millis);
                    }
                });
            }
            thread::sleep(Duration::from_millis(random.u64(20..250)));
            self.busy.fetch_add(self.in_flight.load(Ordering::SeqCst).min(1), Ordering::SeqCst);
            signal("-TERM", worker.child.id());
            let told = Instant::now();
            let code = loop {
                if let Some(status) = worker.child.try_wait().unwrap() {
                    break status.code();
                }
                if told.elapsed() > GRACE {
                    break None;
                }
                thread::sleep(Duration::from_millis(5));
            };
            is_gone.store(true, Ordering::SeqCst);
            assert_eq!(code, Some(0), "{:?} after it was told to go", told.elapsed());
        });
    }

    fn send(&self, url: &str, millis: u64) {
        let left_over = self.again.lock().unwrap().pop_front();
        let new = || format!("{}-{}", self.number, self.next.fetch_add(1, Ordering::SeqCst));
        let event = left_over.unwrap_or_else(new);
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let status = dummy::post(url, &event, millis);
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        match status {
            Some(204) => {
                self.answered.lock().unwrap().insert(event);
            }
            None => self.again.lock().unwrap().push_back(event),
            Some(status) => panic!("a worker answered {status}"),
        }
    }
}

/// A process of the diagnostic function; killed when dropped.
struct Worker {
    child: Child,
    url: String,
}

impl Worker {
    fn start(ingress: &str) -> Self {
        let mut child = Command::new(binary::path())
            .args(["function", "dummy-service"])
            .env_remove("STREAMFORGE_SEED")
            .envs([("PORT", "0"), ("STREAMFORGE_METRICS_PORT", "0"), ("STREAMFORGE_PARENT", "stdin")])
            .envs([("STREAMFORGE_INGRESS_URL", ingress), ("STREAMFORGE_DRAIN_GRACE", "50ms")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let announced: Value = serde_json::from_str(&line).unwrap();
        Self { child, url: format!("http://{}/", announced["listening"].as_str().unwrap()) }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
