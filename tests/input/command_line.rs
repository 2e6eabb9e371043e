//! The command line: an exit code that says of what kind, words that say what to write, and nothing left behind.

use std::{
    ffi::OsStr,
    fs,
    process::{Command, Stdio},
};

use crate::support::{Ended, Folder, Running, binary};

/// Arguments, the exit code, and words on standard error.
type Case<'text> = (&'text [&'text str], i32, &'text str);

const CASES: &[Case<'_>] = &[
    (&[], 2, "Usage"),
    (&["dance"], 2, "unrecognized subcommand"),
    (&["../../bin/sh"], 2, "unrecognized subcommand"),
    (&["status", "--colour"], 2, "unexpected argument"),
    (&["status", "more"], 2, "unexpected argument"),
    (&["status", "--json", "--json"], 2, "cannot be used multiple times"),
    (&["up", "--ingress", "8080"], 2, "invalid socket address"),
    (&["up", "--ingress", "127.0.0.1:65536"], 2, "invalid socket address"),
    (&["up", "--ingress", "127.0.0.1:-1"], 2, "invalid socket address"),
    (&["up", "--ingress", "localhost:0"], 2, "invalid socket address"),
    (&["up", "--ingress", "0.0.0.0:0"], 64, "loopback"),
    (&["up", "--ingress", "[::]:0"], 64, "loopback"),
    (&["up", "--api", "192.0.2.1:0", "--ingress", "127.0.0.1:0"], 64, "loopback"),
    (&["up", "--max-workers", "0"], 2, "1.."),
    (&["up", "--max-workers", "-1"], 2, "unexpected argument"),
    (&["up", "--max-workers", "4294967296"], 2, "4294967296 is not in 1.."),
    (&["up", "--max-workers", "18446744073709551616"], 2, "too large"),
    (&["up", "--max-workers", "NaN"], 2, "invalid digit"),
    (&["up", "--exchange", "moon"], 64, "synthetic:SEED"),
    (&["up", "--exchange", ""], 64, "synthetic:SEED"),
    (&["up", "--exchange", "synthetic:-1"], 64, "synthetic:-1"),
    (&["up", "--exchange", "synthetic:18446744073709551616"], 64, "synthetic:18446744073709551616"),
    (&["up", "--exchange", "replay:/no/such/folder"], 64, "/no/such/folder"),
    (&["up", "--exchange", "http://["], 64, "http://["),
    (&["up", "--exchange", "file:///etc/passwd"], 64, "synthetic:SEED"),
    (&["up", "--manifests", "/no/such/folder"], 64, "/no/such/folder"),
    (&["run", "/no/such/file.json"], 64, "/no/such/file.json"),
    (&["run", "/"], 64, "failed to read `/`"),
    (&["publish"], 2, "--broker"),
    (&["publish", "--broker", "b"], 2, "--type"),
    (&["publish", "--broker", "b", "--type", "t", "--event", "e"], 2, "cannot be used with"),
    (&["publish", "--broker", "b", "--type", "t", "--extension", "x"], 2, "NAME=VALUE"),
    (&["publish", "--broker", "b", "--type", "t", "--extension", "A=1"], 2, "lower-case letters and digits"),
    (&["publish", "--broker", "b", "--type", "t", "--extension", "id=2"], 2, "attribute of every event"),
    (&["publish", "--broker", "b", "--type", "t", "--data", "{"], 64, "data is not JSON"),
    (&["publish", "--broker", "b", "--type", "t", "--data", r#"{"a":1,"a":2}"#], 64, "duplicate field `a`"),
    (&["publish", "--broker", "b", "--type", "t", "--data", "NaN"], 64, "data is not JSON"),
    (&["publish", "--broker", "b", "--type", "t", "--data", "@/no/such/file"], 64, "/no/such/file"),
    (&["publish", "--broker", "b", "--type", "t", "--source", "a b"], 64, "source"),
    (&["publish", "--broker", "b", "--type", ""], 2, "a value is required"),
    (&["publish", "--broker", "b", "--type", "t"], 69, "streamforge up"),
    (&["publish", "--broker", "b", "--type", "t", "--ingress-url", "moon"], 2, "http://"),
    (&["publish", "--broker", "b", "--type", "t", "--ingress-url", "http://127.0.0.1:1"], 69, "127.0.0.1:1"),
    (&["queues", "list", "--limit", "-1"], 2, "unexpected argument"),
    (&["queues", "list", "--limit", "0"], 2, "1.."),
    (&["queues", "list", "--limit", "4294967296"], 2, "not in 1.."),
    (&["queues", "list", "--status", "lost"], 2, "pending, loading, finished"),
    (&["queues", "show", "../../etc/passwd"], 2, "is not valid"),
    (&["queues", "show", ""], 2, "is not valid"),
    (&["queues", "show", "wf-none"], 69, "--data-dir"),
    (&["queues", "stop", "wf-none"], 69, "streamforge up"),
    (&["control", "--queue-id", "a/b", "--command", "ping"], 2, "is not valid"),
    (&["control", "--queue-id", "a", "--command", "dance"], 2, "ping, stop"),
    (&["control", "--queue-id", "a", "--command", "ping", "--timeout", "-1"], 2, "unexpected argument"),
    (&["function", "moon"], 2, "queue-manager"),
    (&["function", "../queue-manager"], 2, "queue-manager"),
    (&["dummy", "--fail-after", "4294967296"], 2, "4294967296"),
    (&["dummy", "--port", "65536"], 2, "65536"),
    (&["exchange", "serve", "--source", "http://x"], 64, "synthetic:SEED"),
    (&["exchange", "serve", "--listen", "x"], 2, "invalid socket address"),
    (&["exchange", "serve", "--faults", "dance=1"], 64, "dance"),
    (&["exchange", "serve", "--faults", "reset=NaN"], 64, "reset"),
    (&["exchange", "serve", "--faults", "reset=-1"], 64, "reset"),
    (&["exchange", "serve", "--faults", "reset=1e999"], 64, "reset"),
    (&["export", "candles", "--symbol", "../x", "--interval", "1m"], 2, "symbol `../x` is not valid"),
    (&["export", "candles", "--symbol", "A", "--interval", "7m"], 2, "use one of"),
    (&["export", "candles", "--symbol", "A", "--interval", "1m", "--from", "yesterday"], 2, "write a day"),
    (&["export", "candles", "--symbol", "A", "--interval", "1m", "--from", "18446744073709551616"], 2, "write a day"),
    (&["export", "candles", "--symbol", "A", "--interval", "1m", "--format", "xml"], 2, "csv, ndjson"),
    (&["export", "candles", "--symbol", "A", "--interval", "1m"], 69, "--data-dir"),
    (&["export", "graph", "--id", "../x"], 69, "--data-dir"),
    (&["export", "graph", "--output"], 2, "--output"),
    (&["export", "predictions", "--model", "../x"], 2, "model name `../x` is not valid"),
    (&["export", "predictions", "--version", ""], 2, "model version `` is not valid"),
    (&["export", "predictions", "--split", "all"], 2, "`test` or `live`"),
    (&["export", "predictions", "--format", "xml"], 2, "csv, ndjson"),
    (&["export", "predictions"], 69, "--data-dir"),
    (&["models"], 2, "Usage"),
    (&["models", "dance"], 2, "unrecognized subcommand"),
    (&["models", "list"], 69, "--data-dir"),
    (&["models", "list", "more"], 2, "unexpected argument"),
    (&["models", "show", "/etc/passwd"], 2, "model name `/etc/passwd` is not valid"),
    (&["models", "show", "gnn", "--version", "latest"], 2, "not `latest`"),
    (&["models", "show", "gnn"], 69, "--data-dir"),
    (&["models", "promote", "gnn"], 2, "VERSION"),
    (&["models", "promote", "gnn", "../1"], 2, "model version `../1` is not valid"),
    (&["models", "promote", ".gnn", "1"], 2, "not beginning with a point"),
    (&["models", "export", "gnn"], 2, "--to"),
    (&["models", "export", "a/b", "--to", "x"], 2, "model name `a/b` is not valid"),
    (&["models", "export", "gnn", "--version", "a b", "--to", "x"], 2, "model version `a b` is not valid"),
    (&["models", "export", "gnn", "--to", "x"], 69, "--data-dir"),
    (&["dead-letters", "show", "17"], 2, "PARTITION-OFFSET"),
    (&["dead-letters", "show", "0--1"], 2, "PARTITION-OFFSET"),
    (&["dead-letters", "show", "0-18446744073709551616"], 2, "PARTITION-OFFSET"),
    (&["dead-letters", "replay"], 2, "LETTERS"),
    (&["dead-letters", "replay", "--all", "0-1"], 2, "cannot be used with"),
    (&["dead-letters", "list"], 69, "--data-dir"),
    (&["completions", "cobol"], 2, "bash"),
];

#[test]
fn every_command_says_what_to_write_instead() {
    let folder = Folder::new();
    let mut problems = Vec::new();
    for (arguments, code, words) in CASES {
        let ended = folder.command(arguments);
        if ended.code != Some(*code) || !ended.stderr.contains(words) || ended.stderr.contains("panicked") {
            problems.push(format!("{arguments:?}: {code}, `{words}`: {ended:?}"));
        }
        assert!(!folder.path("data").exists(), "{arguments:?} left a data folder behind");
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// Texts of a request in a file, and words of what is said about them.
#[test]
fn every_request_file_says_what_to_write_instead() {
    let folder = Folder::new();
    let sound = r#"{"symbol":"BTCUSDT","time_range":"2026-03-01:2026-03-01","requests":[{"target":"loader-producer","type":"api_candles_15m"}]}"#;
    let twice = sound.replacen('{', r#"{"symbol":"ETHUSDT","#, 1);
    let cases: [(&[u8], &str); 10] = [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"[]", "JSON object"),
        (b"NaN", "not JSON"),
        (&b"[".repeat(200_000), "recursion limit"),
        (twice.as_bytes(), "duplicate field `symbol`"),
        (br#"{"symbol":1e999}"#, "out of range"),
        (br#"{"requests":[{"target":"../x","type":"dummy"}]}"#, "requests[0].target"),
    ];
    for (text, words) in cases {
        let file = folder.write("request.json", text);
        let ended = folder.command(&["run", &file, "--exchange", "synthetic:42"]);
        let shown = String::from_utf8_lossy(&text[..text.len().min(40)]);
        assert!(ended.code == Some(64) && ended.stderr.contains(words), "{shown}: {ended:?}");
        assert!(!folder.path("data").exists(), "{shown} left a data folder behind");
    }
    let file = folder.write("huge.json", "");
    fs::File::options().write(true).open(&file).unwrap().set_len(1 << 40).unwrap();
    let ended = folder.command(&["run", &file, "--exchange", "synthetic:42"]);
    assert!(ended.code == Some(64) && ended.stderr.contains("larger than"), "a file of 1 TiB: {ended:?}");
}

#[test]
fn a_data_folder_that_cannot_be_used_is_named() {
    let request = r#"{"symbol":"BTCUSDT","time_range":"2026-03-01:2026-03-01","requests":[{"target":"loader-producer","type":"api_candles_15m"}]}"#;
    let run = |folder: &Folder| {
        let request = folder.write("request.json", request);
        folder.command(&["run", &request, "--exchange", "synthetic:42"])
    };
    let told = |ended: &Ended, code: i32, words: &str| {
        assert!(ended.code == Some(code) && ended.stderr.contains(words), "{code}, `{words}`: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    };
    let file = Folder::new();
    file.write("data", "");
    told(&run(&file), 69, &file.data());
    for name in ["store.db", "bus.db"] {
        let folder = Folder::new();
        let path = folder.write(&format!("data/{name}"), "not a database, ".repeat(1000));
        let before = fs::read(&path).unwrap();
        let ended = run(&folder);
        told(&ended, 1, "corrupt");
        told(&ended, 1, &path);
        assert_eq!(fs::read(&path).unwrap(), before, "what cannot be read is left as it is");
    }
}

/// A disk is full for logs, too.
#[test]
fn a_message_that_nobody_can_read_is_no_reason_to_panic() {
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let folder = Folder::new();
    let data = folder.data();
    let request = folder.request(&["BTCUSDT", "ETHUSDT"], "1h", "2026-03-01:2026-03-01");
    for (arguments, code) in [
        (&["status"][..], 69),
        // The platform logs each of its dispatchers.
        (&["run", &request, "--exchange", "synthetic:42"][..], 0),
    ] {
        let mut command = Command::new(binary::path());
        command.args(arguments).args(["--data-dir", &data]).env("RUST_LOG", "info").stderr(full());
        assert_eq!(command.stdout(Stdio::null()).status().unwrap().code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn an_argument_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let invalid = OsStr::from_bytes(b"\xff");
    let variables = [("STREAMFORGE_DATA_DIR", invalid)];
    let ended = Running::start_in(&["queues", "show", "wf-none"], &variables, Stdio::null()).wait();
    assert!(ended.code == Some(64) && ended.stderr.contains("its path must be UTF-8"), "{ended:?}");
}
