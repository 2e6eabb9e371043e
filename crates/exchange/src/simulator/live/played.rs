//! A connection on which a recording is played from its beginning to its end, to a reader who may take his time.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message},
};

use super::{
    compressed::Compressed,
    control::{self, Control},
    frames,
    names::Asked,
};
use crate::{
    recording::{Mark, mark},
    simulator::{captured::Captured, server::State},
};

/// How often it is looked whether there is something to send.
const TICK: Duration = Duration::from_millis(10);
/// Who hears nothing for long takes the connection for a dead one.
const PING: Duration = Duration::from_secs(20);

type Socket = WebSocketStream<Compressed<TokioIo<Upgraded>>>;

/// Serves the connection until the client leaves it.
pub(super) async fn serve(state: Arc<State>, capture: &Captured, asked: Asked, mut socket: Socket) {
    let mut names: BTreeSet<String> = asked.streams.into_iter().collect();
    let mut played = 0;
    let mut is_over = false;
    let mut pinged = Instant::now();
    let mut ticker = interval(TICK);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            message = socket.next() => {
                let answer = match message {
                    Some(Ok(Message::Text(text))) => answer(&mut names, &text),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => continue,
                };
                if socket.send(Message::text(answer)).await.is_err() {
                    return;
                }
            }
            now = ticker.tick() => {
                if now.duration_since(pinged) > PING {
                    pinged = now;
                    if socket.send(Message::Ping(Vec::new().into())).await.is_err() {
                        return;
                    }
                }
                if names.is_empty() || is_over {
                    continue;
                }
                let due = capture.played_until(state.now());
                if send(&state, &mut socket, &capture.frames[played..due.max(played)], &names).await.is_err() {
                    return;
                }
                played = due.max(played);
                is_over = played == capture.frames.len();
                if is_over && socket.send(Message::text(Mark::Over.frame())).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Sends what was asked for, and the recording's remarks; waits for who reads it.
async fn send(
    state: &State,
    socket: &mut Socket,
    due: &[(streamforge_events::Millis, Arc<str>, String)],
    names: &BTreeSet<String>,
) -> Result<(), Error> {
    for (_, stream, data) in due {
        if names.contains(&**stream) || **stream == *mark::STREAM {
            state.counters.count_frame();
            socket.feed(Message::text(frames::combined(stream, data))).await?;
        }
    }
    socket.flush().await
}

fn answer(names: &mut BTreeSet<String>, text: &str) -> String {
    match control::read(text) {
        Control::Subscribe(more, id) => {
            names.extend(more);
            control::done(&Value::Null, &id)
        }
        Control::Unsubscribe(less, id) => {
            names.retain(|name| !less.contains(name));
            control::done(&Value::Null, &id)
        }
        Control::List(id) => control::done(&json!(names), &id),
        Control::SetCombined(_, id) => control::done(&Value::Null, &id),
        Control::GetCombined(id) => control::done(&json!(true), &id),
        Control::Refused(answer) => answer.to_string(),
        Control::Nonsense => json!({"error": {"code": 3, "msg": "Invalid JSON"}}).to_string(),
    }
}
