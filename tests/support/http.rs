//! One HTTP request on a connection of its own.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use serde_json::Value;

/// Status and body of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn get(url: &str) -> Self {
        Self::to("GET", url, &[], "").expect("the server answers")
    }

    /// Asks a server that may be gone.
    pub(crate) fn try_get(url: &str) -> io::Result<Self> {
        Self::to("GET", url, &[], "")
    }

    pub(crate) fn post(url: &str, headers: &[(&str, &str)], body: &str) -> Self {
        Self::try_post(url, headers, body).expect("the server answers")
    }

    /// Posts to a server that may be gone.
    pub(crate) fn try_post(url: &str, headers: &[(&str, &str)], body: &str) -> io::Result<Self> {
        Self::to("POST", url, headers, body)
    }

    /// Sends a request to `http://ADDRESS/PATH`; a body that is not JSON is null.
    fn to(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> io::Result<Self> {
        let rest = url.strip_prefix("http://").expect("a URL without TLS");
        let (address, path) = rest.split_once('/').expect("a URL with a path");
        let headers = headers.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect::<String>();
        let length = body.len();
        let request = format!(
            "{method} /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let length = answer.windows(4).position(|part| part == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let head = String::from_utf8_lossy(&answer[..length]).to_lowercase();
        let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
        let body = &answer[length + 4..];
        let is_chunked = head.contains("\r\ntransfer-encoding: chunked");
        let body = if is_chunked { joined(body).ok_or(io::ErrorKind::InvalidData)? } else { body.to_vec() };
        let body = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Self { status: status.ok_or(io::ErrorKind::InvalidData)?, body })
    }
}

/// The chunks of a body as one; none if it is cut off.
fn joined(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|part| part == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(rest.get(end + 2..end + 2 + length)?);
        rest = rest.get(end + 2 + length + 2..)?;
    }
}
