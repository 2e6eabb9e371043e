//! All HTTP doors: one process has to stand every case, many times over, and be as it was.

use std::{ffi::OsStr, process::Stdio, thread};

use serde_json::Value;

use crate::{
    api, framing, function_port,
    ingress::{self, Fate},
    platform::{Holdings, Platform, assert_no_growth, text},
    raw::{self, Until, unsized_post},
    support::{Log, Running, until},
};

/// How often everything that is refused is sent again to see whether something of it is kept.
const ROUNDS: usize = 30;

/// Sends every wrong framing.
fn assert_framings(address: &str, path: &str) {
    let problems = framing::framings(path).into_iter().filter_map(|case| {
        let reply = raw::send(address, &case.bytes, case.until);
        let is_sound = case.statuses.contains(&reply.status);
        (!is_sound).then(|| format!("{} to {path}: {reply:?}", case.name))
    });
    assert_none(problems);
}

/// Fails with all problems, one a line.
fn assert_none(problems: impl Iterator<Item = String>) {
    let problems: Vec<String> = problems.collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// Announces a body and never sends it.
fn assert_given_up(address: &str, path: &str, headers: &str) {
    let bytes = unsized_post(path, &format!("{headers}content-type: application/json\r\ncontent-length: 9\r\n"));
    let reply = raw::send(address, &bytes, Until::Answer);
    assert_eq!(reply.status, 408, "a body that never comes to {path}: {reply:?}");
}

fn assert_refused_by_ingress(address: &str, cases: &[ingress::Case]) {
    let problems = cases.iter().filter_map(|case| {
        let Fate::Refused(status) = case.fate else { return None };
        let reply = raw::send(address, &case.bytes, Until::Answer);
        (reply.status != status).then(|| format!("{}: {reply:?}", case.name))
    });
    assert_none(problems);
}

fn assert_refused_by_api(address: &str, cases: &[api::Case]) {
    let problems = cases.iter().filter_map(|case| {
        let reply = raw::send(address, &case.bytes, Until::Answer);
        let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        let is_refused =
            (reply.status, text(&body, "status"), text(&body, "code")) == (case.status, "error", case.code);
        let is_sound = is_refused && text(&body, "message").contains(case.words);
        (!is_sound).then(|| format!("{}: {reply:?}", case.name))
    });
    assert_none(problems);
}

fn assert_refused_by_function(address: &str, cases: &[function_port::Case]) {
    let problems = cases.iter().filter_map(|(name, bytes, status, words)| {
        let reply = raw::send(address, bytes, Until::Answer);
        let is_sound = reply.status == *status && reply.body.contains(words);
        (!is_sound).then(|| format!("{name}: {reply:?}"))
    });
    assert_none(problems);
}

#[test]
fn a_platform_stands_everything_over_http() {
    assert_stands_everything(Log::Folder);
}

#[test]
fn a_platform_on_kafka_stands_everything_over_http() {
    assert_stands_everything(Log::Kafka);
}

fn assert_stands_everything(log: Log) {
    let platform = Platform::start(log);
    let (ingress_cases, api_cases) = (ingress::cases(), api::cases());
    let empty = platform.records();

    thread::scope(|scope| {
        scope.spawn(|| assert_given_up(&platform.ingress, ingress::WORKFLOWS, ""));
        scope.spawn(|| assert_given_up(&platform.api, api::START, ""));
        let round = || {
            assert_framings(&platform.ingress, ingress::WORKFLOWS);
            assert_refused_by_ingress(&platform.ingress, &ingress_cases);
            assert_framings(&platform.api, api::START);
            assert_refused_by_api(&platform.api, &api_cases);
        };
        round();
        let before = Holdings::of(platform.process.pid());
        for _ in 1..ROUNDS {
            round();
        }
        assert_no_growth(platform.process.pid(), before, "the platform");
    });
    assert_eq!(platform.records(), empty, "what is refused reaches no topic");

    let mut expected = empty.clone();
    for case in &ingress_cases {
        if matches!(case.fate, Fate::DeadLetter(..)) {
            let reply = raw::send(&platform.ingress, &case.bytes, Until::Answer);
            assert_eq!(reply.status, 202, "{}: {reply:?}", case.name);
        }
    }
    platform.settle();
    let letters = platform.folder.dead_letters();
    assert_none(ingress_cases.iter().filter_map(|case| {
        let Fate::DeadLetter(status, words) = case.fate else { return None };
        let source = format!("/input/{}", case.name);
        let found: Vec<&Value> = letters.iter().filter(|letter| letter["source"] == *source).collect();
        let is_sound = matches!(found[..], [letter]
            if text(letter, "code") == format!("{status}") && text(letter, "answer").contains(words));
        (!is_sound).then(|| format!("{}: {found:?}", case.name))
    }));
    let broker = |bytes: &[u8]| String::from_utf8_lossy(bytes).split(['/', ' ']).nth(3).unwrap().to_owned();
    for case in ingress_cases.iter().filter(|case| matches!(case.fate, Fate::DeadLetter(..))) {
        for topic in [broker(&case.bytes).as_str(), "dead-letters"] {
            *expected.get_mut(topic).unwrap() += 1;
        }
    }
    assert_eq!(platform.records(), expected, "poison causes nothing but its dead letter");
    assert!(platform.folder.workflows().is_empty());
    let stored = platform.folder.command(&["export", "candles", "--symbol", "BTCUSDT", "--interval", "1m"]);
    assert!(stored.stderr.contains("stored: nothing"), "{stored:?}");

    let request = platform.folder.request(&["BTCUSDT", "ETHUSDT"], "15m", "2026-03-01:2026-03-03");
    let body = std::fs::read_to_string(&request).unwrap();
    let start = raw::post(api::START, "content-type: application/json\r\n", body);
    let reply = raw::send(&platform.api, &start, Until::Answer);
    assert_eq!(reply.status, 202, "{reply:?}");
    let ended = until("the end of a good workflow", || {
        let workflow = platform.folder.workflows().remove(0);
        ["finished", "error", "stopped"].contains(&text(&workflow, "status")).then_some(workflow)
    });
    assert_eq!(ended["status"], "finished", "{ended}");
    platform.stop();
}

#[test]
fn a_function_stands_everything_on_its_own_port() {
    let variables = ["PORT", "STREAMFORGE_METRICS_PORT"].map(|name| (name, OsStr::new("0")));
    let parent = [("STREAMFORGE_PARENT", OsStr::new("stdin"))];
    let variables = [&variables[..], &parent].concat();
    let mut function = Running::start_in(&["function", "dummy-service"], &variables, Stdio::piped());
    let announced = function.first_json();
    let address = announced["listening"].as_str().unwrap();

    let sound = "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: io.streamforge.control.ping.v1\r\n";
    let cases = function_port::cases();
    thread::scope(|scope| {
        scope.spawn(|| assert_given_up(address, "/", sound));
        let round = || {
            assert_framings(address, "/");
            assert_refused_by_function(address, &cases);
        };
        round();
        let before = Holdings::of(function.pid());
        for _ in 1..ROUNDS {
            round();
        }
        assert_no_growth(function.pid(), before, "the function");
    });
    let reply = raw::send(address, &raw::get("/health/ready"), Until::Close);
    assert_eq!(reply.status, 200, "{reply:?}");
    let ended = function.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stderr.contains("panic"), "{ended:?}");
}
