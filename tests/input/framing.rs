//! Requests whose framing is wrong, the same at every HTTP door: two lengths, smuggled requests, broken chunks.

use crate::raw::Until;

/// A request that no server may take for a sound one.
pub(crate) struct Framing {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) until: Until,
    pub(crate) statuses: &'static [u16],
}

/// What would be answered with 200 by every door if it were taken for a request of its own.
const SMUGGLED: &str = "GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// All of them, to a path that takes posts.
pub(crate) fn framings(path: &str) -> Vec<Framing> {
    let mut cases = Vec::new();
    let mut add = |name, bytes: Vec<u8>, until, statuses| cases.push(Framing { name, bytes, until, statuses });
    let head = |rest: &str| format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{rest}").into_bytes();
    let smuggling = |headers: &str| head(&format!("{headers}\r\n{SMUGGLED}"));
    for (name, headers) in [
        ("two different lengths", "content-length: 2\r\ncontent-length: 200\r\n"),
        ("a list of lengths", "content-length: 2, 2\r\n"),
        ("a negative length", "content-length: -1\r\n"),
        ("a signed length", "content-length: +2\r\n"),
        ("a hexadecimal length", "content-length: 0x2\r\n"),
        ("a length of 2^64", "content-length: 18446744073709551616\r\n"),
        ("an empty length", "content-length: \r\n"),
        ("an unknown transfer coding", "transfer-encoding: xchunked\r\n"),
        ("a coding after chunked", "transfer-encoding: chunked, identity\r\n"),
        ("a length beside an unknown coding", "content-length: 2\r\ntransfer-encoding: chunked, gzip\r\n"),
        ("a space before the colon", "content-length : 2\r\n"),
        ("a folded header", "ce-id: 1\r\n  2\r\n"),
        ("a header without a colon", "content-length 2\r\n"),
        ("a header without a name", ": 2\r\n"),
        ("a carriage return in a value", "ce-id: 1\rcontent-length: 2\r\n"),
        ("NUL in a value", "ce-id: 1\0\r\n"),
        ("NUL in a name", "ce-\0id: 1\r\n"),
        ("a name beyond ASCII", "ce-\u{e9}: 1\r\n"),
    ] {
        add(name, smuggling(headers), Until::Close, &[400]);
    }
    let chunks = |body: &str| head(&format!("transfer-encoding: chunked\r\nconnection: close\r\n\r\n{body}"));
    for (name, body) in [
        ("a chunk's size that is no number", "zz\r\n{}\r\n0\r\n\r\n"),
        ("a negative chunk", "-2\r\n{}\r\n0\r\n\r\n"),
        ("a chunk of 2^68", "FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"),
        ("a chunk that is longer than it says", "1\r\n{}\r\n0\r\n\r\n"),
        ("a bare line feed after a chunk's size", "2\n{}\r\n0\r\n\r\n"),
    ] {
        add(name, chunks(body), Until::Close, &[400]);
    }
    let endless = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(64 * 1024));
    add("an endless chunk extension", chunks(&endless), Until::Close, &[400]);
    add("chunks in HTTP/1.0", old_chunks(path), Until::Close, &[400]);
    add("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello\r\n\r\n".to_vec(), Until::Close, &[400]);
    add("HTTP/0.9", format!("GET {path}\r\n\r\n").into_bytes(), Until::Close, &[400]);
    add("HTTP/9.9", format!("POST {path} HTTP/9.9\r\n\r\n").into_bytes(), Until::Close, &[400]);
    add("a target with a space", b"POST /a b HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(), Until::Close, &[400]);
    let injected = format!("POST {path}\r\nx: HTTP/1.1\r\nhost: localhost\r\n\r\n");
    add("a line break in the target", injected.into_bytes(), Until::Close, &[400]);
    let closing = "connection: close\r\ncontent-length: 2\r\n";
    let lower = format!("post {path} HTTP/1.1\r\nhost: localhost\r\n{closing}\r\n{{}}");
    add("a method in lower case", lower.into_bytes(), Until::Close, &[405]);
    let long = format!("POST /{} HTTP/1.1\r\nhost: localhost\r\n{closing}\r\n{{}}", "a".repeat(70_000));
    add("a target of 70,000 bytes", long.into_bytes(), Until::Close, &[414]);
    let many = "x-more: 1\r\n".repeat(300);
    add("300 headers", head(&format!("{many}\r\n{{}}")), Until::Close, &[431]);
    let huge = format!("ce-id: {}\r\n{closing}\r\n{{}}", "a".repeat(1 << 20));
    add("a header of 1 MiB", head(&huge), Until::Answer, &[431]);
    cases
}

fn old_chunks(path: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n").into_bytes()
}
