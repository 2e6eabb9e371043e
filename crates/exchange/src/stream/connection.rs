//! One connection: subscribes in batches, reads until it breaks, and hands every frame on.

use std::time::Duration;

use futures::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use serde_json::json;
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Message,
        client::IntoClientRequest as _,
        http::{HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS},
        protocol::Role,
    },
};

use super::{
    FeedConfig, FeedEvent, Outlet, Receipt, Silence,
    deflate::{self, Inflated},
    silence::Watch,
    wall,
};
use crate::recording::{Mark, mark};

/// Most streams of one message.
const BATCH: usize = 100;
/// Distance between two messages: the exchange takes five a second, and answers to its pings count as well.
const MESSAGE_EVERY: Duration = Duration::from_millis(300);
/// Longest wait for the handshake, and for the end of a connection that is closed.
const HANDSHAKE: Duration = Duration::from_secs(15);
const CLOSING: Duration = Duration::from_secs(2);
/// How often it is looked for silent streams.
const LOOK: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<Inflated<MaybeTlsStream<TcpStream>>>;

/// What a connection tells whoever keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The exchange has answered all subscriptions.
    Standing,
    /// The exchange wants it to be replaced.
    Shutdown,
}

/// One connection from its handshake to its end; answers why it ended.
///
/// `leave` becomes true when another connection has taken over.
pub(super) async fn run(
    config: &FeedConfig,
    outlet: &Outlet,
    begun: Instant,
    notices: mpsc::Sender<Notice>,
    mut leave: watch::Receiver<bool>,
) -> String {
    let url = format!("{}/stream", config.base_url.trim_end_matches('/'));
    let socket = match timeout(HANDSHAKE, connect(&url)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return format!("cannot connect to {url}: {error}"),
        Err(_) => return format!("cannot connect to {url}: no answer to the handshake"),
    };
    let (mut sink, stream) = socket.split();
    let mut reader = Reader {
        watch: Watch::new(&config.streams, config.silence, Instant::now()),
        stream,
        outlet,
        begun,
        read_timeout: config.read_timeout,
        unanswered: config.streams.chunks(batch(config)).len(),
        notices,
    };
    let reason = tokio::select! {
        reason = reader.read() => reason,
        reason = subscribe(&mut sink, config) => reason,
        _ = leave.wait_for(|leave| *leave) => "another connection has taken over".to_owned(),
    };
    timeout(CLOSING, sink.close()).await.ok();
    reason
}

async fn connect(url: &str) -> Result<Socket, String> {
    let mut request = url.into_client_request().map_err(|error| error.to_string())?;
    request.headers_mut().insert(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(deflate::OFFER));
    let (socket, response) = connect_async(request).await.map_err(|error| error.to_string())?;
    let accepted = response.headers().get(SEC_WEBSOCKET_EXTENSIONS);
    let takeover = deflate::accepted(accepted.map(|header| header.to_str().unwrap_or_default()))?;
    // The exchange says nothing before the first subscription, so nothing is left in the library's buffer.
    let inflated = Inflated::new(socket.into_inner(), takeover);
    Ok(WebSocketStream::from_raw_socket(inflated, Role::Client, None).await)
}

/// Subscribes batch by batch; then there is nothing more to say.
async fn subscribe(sink: &mut SplitSink<Socket, Message>, config: &FeedConfig) -> String {
    let mut due = Instant::now();
    for (number, streams) in config.streams.chunks(batch(config)).enumerate() {
        sleep_until(due).await;
        due += MESSAGE_EVERY;
        let message = json!({"method": "SUBSCRIBE", "params": streams, "id": number + 1});
        if let Err(error) = sink.send(Message::text(message.to_string())).await {
            return format!("cannot subscribe: {error}");
        }
    }
    std::future::pending().await
}

/// Streams of one message.
fn batch(config: &FeedConfig) -> usize {
    if config.is_recording { usize::MAX } else { BATCH }
}

struct Reader<'a> {
    watch: Watch,
    stream: SplitStream<Socket>,
    outlet: &'a Outlet,
    begun: Instant,
    read_timeout: Duration,
    /// Subscriptions that the exchange has not answered yet.
    unanswered: usize,
    notices: mpsc::Sender<Notice>,
}

