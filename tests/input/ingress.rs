//! What is posted to the ingress: refused there, or taken as Knative would and then written down as a dead letter.

use crate::raw::{chunked, get, post, unsized_post};

/// What becomes of a request.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// The ingress answers with this status.
    Refused(u16),
    /// The ingress takes it, its function refuses it for good: status and words of the reason.
    DeadLetter(u16, &'static str),
}

/// One request.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) fate: Fate,
}

pub(crate) const WORKFLOWS: &str = "/streamforge/workflows";
const JSON: &str = "content-type: application/json\r\n";
const STRUCTURED: &str = "content-type: application/cloudevents+json\r\n";
const SOUND: &str =
    "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: io.streamforge.workflow.requested.v1\r\n";

/// Everything that the ingress has to stand.
pub(crate) fn cases() -> Vec<Case> {
    [targets(), headers(), documents(), sizes(), poison()].into_iter().flatten().collect()
}

fn refused(name: &str, bytes: Vec<u8>, status: u16) -> Case {
    Case { name: name.to_owned(), bytes, fate: Fate::Refused(status) }
}

fn targets() -> Vec<Case> {
    let to = |path: &str| post(path, &[SOUND, JSON].concat(), "{}");
    let mut cases: Vec<Case> = [
        "/streamforge/nobody",
        "/streamforge/../streamforge/workflows",
        "/streamforge/%2e%2e/workflows",
        "/streamforge%2fworkflows",
        "/streamforge//workflows",
        "//streamforge/workflows",
        "/streamforge/workflows%00",
        "/streamforge/workflows%0d%0aset-cookie:%20a",
        "/streamforge/WORKFLOWS",
        "/streamforge/dead-letters",
        "/",
        "*",
    ]
    .into_iter()
    .map(|path| refused(&format!("the path {path}"), to(path), 404))
    .collect();
    let absolute = "http://evil.example/streamforge/nobody";
    cases.push(refused("a whole URL as target", to(absolute), 404));
    cases.push(refused("a read", get(WORKFLOWS), 405));
    cases
}

fn headers() -> Vec<Case> {
    let with = |headers: &str| post(WORKFLOWS, &[headers, JSON].concat(), "{}");
    let broken = |bytes: &[u8]| {
        let [head, tail] = ["POST /streamforge/workflows HTTP/1.1\r\nhost: a\r\nconnection: close\r\n", "\r\n\r\n{}"];
        [head.as_bytes(), SOUND.as_bytes(), b"content-length: 2\r\nce-subject: ", bytes, tail.as_bytes()].concat()
    };
    vec![
        refused("no event", with(""), 400),
        refused("no id", with(&SOUND.replace("ce-id: 1\r\n", "")), 400),
        refused("no source", with(&SOUND.replace("ce-source: /s\r\n", "")), 400),
        refused("a source with a space", with(&SOUND.replace("/s", "/s s")), 400),
        refused("no type", with(&SOUND.replace("ce-type", "x-type")), 400),
        refused("version 9", with(&SOUND.replace("1.0", "9")), 400),
        refused("a time that is none", with(&format!("{SOUND}ce-time: yesterday\r\n")), 400),
        refused("two ids", with(&format!("{SOUND}ce-id: 2\r\n")), 400),
        refused("two equal ids", with(&format!("{SOUND}CE-ID: 1\r\n")), 400),
        refused("two content types", with(&format!("{SOUND}content-type: text/plain\r\n")), 400),
        refused("an attribute without a name", with(&format!("{SOUND}ce-: 1\r\n")), 400),
        refused("an attribute `data`", with(&format!("{SOUND}ce-data: 1\r\n")), 400),
        refused("an attribute with an underscore", with(&format!("{SOUND}ce-my_ext: 1\r\n")), 400),
        refused("invalid UTF-8 in a header", broken(b"\xff\xfe"), 400),
        refused("half a character in a header", broken(b"\xe4\xbd"), 400),
    ]
}

