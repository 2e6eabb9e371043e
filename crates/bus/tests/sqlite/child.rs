//! A process of its own that uses the same log: this test binary, started again.

use std::{
    env,
    io::{BufRead, BufReader, Lines, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
};

use streamforge_bus::{Bus, SqliteBus};

use crate::{PATIENCE, read_topic, record};

const ROLE: &str = "STREAMFORGE_BUS_TEST_ROLE";
const LOG: &str = "STREAMFORGE_BUS_TEST_LOG";
const NAME: &str = "STREAMFORGE_BUS_TEST_NAME";

/// What a child does; each line that it prints begins with a word of [`Line`].
#[derive(Clone, Copy)]
pub(crate) enum Role {
    /// Publishes from several tasks until it is killed.
    PublishForEver,
    /// Publishes [`SHARE`] records, opening the log again and again, then reads until it has seen [`SHARE`] records of
    /// each of two processes.
    Converse,
    /// Publishes one record.
    PublishOne,
}

/// How many records each of two conversing processes publishes.
pub(crate) const SHARE: usize = 200;

/// A line that a child printed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Line {
    /// The record of this value was acknowledged at this partition and offset.
    Acknowledged(u32, u64, String),
    /// The child has read that many records.
    Seen(usize),
}

/// A running child; killed when dropped.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

pub(crate) fn start(role: Role, log: &Path, name: &str) -> Running {
    let role = match role {
        Role::PublishForEver => "publish-for-ever",
        Role::Converse => "converse",
        Role::PublishOne => "publish-one",
    };
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child::entry", "--nocapture"])
        .env(ROLE, role)
        .env(LOG, log)
        .env(NAME, name)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    Running { child, lines }
}

impl Running {
    /// Waits for the next line; `None` when the child has ended.
    pub(crate) fn next_line(&mut self) -> Option<Line> {
        self.lines.by_ref().find_map(|line| parse(&line.ok()?))
    }

    /// Ends the child as `kill -9` does and answers what it had printed before.
    pub(crate) fn kill(mut self) -> Vec<Line> {
        self.child.kill().unwrap();
        self.rest()
    }

    /// Waits for the child to end well and answers what it printed.
    pub(crate) fn finish(mut self) -> Vec<Line> {
        let lines = self.rest();
        assert!(self.child.wait().unwrap().success());
        lines
    }

    fn rest(&mut self) -> Vec<Line> {
        std::iter::from_fn(|| self.next_line()).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if the child has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Lines end with a full stop, so that one cut short by a kill is told apart; others are the test harness's.
fn parse(line: &str) -> Option<Line> {
    let words: Vec<&str> = line.strip_suffix(" .")?.split(' ').collect();
    match words.as_slice() {
        ["acknowledged", partition, offset, value] => {
            Some(Line::Acknowledged(partition.parse().ok()?, offset.parse().ok()?, (*value).to_owned()))
        }
        ["seen", count] => Some(Line::Seen(count.parse().ok()?)),
        _ => None,
    }
}

fn print(line: &str) {
    let mut stdout = std::io::stdout().lock();
    // The first newline ends whatever the test harness has begun.
    write!(stdout, "\n{line} .\n").unwrap();
    stdout.flush().unwrap();
}

#[test]
#[ignore = "other tests run it in a process of its own"]
fn entry() {
    let Ok(role) = env::var(ROLE) else {
        return;
    };
    let log = PathBuf::from(env::var_os(LOG).unwrap());
    let name = env::var(NAME).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        match role.as_str() {
            "publish-for-ever" => publish_for_ever(&log, &name).await,
            "converse" => converse(&log, &name).await,
            "publish-one" => publish(&SqliteBus::open(&log).unwrap(), &name).await,
            unknown => panic!("unknown role {unknown}"),
        }
    });
}

async fn publish(bus: &SqliteBus, value: &str) {
    let (partition, offset) = bus.publish("t", record(value)).await.unwrap();
    print(&format!("acknowledged {partition} {offset} {value}"));
}

async fn publish_for_ever(log: &Path, name: &str) {
    let bus = Arc::new(SqliteBus::open(log).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let bus = Arc::clone(&bus);
        let name = name.to_owned();
        tasks.spawn(async move {
            for index in 0.. {
                publish(&bus, &format!("{name}-{task}-{index}")).await;
            }
        });
    }
    tasks.join_all().await;
}

async fn converse(log: &Path, name: &str) {
    for session in 0..SHARE / 20 {
        let bus = SqliteBus::open(log).unwrap();
        let values: Vec<String> = (0..20).map(|index| format!("{name}-{session}-{index}")).collect();
        futures::future::join_all(values.iter().map(|value| publish(&bus, value))).await;
    }
    let bus = SqliteBus::open(log).unwrap();
    let mut appended = bus.appended();
    loop {
        appended.borrow_and_update();
        let seen = read_topic(&bus, "t").await.len();
        if seen == 2 * SHARE {
            print(&format!("seen {seen}"));
            return;
        }
        tokio::time::timeout(PATIENCE, appended.changed()).await.expect("the other process wakes this one").unwrap();
    }
}
