//! A subscriber and dead-letter sink that answers each request as the row named in its path asks.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::raw_http::Exchange;

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) at: Instant,
    pub(crate) request: Exchange,
}

#[derive(Clone)]
pub(crate) struct Subscriber {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// What happens to a request.
enum Reaction {
    Answer(String),
    /// No answer, connection held.
    Hang,
    /// No answer, connection closed.
    Close,
    /// No answer, connection reset.
    Reset,
    /// An answer that ends too early.
    Cut(String),
}

impl Subscriber {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let subscriber = Self { address, seen: Arc::default() };
        let accepting = subscriber.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().serve(stream));
            }
        });
        subscriber
    }

    pub(crate) fn seen(&self, path: &str) -> Vec<Seen> {
        let seen = self.seen.lock().expect("no request panics");
        seen.iter().filter(|seen| seen.path == path).cloned().collect()
    }

    async fn serve(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = Exchange::read(&mut stream).await {
            let path = request.start.split(' ').nth(1).unwrap_or_default().to_owned();
            let earlier = {
                let mut seen = self.seen.lock().expect("no request panics");
                let earlier: Vec<Seen> = seen.iter().filter(|seen| seen.path == path).cloned().collect();
                seen.push(Seen { path: path.clone(), at: Instant::now(), request: request.clone() });
                earlier
            };
            match reaction(&path, &request, &earlier) {
                Reaction::Answer(answer) => {
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
                Reaction::Hang => {
                    // Ends when the other side gives up.
                    Exchange::read(&mut stream).await;
                    return;
                }
                Reaction::Close => return,
                Reaction::Reset => {
                    let stream = stream.into_inner();
                    stream.set_zero_linger().expect("the socket is open");
                    return;
                }
                Reaction::Cut(answer) => {
                    let _ended_anyway = stream.write_all(answer.as_bytes()).await;
                    return;
                }
            }
        }
    }
}

fn reaction(path: &str, request: &Exchange, earlier: &[Seen]) -> Reaction {
    let tries = earlier.len();
    let (part, row) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    let answer = match (part, row) {
        ("d", "dls-fails") => plain(500, "no"),
        ("d", "dls-400") => plain(400, "no"),
        ("o", "ordered") => {
            let is_first = id(request) == "ordered-0";
            plain(if is_first && tries < 2 { 500 } else { 202 }, "")
        }
        ("o", "unordered") => plain(if tries < 2 { 500 } else { 202 }, ""),
        ("c", "hang") => return Reaction::Hang,
        ("c", "hang-then-200") if tries == 0 => return Reaction::Hang,
        ("c", "reset") => return Reaction::Reset,
        ("c", "close-without-answer") => return Reaction::Close,
        ("c", "half-body") => {
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
            return Reaction::Cut(answer.to_owned());
        }
        ("c", _) => by_name(row, tries),
        _ => plain(202, ""),
    };
    Reaction::Answer(answer)
}

/// The answer that a row's name describes.
fn by_name(row: &str, tries: usize) -> String {
    const EVENT: [&str; 4] = ["ce-specversion: 1.0", "ce-id: reply-1", "ce-source: /reply", "ce-type: reply.v1"];
    const JSON: &str = "content-type: application/json";
    const REPLY: &str = "{\"r\":1}";
    let document = r#"{"specversion":"1.0","id":"reply-1","source":"/reply","type":"reply.v1","datacontenttype":"application/json","data":{"r":1}}"#;
    let event: Vec<&str> = EVENT.into_iter().chain([JSON]).collect();
    match row {
        "200-reply-binary" | "discard-reply" => answer(200, &event, REPLY),
        "202-reply-binary" => answer(202, &event, REPLY),
        "200-reply-binary-partitionkey" => {
            let keyed: Vec<&str> = event.into_iter().chain(["ce-partitionkey: pk9"]).collect();
            answer(200, &keyed, REPLY)
        }
        "200-reply-structured" => answer(200, &["content-type: application/cloudevents+json"], document),
        "200-reply-batch" => {
            let batch = format!("[{document}]");
            answer(200, &["content-type: application/cloudevents-batch+json"], &batch)
        }
        "200-reply-headers-no-body" => answer(200, &event, ""),
        "200-reply-missing-type" => {
            let headers = [EVENT[0], EVENT[1], EVENT[2], JSON];
            answer(200, &headers, REPLY)
        }
        "200-json-not-event" => answer(200, &[JSON], "{\"ok\":true}"),
        "200-text" => answer(200, &["content-type: text/plain"], "ok"),
        "500-kne-header" => answer(500, &["Kne-Reason: bad day"], "why it failed"),
        "503-503-then-reply" if tries == 2 => answer(200, &event, REPLY),
        "503-503-then-reply" => plain(503, "no"),
        "500-then-200" if tries == 1 => plain(200, ""),
        "404-then-202" if tries == 1 => plain(202, ""),
        "hang-then-200" => plain(200, ""),
        "big-body-error" => plain(500, &"x".repeat(5000)),
        "dls-fails" | "dls-400" => plain(500, "no"),
        "301" | "302" | "307" | "304" => answer(status(row), &["location: /c/not-to-be-followed"], ""),
        _ if row.ends_with("-retry-after-2") => answer(status(row), &["retry-after: 2"], ""),
        _ if status(row) < 300 => plain(status(row), ""),
        _ => plain(status(row), "no"),
    }
}

/// The first part of the name that is a status.
fn status(row: &str) -> u16 {
    let status = row.split('-').find_map(|part| part.parse().ok().filter(|code| *code >= 200));
    status.unwrap_or_else(|| panic!("row {row} names no status"))
}

pub(crate) fn id(request: &Exchange) -> &str {
    request.headers.get("ce-id").map_or("", String::as_str)
}

fn plain(status: u16, body: &str) -> String {
    answer(status, &[], body)
}

fn answer(status: u16, headers: &[&str], body: &str) -> String {
    let mut text = format!("HTTP/1.1 {status} Status\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    if status != 204 && status != 304 {
        text = format!("{text}content-length: {}\r\n", body.len());
    }
    text + "\r\n" + body
}