fn documents() -> Vec<Case> {
    let sound = r#""specversion":"1.0","id":"1","source":"/s","type":"t""#;
    let with = |members: &str| post(WORKFLOWS, STRUCTURED, format!("{{{sound}{members}}}"));
    let mut cases = vec![
        refused("a batch", post(WORKFLOWS, &STRUCTURED.replace("events+", "events-batch+"), "[]"), 400),
        refused("a document that is no UTF-8", post(WORKFLOWS, STRUCTURED, b"{\"id\":\"\xff\"}"), 400),
        refused("100,000 open brackets", post(WORKFLOWS, STRUCTURED, "[".repeat(100_000)), 400),
        refused("100,000 open braces", post(WORKFLOWS, STRUCTURED, r#"{"a":"#.repeat(100_000)), 400),
        refused("100,000 brackets that do not close", with(&format!(r#","data":{}"#, "[".repeat(100_000))), 400),
        refused("a document that stops", post(WORKFLOWS, STRUCTURED, r#"{"specversion""#), 400),
    ];
    let members = [
        ("two ids", r#","id":"2""#),
        ("an id spelled twice", r#","\u0069d":"2""#),
        ("an event as data", r#","datacontenttype":"application/cloudevents+json","data":{}"#),
        ("two data", r#","data":1,"data":2"#),
        ("both kinds of data", r#","data":1,"data_base64":"AA==""#),
        ("data that is no base64", r#","data_base64":"?""#),
        ("an object as attribute", r#","x":{}"#),
        ("a fraction as attribute", r#","x":1.5"#),
        ("2^64 as attribute", r#","x":18446744073709551616"#),
        ("NaN as attribute", r#","x":NaN"#),
        ("a number as subject", r#","subject":1"#),
        ("an attribute in capitals", r#","Upper":"x""#),
        ("an attribute with a slash", r#","../x":"x""#),
        ("half a surrogate", r#","x":"\ud800""#),
        ("a trailing comma", ","),
    ];
    cases.extend(members.map(|(name, member)| refused(&format!("a document with {name}"), with(member), 400)));
    cases
}

fn sizes() -> Vec<Case> {
    let event = [SOUND, JSON].concat();
    let announced = |length: &str| unsized_post(WORKFLOWS, &format!("{event}content-length: {length}\r\n"));
    vec![
        refused("10 GiB announced", announced("10737418240"), 413),
        refused("2^63 bytes announced", announced("9223372036854775807"), 413),
        refused("a question before 10 GiB", announced("10737418240\r\nexpect: 100-continue"), 413),
        refused("8 MiB in chunks", chunked(WORKFLOWS, &event, 8 << 20), 413),
        refused("3 MiB at once", post(WORKFLOWS, &event, vec![b'0'; 3 << 20]), 413),
        // Measured at Knative: what only Kafka refuses is answered 503.
        refused("more than the log takes", post(WORKFLOWS, &event, vec![b'0'; 1_200_000]), 503),
    ]
}

/// Events that only their function can judge, one dead letter each; the source tells which.
fn poison() -> Vec<Case> {
    let requested = "io.streamforge.workflow.requested.v1";
    let klines = "io.streamforge.klines.loaded.v1";
    let reported = "io.streamforge.queue.reported.v1";
    let batch = |change: &str| {
        let row = r#"[0,"1","1","1","1","1",59999,"1",1,"1","1"]"#;
        let sound =
            format!(r#"{{"symbol":"BTCUSDT","interval":"1m","batch":0,"read_at":1700000000000,"rows":[{row}]}}"#);
        let (from, to) = change.split_once(" > ").expect("a change has two sides");
        assert!(sound.contains(from), "{from}");
        sound.replace(from, to)
    };
    let deep = format!(r#"{{"symbol":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let report = |field: &str| {
        format!(r#"{{"queue_id":"wf-x","producer":"p","type":"t","status":"loading","timestamp":1,{field}}}"#)
    };
    let cases: Vec<(&str, &str, &str, String, u16, &'static str)> = vec![
        ("workflows", "broken-json", requested, "{".to_owned(), 400, "not JSON"),
        ("workflows", "deep", requested, deep, 400, "recursion limit"),
        ("workflows", "twice", requested, r#"{"symbol":"A","symbol":"B"}"#.to_owned(), 400, "duplicate field `symbol`"),
        ("workflows", "no-data", requested, String::new(), 400, "there is none"),
        ("workflows", "list", requested, "[]".to_owned(), 422, "write a JSON object"),
        ("workflows", "unknown-field", requested, r#"{"colour":1}"#.to_owned(), 422, "known are symbol"),
        ("workflows", "not-a-number", requested, "NaN".to_owned(), 400, "not JSON"),
        ("queue-events", "report-list", reported, "[]".to_owned(), 400, "is not valid"),
        ("queue-events", "report-negative", reported, report(r#""records_written":-1"#), 400, "expected u64"),
        ("queue-events", "report-2-64", reported, report(r#""records_written":18446744073709551616"#), 400, "u64"),
        ("queue-events", "report-attempt", reported, report(r#""attempt":4294967296"#), 400, "u32"),
        ("queue-events", "report-status", reported, report(r#""status":"lost""#), 400, "duplicate field `status`"),
        ("queue-events", "report-path", reported, r#"{"queue_id":"../../x"}"#.to_owned(), 400, "queue id"),
        ("queue-events", "report-infinite", reported, report(r#""records_total":1e999"#), 400, "out of range"),
        ("market-data", "symbol-path", klines, batch(r#""BTCUSDT" > "../../etc/passwd""#), 400, "symbol"),
        ("market-data", "symbol-number", klines, batch(r#""BTCUSDT" > 7"#), 400, "expected a string"),
        ("market-data", "interval", klines, batch(r#""1m" > "7m""#), 400, "use one of"),
        ("market-data", "batch-negative", klines, batch(r#""batch":0 > "batch":-1"#), 400, "u32"),
        ("market-data", "batch-2-32", klines, batch(r#""batch":0 > "batch":4294967296"#), 400, "u32"),
        ("market-data", "read-before-time", klines, batch("1700000000000 > -1"), 400, "read_at"),
        ("market-data", "read-after-time", klines, batch("1700000000000 > 9223372036854775807"), 400, "read_at"),
        (
            "market-data",
            "price-float",
            klines,
            batch(r#"[0,"1" > [0,1.5"#),
            400,
            "expected a decimal number as a string",
        ),
        ("market-data", "price-nan", klines, batch(r#"[0,"1" > [0,"NaN""#), 400, "decimal `NaN`"),
        ("market-data", "price-negative", klines, batch(r#"[0,"1" > [0,"-1""#), 400, "decimal `-1`"),
        (
            "market-data",
            "price-huge",
            klines,
            batch(r#"[0,"1" > [0,"99999999999999999999999999999999""#),
            400,
            "28 digits",
        ),
        ("market-data", "row-short", klines, batch(r#","1","1"]] > ]]"#), 400, "length"),
        ("market-data", "time-2-64", klines, batch("[0, > [18446744073709551616,"), 400, "i64"),
        ("market-data", "time-negative", klines, batch("[0, > [-60000,"), 400, "rows[0]: time range"),
        ("market-data", "time-huge", klines, batch("[0, > [9223372036854775807,"), 400, "rows[0]: time range"),
    ];
    let mut cases: Vec<Case> = cases
        .into_iter()
        .map(|(broker, name, kind, body, status, words)| {
            let headers = format!(
                "{JSON}ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /input/{name}\r\nce-type: {kind}\r\nce-partitionkey: k\r\n"
            );
            let bytes = post(&format!("/streamforge/{broker}"), &headers, body);
            Case { name: name.to_owned(), bytes, fate: Fate::DeadLetter(status, words) }
        })
        .collect();
    // Taken by Knative, against the specification; our functions are stricter.
    for (name, headers, status, words) in [
        ("empty-id", "ce-specversion: 1.0\r\nce-id:\r\n", 400, "`id` is empty"),
        ("old-version", "ce-specversion: 0.3\r\nce-id: 1\r\n", 400, "1.0"),
        ("long-subject", "ce-specversion: 1.0\r\nce-id: 1\r\nce-subject: LONG\r\n", 400, "4096 bytes"),
        ("control-characters", "ce-specversion: 1.0\r\nce-id: 1\r\nce-subject: a%0Ab\r\n", 400, "control characters"),
        ("escaped-nonsense", "ce-specversion: 1.0\r\nce-id: 1\r\nce-subject: %C0%A0\r\n", 400, "UTF-8"),
    ] {
        let headers = headers.replace("LONG", &"x".repeat(5000));
        let headers = format!("{JSON}{headers}ce-source: /input/{name}\r\nce-type: {requested}\r\n");
        let bytes = post(WORKFLOWS, &headers, "{}");
        cases.push(Case { name: name.to_owned(), bytes, fate: Fate::DeadLetter(status, words) });
    }
    let zipped = format!("content-encoding: gzip\r\n{JSON}{}", SOUND.replace("/s", "/input/zipped"));
    let bytes = post(WORKFLOWS, &zipped, bomb());
    cases.push(Case { name: "zipped".to_owned(), bytes, fate: Fate::DeadLetter(400, "not JSON") });
    cases
}

/// 64 MiB of zeros in some 64 KiB: nobody may unpack it.
pub(crate) fn bomb() -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        encoder.write_all(&vec![b'0'; 1 << 20]).expect("memory takes everything");
    }
    encoder.finish().expect("memory takes everything")
}