impl Reader<'_> {
    /// Reads until the connection breaks, and answers why it did.
    async fn read(&mut self) -> String {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            let message = tokio::select! {
                biased;
                message = self.stream.next() => message,
                now = looks.tick() => {
                    if now.duration_since(heard) > self.read_timeout {
                        return format!("nothing came for {} s", self.read_timeout.as_secs());
                    }
                    if let Some(reason) = self.look(now).await {
                        return reason;
                    }
                    continue;
                }
            };
            heard = Instant::now();
            match message {
                Some(Ok(Message::Text(text))) => {
                    let steady = u64::try_from(heard.duration_since(self.begun).as_nanos()).unwrap_or(u64::MAX);
                    let receipt = Receipt { wall: wall(), steady };
                    match stream_name(&text) {
                        Some("!serverShutdown") => drop(self.notices.try_send(Notice::Shutdown)),
                        Some(mark::STREAM) => {
                            if let Some(event) = Mark::read(&text).and_then(remark) {
                                self.outlet.tell(event).await;
                            }
                        }
                        Some(stream) => {
                            self.watch.hear(stream, heard);
                            self.outlet.frame(receipt, text).await;
                        }
                        None => match reply(&text) {
                            Some(Reply::Done) => self.answered(),
                            // The streams that it does not have are silent ones.
                            Some(Reply::Refused) => {
                                self.answered();
                                self.outlet.frame(receipt, text).await;
                            }
                            // None of the exchange's.
                            None => self.outlet.frame(receipt, text).await,
                        },
                    }
                    // The reader may have been waited for.
                    heard = Instant::now();
                }
                Some(Ok(Message::Close(frame))) => {
                    return frame.map_or_else(
                        || "the exchange closed the connection".to_owned(),
                        |frame| format!("the exchange closed the connection: {} {}", frame.code, frame.reason),
                    );
                }
                // Pings are answered with their payload by the protocol's own layer, as it is read on.
                Some(Ok(_)) => {}
                Some(Err(error)) => return format!("the connection broke: {error}"),
                None => return "the connection ended".to_owned(),
            }
        }
    }

    fn answered(&mut self) {
        let before = self.unanswered;
        self.unanswered = before.saturating_sub(1);
        if before == 1 {
            // There is room for the few notices of a connection.
            self.notices.try_send(Notice::Standing).ok();
        }
    }

    /// Tells of silent streams; answers a reason to connect anew if one stopped that had spoken before.
    async fn look(&mut self, now: Instant) -> Option<String> {
        let silent = self.watch.silent(now);
        let stopped = silent.iter().find(|(_, silence)| *silence == Silence::Since).map(|(name, _)| name.clone());
        for (stream, silence) in silent {
            self.outlet.tell(FeedEvent::Silent { stream, silence }).await;
        }
        stopped.map(|name| format!("{name} fell silent while {} streams were heard", self.watch.heard()))
    }
}

/// The exchange's answer to a message of ours.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Done,
    Refused,
}

/// Reads an answer.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#live-subscribingunsubscribing-to-streams>
fn reply(text: &str) -> Option<Reply> {
    let answer: serde_json::Value = serde_json::from_str(text).ok()?;
    let has = |name| answer.get(name).is_some();
    match (has("id"), has("result"), has("error")) {
        (true, true, _) => Some(Reply::Done),
        (true, false, true) => Some(Reply::Refused),
        _ => None,
    }
}

/// What a recording says of its own feed, as an exchange would have it felt.
fn remark(mark: Mark) -> Option<FeedEvent> {
    match mark {
        Mark::Connected => Some(FeedEvent::Connected),
        Mark::Interrupted { reason } => Some(FeedEvent::Disconnected { reason }),
        Mark::Overrun { frames } => Some(FeedEvent::Overrun { frames }),
        Mark::Over => Some(FeedEvent::Over),
        Mark::Begun { .. } | Mark::Silent { .. } | Mark::Missing { .. } | Mark::Foreign { .. } | Mark::Ended => None,
    }
}

/// Name of the stream that a combined frame belongs to.
pub(crate) fn stream_name(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("{\"stream\":\"")?;
    rest.split_once('"').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_from_other_texts() {
        for (text, expected) in [
            (r#"{"result":null,"id":1}"#, Some(Reply::Done)),
            (r#"{"error":{"code":2,"msg":"Invalid request"},"id":1}"#, Some(Reply::Refused)),
            (r#"{"error":{"code":3,"msg":"Invalid JSON"}}"#, None),
            (r#"{"result":null}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(reply(text), expected, "{text}");
        }
    }
}
