//! One connection: takes what the client says, and sends its streams as the exchange's clock goes on.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use streamforge_events::Millis;
use tokio::{
    io::AsyncWriteExt as _,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Bytes, Error, Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::{
    compressed::Compressed,
    control::{self, Control},
    feeds::{Emission, Feeds},
    frames,
    names::Asked,
    trouble::{FrameFault, Trouble},
};
use crate::simulator::server::State;

/// How often it is looked whether there is something to send.
const TICK: Duration = Duration::from_millis(10);
/// The exchange asks this often whether the client is there, and waits so long for the answer.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_mins(1);
/// Messages of a client in a second, control frames among them.
const MOST_MESSAGES: u32 = 5;
/// Streams of a connection.
const MOST_STREAMS: usize = 1_024;
/// A client that does not read for so long is let go.
const PATIENCE: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<Compressed<TokioIo<Upgraded>>>;

pub(super) struct Session {
    state: Arc<State>,
    is_combined: bool,
    names: BTreeSet<String>,
    feeds: Feeds,
    trouble: Trouble,
    muted: BTreeSet<String>,
    is_silent: bool,
    /// Sent after the next frame.
    swapped: Option<String>,
    /// Nothing is sent before.
    held_until: Option<Instant>,
    held: Vec<String>,
    /// Messages of the client in this second.
    second: (Instant, u32),
}

/// Why a connection ends.
enum End {
    /// The connection just goes.
    Cut,
    /// It is closed with a code and words.
    Close(u16, &'static str),
}

impl From<Error> for End {
    fn from(_: Error) -> Self {
        Self::Cut
    }
}

impl Session {
    pub(super) fn new(state: Arc<State>, asked: Asked, trouble: Trouble) -> Self {
        let mut session = Self {
            state,
            is_combined: asked.is_combined,
            names: BTreeSet::new(),
            feeds: Feeds::default(),
            trouble,
            muted: BTreeSet::new(),
            is_silent: false,
            swapped: None,
            held_until: None,
            held: Vec::new(),
            second: (Instant::now(), 0),
        };
        session.subscribe(asked.streams);
        session
    }

    /// Serves the connection until it ends.
    pub(super) async fn run(mut self, mut socket: Socket) {
        if let Err(End::Close(code, words)) = self.serve(&mut socket).await {
            let frame = CloseFrame { code: CloseCode::from(code), reason: words.into() };
            timeout(PATIENCE, socket.close(Some(frame))).await.ok();
            // The client answers with the same; without reading it, its end would see a reset.
            timeout(Duration::from_secs(1), socket.next()).await.ok();
        }
    }

    async fn serve(&mut self, socket: &mut Socket) -> Result<(), End> {
        let started = Instant::now();
        let (mut last, mut answered, mut asked) = (self.state.now(), started, started);
        let mut told_of_end = false;
        let mut ticker = interval_at(started + TICK, TICK);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(message)) => {
                        if matches!(message, Message::Pong(_)) {
                            answered = Instant::now();
                        }
                        self.take(socket, message).await?;
                    }
                    Some(Err(_)) | None => return Ok(()),
                },
                now = ticker.tick() => {
                    if let Some(lifetime) = self.trouble.lifetime() {
                        let age = now.duration_since(started);
                        if age > lifetime {
                            return Err(End::Cut);
                        }
                        if age > lifetime / 2 && !told_of_end {
                            told_of_end = true;
                            self.say(socket, self.shutdown()).await?;
                        }
                    }
                    if self.is_silent {
                        continue;
                    }
                    if now.duration_since(asked) > PING {
                        if asked > answered && now.duration_since(answered) > PONG {
                            return Err(End::Close(1008, "Pong timeout"));
                        }
                        asked = now;
                        let payload = Bytes::from(self.state.now().to_string());
                        socket.send(Message::Ping(payload)).await?;
                    }
                    let until = self.state.now();
                    let trouble = &mut self.trouble;
                    let counters = &self.state.counters;
                    let mut swallow = || {
                        let forges = trouble.forges();
                        if forges {
                            counters.count_fault();
                        }
                        forges
                    };
                    let emissions = self.feeds.advance(&self.state.market, last, until, &mut swallow);
                    last = until.max(last);
                    timeout(PATIENCE, self.send_all(socket, emissions)).await.unwrap_or(Err(End::Cut))?;
                }
            }
        }
    }

    async fn send_all(&mut self, socket: &mut Socket, emissions: Vec<Emission>) -> Result<(), End> {
        for emission in emissions {
            if self.muted.contains(&*emission.stream) {
                continue;
            }
            let frame =
                if self.is_combined { frames::combined(&emission.stream, &emission.data) } else { emission.data };
            let fault = self.trouble.of_frame();
            if fault.is_some() {
                self.state.counters.count_fault();
            }
            match fault {
                None => self.pass(socket, frame).await?,
                Some(FrameFault::Drop) => {}
                Some(FrameFault::Repeat) => {
                    self.pass(socket, frame.clone()).await?;
                    self.pass(socket, frame).await?;
                }
                Some(FrameFault::Swap) => self.swapped = Some(frame),
                Some(FrameFault::Cut) => return Err(End::Cut),
                Some(FrameFault::Half) => {
                    half(socket, &frame).await;
                    return Err(End::Cut);
                }
                Some(FrameFault::Mute) => drop(self.muted.insert(emission.stream.to_string())),
                Some(FrameFault::Silence) => {
                    self.is_silent = true;
                    return Ok(());
                }
                Some(FrameFault::Close(code)) => return Err(End::Close(code, "on purpose")),
                Some(FrameFault::Garbage(text)) => self.pass(socket, text.to_owned()).await?,
                Some(FrameFault::Burst(pause)) => {
                    self.held_until = Some(Instant::now() + pause);
                    self.pass(socket, frame).await?;
                }
            }
        }
        if self.held_until.is_some_and(|until| until <= Instant::now()) {
            self.held_until = None;
            for frame in std::mem::take(&mut self.held) {
                socket.feed(Message::text(frame)).await?;
            }
        }
        Ok(socket.flush().await?)
    }

    /// Sends a frame, and the one that waits for it; or keeps it while frames are held.
    async fn pass(&mut self, socket: &mut Socket, frame: String) -> Result<(), End> {
        for frame in std::iter::once(frame).chain(self.swapped.take()) {
            if self.held_until.is_some() {
                self.held.push(frame);
                continue;
            }
            self.state.counters.count_frame();
            socket.feed(Message::text(frame)).await?;
        }
        Ok(())
    }

    async fn take(&mut self, socket: &mut Socket, message: Message) -> Result<(), End> {
        let now = Instant::now();
        if now.duration_since(self.second.0) >= Duration::from_secs(1) {
            self.second = (now, 0);
        }
        // Answers to the exchange's own pings are few and count as well.
        self.second.1 += 1;
        if self.second.1 > MOST_MESSAGES {
            return Err(End::Close(1008, "Too many requests"));
        }
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Err(End::Cut),
            _ => return Ok(()),
        };
        let answer = match control::read(&text) {
            Control::Subscribe(names, id) => {
                if self.names.len() + names.len() > MOST_STREAMS {
                    return Err(End::Close(1008, "Too many requests"));
                }
                self.subscribe(names);
                control::done(&Value::Null, &id)
            }
            Control::Unsubscribe(names, id) => {
                for name in names {
                    self.feeds.unsubscribe(&name);
                    self.names.remove(&name);
                    self.muted.remove(&name);
                }
                control::done(&Value::Null, &id)
            }
            Control::List(id) => control::done(&json!(self.names), &id),
            Control::SetCombined(is_combined, id) => {
                self.is_combined = is_combined;
                control::done(&Value::Null, &id)
            }
            Control::GetCombined(id) => control::done(&json!(self.is_combined), &id),
            Control::Refused(answer) => answer.to_string(),
            Control::Nonsense => return Err(End::Close(1008, "Invalid request")),
        };
        if !self.is_silent {
            self.say(socket, answer).await?;
        }
        Ok(())
    }

    fn subscribe(&mut self, names: Vec<String>) {
        for name in names {
            self.feeds.subscribe(&self.state.market, &name);
            self.names.insert(name);
        }
    }

    async fn say(&self, socket: &mut Socket, text: String) -> Result<(), End> {
        Ok(socket.send(Message::text(text)).await?)
    }

    /// What the exchange says before it closes a connection for maintenance.
    fn shutdown(&self) -> String {
        let time: Millis = self.state.now();
        let data = format!(r#"{{"e":"serverShutdown","E":{time}}}"#);
        if self.is_combined { frames::combined("!serverShutdown", &data) } else { data }
    }
}

/// Sends the head of a frame and the first half of its text.
async fn half(socket: &mut Socket, frame: &str) {
    let _ = socket.flush().await;
    let length = u16::try_from(frame.len()).unwrap_or(u16::MAX);
    let mut bytes = vec![0x81, 126];
    bytes.extend(length.to_be_bytes());
    bytes.extend(&frame.as_bytes()[..usize::from(length) / 2]);
    let connection = socket.get_mut();
    // Who reads it may be gone.
    let _ = connection.write_all(&bytes).await;
    let _ = connection.flush().await;
}
