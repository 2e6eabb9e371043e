//! A thousand who watch at once beside clients that read nothing, and some that send what nobody should.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use rlimit::Resource;
use serde_json::json;

use crate::{
    api,
    platform::{Holdings, Platform},
    raw::{self, Until, post},
    support::{Log, until},
};

const WATCHERS: usize = 1000;
/// What many systems allow a process before it asks for more.
const USUAL_FILES: u64 = 1024;

/// Clients that never read, and what is published for them: more than the system buffers for a connection.
const DEAF: usize = 20;
const FLOOD: usize = 100;
const FLOOD_BYTES: usize = 256 << 10;

/// What a thousand connections and what waits for the deaf may take.
const MOST_MEMORY: u64 = 160 << 20;

const PATIENCE: Duration = Duration::from_secs(30);
const HEARD: &str = "heard-by-all";

/// One who watches, and all that was heard so far.
struct Watcher {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Watcher {
    /// Asks for a stream and waits for the head of the answer.
    fn begin(address: &str, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n").unwrap();
        let mut watcher = Self { stream, heard: Vec::new() };
        watcher.hear("\r\n\r\n");
        let head = String::from_utf8_lossy(&watcher.heard).into_owned();
        assert!(head.starts_with("HTTP/1.1 200") || head.starts_with("HTTP/1.1 101"), "{path}: {head}");
        watcher
    }

    fn events(address: &str, path: &str) -> Self {
        Self::begin(address, path, "")
    }

    fn socket(address: &str, topic: &str) -> Self {
        let headers = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        Self::begin(address, &format!("/ws/topic/{topic}"), headers)
    }

    /// Reads until these words were there.
    fn hear(&mut self, words: &str) {
        let mut buffer = [0; 16 << 10];
        while !self.heard.windows(words.len()).any(|part| part == words.as_bytes()) {
            let count = self.stream.read(&mut buffer).unwrap_or_else(|error| panic!("no `{words}`: {error}"));
            assert!(count > 0, "no `{words}` before the end: {}", String::from_utf8_lossy(&self.heard));
            self.heard.extend_from_slice(&buffer[..count]);
        }
    }

    /// Whether the server ends the connection, whatever it says before.
    fn ends_by_itself(mut self) -> bool {
        loop {
            match self.stream.read(&mut [0; 16 << 10]) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::ConnectionReset,
            }
        }
    }
}

/// In the second byte of a frame: that it is masked, and that its length follows in two or in eight bytes.
const MASKED: u8 = 0x80;
const TWO_BYTES: u8 = 0x7e;
const EIGHT_BYTES: u8 = 0x7f;

/// A frame as a client sends it, masked by zeros.
///
/// # Source
/// <https://www.rfc-editor.org/rfc/rfc6455#section-5.2>
fn frame(first: u8, length: usize) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(length) {
        Ok(length) if length < 126 => frame.push(MASKED | length.to_be_bytes()[1]),
        Ok(length) => frame.extend([&[MASKED | TWO_BYTES], length.to_be_bytes().as_slice()].concat()),
        Err(_) => frame.extend([&[MASKED | EIGHT_BYTES], (length as u64).to_be_bytes().as_slice()].concat()),
    }
    frame.extend([0; 4]);
    frame
}

/// What no client should send.
fn rude() -> [(&'static str, Vec<u8>); 6] {
    let with = |mut head: Vec<u8>, body: &[u8]| {
        head.extend(body);
        head
    };
    [
        ("a frame without a mask", vec![0x81, 2, b'h', b'i']),
        ("a frame of a terabyte", frame(0x82, 1 << 40)),
        ("more than the longest message", with(frame(0x82, 100 << 10), &vec![0; 100 << 10])),
        ("an unknown kind of frame", frame(0x83, 0)),
        ("a ping in parts", frame(0x09, 0)),
        ("text that is none", with(frame(0x81, 2), &[0xff, 0xfe])),
    ]
}

/// Starts a platform as a shell with the usual limit does.
fn start() -> Platform {
    let (_, most) = Resource::NOFILE.get().unwrap();
    Resource::NOFILE.set(USUAL_FILES.min(most), most).unwrap();
    let platform = Platform::start(Log::Folder);
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    platform
}

#[test]
fn a_thousand_watchers_hear_all_beside_those_who_read_nothing() {
    let platform = start();
    let (api, pid) = (&platform.api, platform.process.pid());
    let publish = |broker: &str, id: &str, size: usize| {
        let headers = format!(
            "content-type: text/plain\r\nce-specversion: 1.0\r\nce-id: {id}\r\nce-source: /input/watchers\r\n\
             ce-type: io.streamforge.nothing.v1\r\n"
        );
        let sent = post(&format!("/streamforge/{broker}"), &headers, "x".repeat(size));
        assert_eq!(raw::send(&platform.ingress, &sent, Until::Answer).status, 202);
    };
    let workflow = json!({
        "symbols": ["BTCUSDT"], "time_range": "2026-03-01:2026-03-02",
        "requests": [{"target": "dummy-service", "type": "dummy", "simulate_loading": {"steps": 10, "step_ms": 500}}],
    });
    let reply =
        raw::send(api, &post(api::START, "content-type: application/json\r\n", workflow.to_string()), Until::Answer);
    let started: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    let id = started["data"]["queue_id"].as_str().unwrap_or_else(|| panic!("{reply:?}"));
    let before = Holdings::of(pid);

    let mut deaf: Vec<Watcher> = Vec::new();
    for number in 0..DEAF {
        deaf.push(match number % 2 {
            0 => Watcher::events(api, "/views/topics/market-data/events"),
            _ => Watcher::socket(api, "market-data"),
        });
    }
    let progress = format!("/queues/{id}/events");
    let mut watchers: Vec<(Watcher, &str)> = Vec::new();
    for number in 0..WATCHERS {
        watchers.push(match number % 4 {
            0 => (Watcher::events(api, &progress), "\"status\":\"finished\""),
            1 => (Watcher::socket(api, "queue-control"), HEARD),
            _ => (Watcher::events(api, "/views/topics/queue-control/events"), HEARD),
        });
    }
    for number in 0..FLOOD {
        publish("market-data", &number.to_string(), FLOOD_BYTES);
    }
    for (name, bytes) in rude() {
        let mut client = Watcher::socket(api, "queue-control");
        // The server may have seen enough before it has read everything.
        client.stream.write_all(&bytes).ok();
        assert!(client.ends_by_itself(), "{name} is put up with");
    }
    let mut pinging = Watcher::socket(api, "queue-control");
    // More than one client's share of the server's time has to wait.
    pinging.stream.write_all(&frame(0x89, 0).repeat(1 << 20)).ok();
    publish("queue-control", HEARD, 10);
    for (watcher, words) in &mut watchers {
        watcher.hear(words);
    }
    pinging.hear(HEARD);

    let held = Holdings::of(pid);
    assert!(held.memory < before.memory + MOST_MEMORY, "{before:?}, {held:?}");
    drop((watchers, deaf, pinging));
    // Workers that are about to sleep have files of the platform open, too.
    until("the connections to be closed", || (Holdings::of(pid).files < before.files + WATCHERS / 10).then_some(()));
    assert_eq!(raw::send(api, &raw::get("/queues"), Until::Answer).status, 200);
    platform.stop();
}
