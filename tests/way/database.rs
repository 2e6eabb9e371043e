//! A store in a database of several servers: what comes out of it is byte for byte what the files give.

use std::{ffi::OsStr, process::Stdio};

use streamforge_store::arangodb_double::{Double, Mode};

use crate::support::{Folder, Running};

const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
const DAYS: &str = "2026-03-01:2026-03-10";

#[test]
fn a_database_gives_what_the_files_give() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let double = runtime.block_on(async {
        let mut double = Double::start().await;
        double.open_another().await;
        double
    });
    double.require_user("streamforge", "geheim");
    // The first server is gone all the time, and of the requests to the other one in fifty goes wrong.
    double.set_mode(0, Mode::Down);
    double.set_chaos(7, 20);
    let url = double.url(Some("streamforge"), "streamforge");

    let (files, database) = (Folder::new(), Folder::new());
    let (password, data) = (database.write("password", "geheim\n"), database.data());
    let in_database = |arguments: &[&str]| {
        let arguments = [arguments, &["--json", "--data-dir", &data, "--store", &url]].concat();
        let variables = [("ARANGO_PASSWORD_FILE", OsStr::new(&password))];
        Running::start_in(&arguments, &variables, Stdio::null()).wait().succeeded()
    };
    let request = files.request(&SYMBOLS, "15m", DAYS);
    files.run(&request, "synthetic:42");
    let report = in_database(&["run", &request, "--exchange", "synthetic:42"]);
    assert!(report.contains(r#""status":"finished""#), "{report}");
    assert!(!database.path("data/store.db").exists());

    for symbol in SYMBOLS {
        for format in ["ndjson", "csv"] {
            let export = ["export", "candles", "--symbol", symbol, "--interval", "15m", "--format", format];
            let expected = files.command(&export).succeeded();
            assert_eq!(expected.lines().count(), 960);
            assert_eq!(in_database(&export), expected, "{symbol} {format}");
        }
    }
    assert!(double.sprung() > 0);
    let graph: serde_json::Value = serde_json::from_str(&in_database(&["export", "graph"])).unwrap();
    let expected = files.graph();
    for part in ["nodes", "edges", "interval", "range"] {
        assert_eq!(graph[part], expected[part], "{part}");
    }
}
