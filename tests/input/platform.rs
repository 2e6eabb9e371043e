//! One platform that has to stand everything, and what must not have changed afterwards.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::support::{Folder, Log, Running, until};

/// A running platform with its addresses.
pub(crate) struct Platform {
    pub(crate) folder: Folder,
    pub(crate) process: Running,
    /// `127.0.0.1:PORT` of the ingress.
    pub(crate) ingress: String,
    /// `127.0.0.1:PORT` of the API.
    pub(crate) api: String,
}

impl Platform {
    pub(crate) fn start(log: Log) -> Self {
        let folder = Folder::on(log);
        let any = "127.0.0.1:0";
        let mut process = folder.start(&["up", "--exchange", "synthetic:42", "--ingress", any, "--api", any]);
        let started = process.first_json();
        let address = |name: &str| started[name].as_str().unwrap().trim_start_matches("http://").to_owned();
        let (ingress, api) = (address("ingress"), address("api"));
        Self { folder, process, ingress, api }
    }

    /// Records that each topic was ever given.
    pub(crate) fn records(&self) -> BTreeMap<String, u64> {
        let status = self.folder.json(&["status"]);
        let topics = status["topics"].as_array().unwrap().iter();
        topics.map(|topic| (topic["name"].as_str().unwrap().to_owned(), topic["end"].as_u64().unwrap())).collect()
    }

    /// Waits until every consumer has handled all that it was given.
    pub(crate) fn settle(&self) {
        until("all consumers without lag", || {
            let status = self.folder.json(&["status"]);
            status["groups"].as_array().unwrap().iter().all(|group| group["lag"] == 0).then_some(())
        });
    }

    /// Stops the platform; nothing in its log or in those of its workers may tell of a bug.
    pub(crate) fn stop(self) {
        let ended = self.process.stop();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let mut logs = vec![("the platform".to_owned(), ended.stderr)];
        for entry in fs::read_dir(self.folder.path("data/logs")).unwrap() {
            let path = entry.unwrap().path();
            logs.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
        for (name, log) in logs {
            for word in ["panic", "by a bug"] {
                assert!(!log.contains(word), "{name} tells of a {word}: {log}");
            }
        }
    }
}

/// What a process holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holdings {
    /// Memory that is not shared, in bytes.
    pub(crate) memory: u64,
    /// Open files, connections among them.
    pub(crate) files: usize,
}

impl Holdings {
    pub(crate) fn of(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        Self { memory: kibibytes * 1024, files }
    }
}

/// Holds on until connections that are being thrown away have gone, and fails if a process holds more than before.
pub(crate) fn assert_no_growth(pid: u32, before: Holdings, what: &str) {
    /// What an allocator keeps for later; a leak of the bodies sent would be many times that.
    const SLACK: u64 = 24 << 20;
    let after = until(&format!("{what} to close what it opened"), || {
        let now = Holdings::of(pid);
        (now.files <= before.files + 4).then_some(now)
    });
    assert!(after.memory <= before.memory + SLACK, "{what} grew: {before:?}, {after:?}");
}

/// The field of a document, as text.
pub(crate) fn text<'value>(value: &'value Value, name: &str) -> &'value str {
    value[name].as_str().unwrap_or_default()
}
