//! A subscriber that refuses every event until it is mended.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// Why events are refused.
pub(crate) const REASON: &str = "the table is not there yet";

/// Id and body of an event as it came.
pub(crate) type Seen = (String, String);

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
                serving.answer(stream);
            }
        });
        subscriber
    }

    pub(crate) fn mend(&self) {
        self.state.lock().unwrap().is_mended = true;
    }

    pub(crate) fn refused(&self) -> Vec<Seen> {
        self.state.lock().unwrap().refused.clone()
    }

    pub(crate) fn taken(&self) -> Vec<Seen> {
        self.state.lock().unwrap().taken.clone()
    }

    fn answer(&self, mut stream: TcpStream) {
        let Some(seen) = read(&stream) else { return };
        let mut state = self.state.lock().unwrap();
        let answer = if state.is_mended {
            state.taken.push(seen);
            "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned()
        } else {
            state.refused.push(seen);
            let length = REASON.len();
            format!(
                "HTTP/1.1 422 Unprocessable Entity\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{REASON}"
            )
        };
        // A sender that has gone does not want an answer.
        stream.write_all(answer.as_bytes()).ok();
    }
}

fn read(stream: &TcpStream) -> Option<Seen> {
    let mut reader = BufReader::new(stream);
    let (mut id, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim().split_once(": ") else {
            if line.trim().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "ce-id" => value.clone_into(&mut id),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((id, String::from_utf8(body).ok()?))
}
