//! A function's own port, the second door for events: everything wrong is answered at once, with a reason.

use crate::raw::{chunked, post, unsized_post};

/// One request: its name, its bytes, the status and words of the answer.
pub(crate) type Case = (&'static str, Vec<u8>, u16, &'static str);

const JSON: &str = "content-type: application/json\r\n";
const STRUCTURED: &str = "content-type: application/cloudevents+json\r\n";
const SOUND: &str = "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: io.streamforge.control.ping.v1\r\n";

/// Everything that a function has to stand.
pub(crate) fn cases() -> Vec<Case> {
    let with = |headers: &str| post("/", &[headers, JSON].concat(), "{}");
    let body = |body: &[u8]| post("/", &[SOUND, JSON].concat(), body);
    let document = |members: &str| {
        let sound = r#""specversion":"1.0","id":"1","source":"/s","type":"t""#;
        post("/", STRUCTURED, format!("{{{sound}{members}}}"))
    };
    let announced = |length: &str| unsized_post("/", &format!("{SOUND}{JSON}content-length: {length}\r\n"));
    let deep = |open: &str| format!(r#"{{"a":{}"#, open.repeat(100_000));
    vec![
        ("no event", with(""), 400, "`ce-specversion` is missing"),
        ("an empty id", with(&SOUND.replace("ce-id: 1", "ce-id:")), 400, "`id` is empty"),
        ("no source", with(&SOUND.replace("ce-source: /s\r\n", "")), 400, "`source` is missing"),
        ("version 2", with(&SOUND.replace("1.0", "2.0")), 400, "specversion 1.0"),
        ("two ids", with(&format!("{SOUND}ce-id: 1\r\n")), 400, "`ce-id` is given more than once"),
        ("an unknown type", with(&SOUND.replace("ping", "dance")), 422, "does not accept events of type"),
        ("a type of 5,000 bytes", with(&SOUND.replace("ping", &"x".repeat(5000))), 400, "longer than 4096 bytes"),
        ("a time of 2^64", with(&format!("{SOUND}ce-time: 18446744073709551616\r\n")), 400, "RFC 3339"),
        ("an underscore", with(&format!("{SOUND}ce-my_ext: 1\r\n")), 400, "lower-case letters and digits"),
        ("a line break in a value", with(&format!("{SOUND}ce-subject: a%0d%0ab\r\n")), 400, "control characters"),
        ("bytes that are no UTF-8", with(&format!("{SOUND}ce-subject: %ff\r\n")), 400, "does not decode to UTF-8"),
        ("another media type", post("/", &format!("{SOUND}content-type: text/xml\r\n"), "<a/>"), 415, "must be JSON"),
        (
            "a compressed body",
            post("/", &format!("content-encoding: gzip\r\n{SOUND}{JSON}"), super::ingress::bomb()),
            415,
            "must not be compressed",
        ),
        ("a batch", post("/", &STRUCTURED.replace("events+", "events-batch+"), "[]"), 415, "one event per request"),
        ("no JSON", body(b"{"), 400, "not JSON"),
        ("NaN", body(b"NaN"), 400, "not JSON"),
        ("invalid UTF-8", body(b"\"\xff\""), 400, "utf-8"),
        ("100,000 brackets", body(deep("[").as_bytes()), 400, "not JSON"),
        ("100,000 objects", body(deep(r#"{"a":"#).as_bytes()), 400, "not JSON"),
        ("a deep document", document(&format!(r#","data":{}"#, "[".repeat(100_000))), 400, "recursion limit"),
        ("a repeated member", document(r#","id":"2""#), 400, "duplicate field `id`"),
        ("repeated data", document(r#","data":{"a":1,"a":2}"#), 400, "duplicate field `a`"),
        ("a list as document", post("/", STRUCTURED, "[]"), 400, "must be a JSON object"),
        ("10 GiB announced", announced("10737418240"), 413, "larger than 1048576 bytes"),
        ("a question before 10 GiB", announced("10737418240\r\nexpect: 100-continue"), 413, "larger than"),
        ("8 MiB in chunks", chunked("/", &[SOUND, JSON].concat(), 8 << 20), 413, "larger than 1048576 bytes"),
        ("another path", post("/../etc/passwd", &[SOUND, JSON].concat(), "{}"), 404, ""),
    ]
}
