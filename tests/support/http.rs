//! One HTTP request on a connection of its own.

use std::{
    io::{Read, Write},
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
        Self::to("GET", url, &[], "")
    }

    pub(crate) fn post(url: &str, headers: &[(&str, &str)], body: &str) -> Self {
        Self::to("POST", url, headers, body)
    }

    /// Sends a request to `http://ADDRESS/PATH`; a body that is not JSON is null.
    fn to(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let rest = url.strip_prefix("http://").expect("a URL without TLS");
        let (address, path) = rest.split_once('/').expect("a URL with a path");
        let headers = headers.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect::<String>();
        let length = body.len();
        let request = format!(
            "{method} /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        let mut stream = TcpStream::connect(address).expect("the server listens");
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
        Self { status: status.expect("an answer has a status"), body: serde_json::from_str(body).unwrap_or_default() }
    }
}
