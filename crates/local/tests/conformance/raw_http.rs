//! HTTP/1.1 by hand, because the cases need exact headers and broken connections.

use std::{collections::BTreeMap, net::SocketAddr};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// A request or an answer: its first line, its headers in lower case, its body.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) start: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Exchange {
    /// Reads one message; nothing at the end of the connection.
    pub(crate) async fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut start = String::new();
        if stream.read_line(&mut start).await.ok()? == 0 {
            return None;
        }
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").map_or(0, |text| text.parse().unwrap_or(0));
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        Some(Self { start: start.trim_end().to_owned(), headers, body })
    }

    pub(crate) fn status(&self) -> u16 {
        let status = self.start.split(' ').nth(1).and_then(|text| text.parse().ok());
        status.expect("an answer starts with its status")
    }
}

/// Sends one request on a connection of its own.
pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Exchange {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n");
    for (name, value) in headers {
        request = format!("{request}{name}: {value}\r\n");
    }
    request = format!("{request}content-length: {}\r\n\r\n", body.len());
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let mut stream = BufReader::new(stream);
    stream.write_all(request.as_bytes()).await.expect("headers can be sent");
    stream.write_all(body).await.expect("the body can be sent");
    Exchange::read(&mut stream).await.expect("the server answers")
}
