//! A subscriber that refuses what is poison to it until it is mended, and remembers every event byte by byte.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Why events are refused.
pub(crate) const REASON: &str = "the table is not there yet";

/// What makes a body poison.
pub(crate) const POISON: &[u8] = b"poison";

/// An event as it came: its headers without those of one delivery, ascending, and its body.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

#[derive(Clone)]
pub(crate) struct Subscriber {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_mended: bool,
    refused: Vec<Seen>,
    taken: Vec<Seen>,
}

impl Subscriber {
    /// Listens until the test process ends.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let subscriber = Self { url, state: Arc::default() };
        let serving = subscriber.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                thread::spawn(move || serving.answer(stream));
            }
        });
        subscriber
    }

    pub(crate) fn mend(&self) {
        self.state.lock().unwrap().is_mended = true;
    }

    /// What was refused, ascending.
    pub(crate) fn refused(&self) -> Vec<Seen> {
        sorted(self.state.lock().unwrap().refused.clone())
    }

    /// What was taken, ascending.
    pub(crate) fn taken(&self) -> Vec<Seen> {
        sorted(self.state.lock().unwrap().taken.clone())
    }

    fn answer(&self, mut stream: TcpStream) {
        let Some(seen) = read(&stream) else { return };
        let mut state = self.state.lock().unwrap();
        let is_poison = seen.body.windows(POISON.len()).any(|part| part == POISON);
        let answer = if is_poison && !state.is_mended {
            state.refused.push(seen);
            let length = REASON.len();
            format!("HTTP/1.1 422 No\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{REASON}")
        } else {
            state.taken.push(seen);
            "HTTP/1.1 204 Done\r\nconnection: close\r\n\r\n".to_owned()
        };
        drop(state);
        // A sender that has gone does not want an answer.
        stream.write_all(answer.as_bytes()).ok();
    }
}

fn sorted(mut events: Vec<Seen>) -> Vec<Seen> {
    events.sort();
    events
}

fn read(stream: &TcpStream) -> Option<Seen> {
    let mut reader = BufReader::new(stream);
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        if name == "content-length" {
            length = line.split_once(':')?.1.trim().parse().ok()?;
        }
        let is_event = name.starts_with("ce-") || name == "content-type";
        if is_event && !name.starts_with("ce-knativekafka") {
            headers.push(line.to_owned());
        }
    }
    headers.sort();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { headers, body })
}
