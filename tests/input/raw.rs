//! HTTP as nobody should send it: bytes on a connection, and what comes back.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// Longer than any answer takes; only a server that is stuck reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came back on one connection.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// How a connection is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Up to the first answer.
    Answer,
    /// Until the server closes it: whatever else lies in the bytes must not be answered as a request of its own.
    Close,
}

/// Sends bytes and reads the answer; anything but exactly one answer fails the test.
pub(crate) fn send(address: &str, bytes: &[u8], until: Until) -> Reply {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
    // A server may answer and close before it has read everything.
    let sent = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while until == Until::Close || complete(&answer).is_none() {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            Err(error) => {
                let text = String::from_utf8_lossy(&answer);
                assert!(complete(&answer).is_some(), "no answer: {error}, sent: {sent:?}, so far: {text}");
                break;
            }
        }
    }
    let text = String::from_utf8_lossy(&answer);
    let (status, body) = complete(&answer).unwrap_or_else(|| panic!("no whole answer: {text}"));
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "more than one answer: {text}");
    Reply { status, body }
}

/// Status and body, once all of it is there.
fn complete(answer: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    (body.len() >= length.unwrap_or(0)).then(|| (status, body.to_owned()))
}

/// A sound request with these header lines, each ended by CRLF, and a body with its length.
pub(crate) fn post(path: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = format!("content-length: {}\r\n", body.len());
    [&unsized_post(path, &[headers, &length].concat()), body].concat()
}

/// The head of a request that says nothing of its body.
pub(crate) fn unsized_post(path: &str, headers: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n").into_bytes()
}

/// A request without a body.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").into_bytes()
}

/// A body of zeros in chunks of 8 KiB, whose length nobody is told.
pub(crate) fn chunked(path: &str, headers: &str, length: usize) -> Vec<u8> {
    const CHUNK: usize = 8 * 1024;
    let mut request = unsized_post(path, &[headers, "transfer-encoding: chunked\r\n"].concat());
    for _ in 0..length / CHUNK {
        request.extend_from_slice(format!("{CHUNK:x}\r\n").as_bytes());
        request.extend_from_slice(&[b'0'; CHUNK]);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}
