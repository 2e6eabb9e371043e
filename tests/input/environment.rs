//! Environment variables: 64 and one line that names the variable and what it takes, never its value.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, process::Stdio};

use crate::support::Running;

const LONG: &[u8] = &[b'x'; 10_000];

/// Function, variable, value, and words on standard error.
const CASES: &[(&str, &str, &[u8], &str)] = &[
    ("dummy-service", "PORT", b"65536", "a port from 0 to 65535"),
    ("dummy-service", "PORT", b"-1", "a port from 0 to 65535"),
    ("dummy-service", "PORT", b"http", "a port from 0 to 65535"),
    ("dummy-service", "PORT", b"NaN", "a port from 0 to 65535"),
    ("dummy-service", "STREAMFORGE_METRICS_PORT", b"18446744073709551616", "a port from 0 to 65535"),
    ("dummy-service", "STREAMFORGE_HOST", b"localhost", "an IP address"),
    ("dummy-service", "STREAMFORGE_HOST", b"256.0.0.1", "an IP address"),
    ("dummy-service", "STREAMFORGE_INGRESS_URL", b"moon", "an http or https URL"),
    ("dummy-service", "STREAMFORGE_INGRESS_URL", b"file:///etc/passwd", "an http or https URL"),
    ("dummy-service", "STREAMFORGE_INGRESS_URL", b"http://a/?token=s3cret", "an http or https URL"),
    ("dummy-service", "STREAMFORGE_NAMESPACE", b"../other", "letters, digits and hyphens"),
    ("dummy-service", "STREAMFORGE_NAMESPACE", LONG, "at most 63"),
    ("dummy-service", "STREAMFORGE_BODY_LIMIT", b"0", "from 1 to 1073741824"),
    ("dummy-service", "STREAMFORGE_BODY_LIMIT", b"-1", "from 1 to 1073741824"),
    ("dummy-service", "STREAMFORGE_BODY_LIMIT", b"1MiB", "from 1 to 1073741824"),
    ("dummy-service", "STREAMFORGE_BODY_LIMIT", b"18446744073709551616", "from 1 to 1073741824"),
    ("dummy-service", "STREAMFORGE_MAX_IN_FLIGHT", b"0", "from 1 to 1073741824"),
    ("dummy-service", "STREAMFORGE_MAX_IN_FLIGHT", b"1e9", "from 1 to 1073741824"),
    ("dummy-service", "STREAMFORGE_DEADLINE", b"0s", "above zero"),
    ("dummy-service", "STREAMFORGE_DEADLINE", b"-5s", "a duration"),
    ("dummy-service", "STREAMFORGE_DEADLINE", b"25h", "a duration"),
    ("dummy-service", "STREAMFORGE_DEADLINE", b"1e3", "a duration"),
    ("dummy-service", "STREAMFORGE_DEADLINE", b"99999999999999999999s", "a duration"),
    ("dummy-service", "STREAMFORGE_DRAIN_GRACE", b"soon", "a duration"),
    ("dummy-service", "STREAMFORGE_DRAIN_TIMEOUT", b"NaN", "a duration"),
    ("dummy-service", "STREAMFORGE_CONNECTION_AGE", b"s", "a duration"),
    ("dummy-service", "STREAMFORGE_CONNECTION_REQUESTS", b"0", "from 1 to"),
    ("dummy-service", "STREAMFORGE_PUBLISH_ATTEMPTS", b"0", "from 1 to"),
    ("dummy-service", "STREAMFORGE_PUBLISH_TIMEOUT", b"0", "above zero"),
    ("dummy-service", "STREAMFORGE_LOG", b"a=b=c", "a log filter"),
    ("dummy-service", "STREAMFORGE_PARENT", b"stdout", "`stdin`"),
    ("dummy-service", "STREAMFORGE_HOST", b"\xff\xfe", "UTF-8 text"),
    ("dummy-service", "STREAMFORGE_COLOUR", b"1", "is not known"),
    ("dummy-service", "STREAMFORGE_DUMMY_BEHAVIOUR", b"{", "a behaviour as JSON"),
    ("dummy-service", "STREAMFORGE_DUMMY_BEHAVIOUR", br#"{"colour":1}"#, "unknown field `colour`"),
    ("dummy-service", "STREAMFORGE_DUMMY_BEHAVIOUR", br#"{"fail_after":-1}"#, "u32"),
    ("dummy-service", "STREAMFORGE_DUMMY_BEHAVIOUR", br#"{"noop":true,"noop":false}"#, "duplicate field `noop`"),
    ("loader-api-candles", "BINANCE_API_URL", b"ftp://x", "an http or https URL"),
    ("arango-connector", "STREAMFORGE_STORE_URL", b"", "is not set"),
    ("arango-connector", "STREAMFORGE_STORE_URL", b"moon", "STREAMFORGE_STORE_URL"),
    ("arango-connector", "STREAMFORGE_STORE_URL", b"postgres://x", "STREAMFORGE_STORE_URL"),
    ("graph-builder", "STREAMFORGE_STORE_URL", b"moon", "STREAMFORGE_STORE_URL"),
    ("graph-builder", "STREAMFORGE_GRAPH_PATIENCE", b"soon", "a duration"),
    ("bookkeeper", "STREAMFORGE_LEDGER_URL", b"", "is not set"),
    ("bookkeeper", "STREAMFORGE_LEDGER_URL", b"moon", "STREAMFORGE_LEDGER_URL"),
    ("bookkeeper", "STREAMFORGE_LEDGER_URL", b"postgres://ada:s3cret@h/db", "POSTGRES_PASSWORD_FILE"),
    ("predictor", "STREAMFORGE_STORE_URL", b"moon", "STREAMFORGE_STORE_URL"),
    ("predictor", "STREAMFORGE_PREDICTION_PATIENCE", b"soon", "a duration"),
    ("queue-manager", "STREAMFORGE_STORE_URL", b"moon", "STREAMFORGE_STORE_URL"),
    ("queue-manager", "STREAMFORGE_STORE_URL", b"sqlite://", "STREAMFORGE_STORE_URL"),
];

#[test]
fn every_variable_says_what_it_takes() {
    let mut problems = Vec::new();
    for (function, variable, value, words) in CASES {
        let ports = ["PORT", "STREAMFORGE_METRICS_PORT"].map(|name| (name, OsStr::new("0")));
        let variables = [&ports[..], &[(*variable, OsStr::from_bytes(value))]].concat();
        let ended = Running::start_in(&["function", function], &variables, Stdio::null()).wait();
        let lines = ended.stderr.lines().count();
        let is_sound = ended.code == Some(64) && lines == 1;
        if !is_sound
            || !ended.stderr.contains(words)
            || !ended.stderr.contains(variable)
            || ended.stderr.contains("s3cret")
        {
            problems.push(format!("{function} with {variable}: `{words}`: {ended:?}"));
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}
