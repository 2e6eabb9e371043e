//! Bad configuration: the exit code says of what kind, one line says what, and nothing is started.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Ended, Folder};

/// One line for a person, with the words that help.
fn assert_told(name: &str, ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{name}: {ended:?}");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert!(lines.len() == 1 && lines[0].starts_with("streamforge: "), "{name}: {ended:?}");
    for word in words {
        assert!(lines[0].contains(word), "{name}: `{word}` is missing in {ended:?}");
    }
}

fn request() -> Value {
    json!({
        "symbols": ["BTCUSDT"],
        "time_range": "2026-03-01:2026-03-03",
        "requests": [{"target": "loader-producer", "type": "api_candles_15m"}],
    })
}

#[test]
fn a_bad_workflow_file_is_refused_by_its_field() {
    let folder = Folder::new();
    let changed = |pointer: &str, name: &str, value: Value| {
        let mut request = request();
        request.pointer_mut(pointer).unwrap()[name] = value;
        request.to_string()
    };
    let cases = [
        ("unknown field", changed("", "colour", json!(1)), &["`colour`", "known are"][..]),
        ("bad interval", changed("/requests/0", "type", json!("api_candles_7m")), &["`requests[0].type`", "7m"]),
        ("unknown target", changed("/requests/0", "target", json!("moon")), &["`requests[0].target`", "moon"]),
        ("bad range", changed("", "time_range", json!("2026-03-03:2026-03-01")), &["`time_range`"]),
        ("no symbol", changed("", "symbols", json!([])), &["`symbol`"]),
        ("not JSON", "{".to_owned(), &["JSON"]),
    ];
    for (name, text, words) in cases {
        let file = folder.write("request.json", text);
        let ended = folder.command(&["run", &file, "--exchange", "synthetic:42"]);
        assert_told(name, &ended, 64, words);
    }
    let missing = folder.path("missing.json").display().to_string();
    let ended = folder.command(&["run", &missing, "--exchange", "synthetic:42"]);
    assert_told("missing file", &ended, 64, &[&missing]);
    assert!(!folder.path("data").exists(), "a refused request leaves nothing behind");
}

#[test]
fn a_bad_platform_is_refused_before_it_starts() {
    let folder = Folder::new();
    let request = folder.write("request.json", request().to_string());
    folder.write("yaml/triggers/bad.yaml", "kind: [");
    folder.write(
        "field/triggers/bad.yaml",
        "{apiVersion: eventing.knative.dev/v1, kind: Trigger, metadata: {name: t, namespace: apps}, spec: {brokr: b}}",
    );
    let [yaml, field, none] = ["yaml", "field", "none"].map(|name| folder.path(name).display().to_string());
    let up = ["up", "--exchange", "synthetic:42", "--api", "127.0.0.1:0"];
    let cases: [(&str, Vec<&str>, &[&str]); 8] = [
        ("unknown exchange", vec!["run", &request, "--exchange", "moon"], &["`moon`", "synthetic:SEED"]),
        ("bad seed", vec!["run", &request, "--exchange", "synthetic:x"], &["`synthetic:x`"]),
        ("no recordings", vec!["run", &request, "--exchange", "replay:/no/such/folder"], &["/no/such/folder"]),
        ("foreign ingress", [&up[..3], &["--ingress", "0.0.0.0:0"]].concat(), &["`0.0.0.0:0`", "loopback"]),
        ("foreign API", [&up[..3], &["--api", "192.0.2.1:0"]].concat(), &["`192.0.2.1:0`", "loopback"]),
        ("bad YAML", [&up[..], &["--manifests", &yaml]].concat(), &["triggers/bad.yaml", "line 1"]),
        ("bad field", [&up[..], &["--manifests", &field]].concat(), &["triggers/bad.yaml", "brokr"]),
        ("no manifests", [&up[..], &["--manifests", &none]].concat(), &[&none, "knative"]),
    ];
    for (name, arguments, words) in cases {
        assert_told(name, &folder.command(&arguments), 64, words);
        assert!(!folder.path("data").exists(), "{name}");
    }
}

#[test]
fn a_data_folder_that_cannot_be_used_is_named() {
    let request = request().to_string();
    let run = |folder: &Folder| {
        let request = folder.write("request.json", &request);
        folder.command(&["run", &request, "--exchange", "synthetic:42"])
    };
    let file = Folder::new();
    file.write("data", "");
    assert_told("a file", &run(&file), 69, &[&file.data()]);
    for name in ["store.db", "bus.db"] {
        let folder = Folder::new();
        let path = folder.write(&format!("data/{name}"), "not a database, ".repeat(1000));
        let before = fs::read(&path).unwrap();
        assert_told(name, &run(&folder), 1, &[&path, "corrupt"]);
        assert_eq!(fs::read(&path).unwrap(), before, "what cannot be read is left as it is");
    }
    let empty = Folder::new();
    assert_told("nothing there", &empty.command(&["status"]), 69, &[&empty.data(), "--data-dir"]);
}
