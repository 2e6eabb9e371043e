//! The simulator's streams, seen by a plain WebSocket client.

use std::{collections::BTreeMap, time::Duration};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use streamforge_exchange::simulator::Clock;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message},
};

use crate::server::{NOW, Server, frozen, start};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const PATIENCE: Duration = Duration::from_mins(1);

/// A market that goes by a hundred times as fast as usual.
async fn lively(faults: &str) -> Server {
    let mut config = frozen("synthetic:42");
    config.clock = Clock::StartingAt(NOW, 100.0);
    config.faults = faults.parse().unwrap();
    start(config).await
}

async fn connect(server: &Server, path: &str) -> Result<Socket, Error> {
    let url = format!("{}{path}", server.url.replacen("http", "ws", 1));
    connect_async(url).await.map(|(socket, _)| socket)
}

async fn next(socket: &mut Socket) -> Option<Result<Message, Error>> {
    timeout(PATIENCE, socket.next()).await.expect("a frame in time")
}

/// The next text as JSON.
async fn json(socket: &mut Socket) -> Value {
    loop {
        match next(socket).await.expect("an open connection").unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Close(frame) => panic!("closed: {frame:?}"),
            _ => {}
        }
    }
}

async fn say(socket: &mut Socket, message: &Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

#[tokio::test]
async fn trades_have_the_ids_and_values_that_are_answered_over_http() {
    let server = lively("").await;
    let mut socket = connect(&server, "/stream?streams=btcusdt@aggTrade").await.unwrap();
    let mut came = Vec::new();
    while came.len() < 30 {
        let frame = json(&mut socket).await;
        assert_eq!(frame["stream"], "btcusdt@aggTrade");
        came.push(frame["data"].clone());
    }
    let first = came[0]["a"].as_u64().unwrap();
    let asked = server.get(&format!("aggTrades?symbol=BTCUSDT&fromId={first}&limit=30")).await;
    let rows: Vec<Value> = serde_json::from_str(&asked.body).unwrap();
    for (frame, row) in came.iter().zip(&rows) {
        for key in ["a", "p", "q", "f", "l", "T", "m", "M"] {
            assert_eq!(frame[key], row[key], "{frame} {row}");
        }
    }
}

#[tokio::test]
async fn bars_close_as_they_are_answered_over_http() {
    let server = lively("").await;
    let mut socket = connect(&server, "/ws/ethusdt@kline_1m").await.unwrap();
    let mut closed = Vec::new();
    while closed.len() < 3 {
        let bar = json(&mut socket).await["k"].clone();
        if bar["x"] == true {
            closed.push(bar);
        }
    }
    for bar in closed {
        let open = bar["t"].as_i64().unwrap();
        let asked = server.get(&format!("klines?symbol=ETHUSDT&interval=1m&startTime={open}&limit=1")).await;
        let rows: Value = serde_json::from_str(&asked.body).unwrap();
        for (place, key) in [(0, "t"), (1, "o"), (2, "h"), (3, "l"), (4, "c"), (5, "v"), (6, "T"), (7, "q"), (8, "n")] {
            assert_eq!(bar[key], rows[0][place], "{key} of {bar}");
        }
    }
}

#[tokio::test]
async fn differences_lead_from_a_snapshot_to_the_best_levels() {
    let server = lively("").await;
    let streams = "solusdt@depth@100ms/solusdt@bookTicker";
    let mut socket = connect(&server, &format!("/stream?streams={streams}")).await.unwrap();
    json(&mut socket).await;
    let snapshot = server.get("depth?symbol=SOLUSDT&limit=5000").await;
    let snapshot: Value = serde_json::from_str(&snapshot.body).unwrap();
    let mut book: [BTreeMap<String, String>; 2] = [BTreeMap::new(), BTreeMap::new()];
    let set = |book: &mut [BTreeMap<String, String>; 2], side: usize, level: &Value| {
        let [price, quantity] = [0, 1].map(|place| level[place].as_str().unwrap());
        // Of one width, so that they sort as numbers.
        let key = format!("{price:0>20}");
        if quantity.trim_matches(['0', '.']).is_empty() {
            book[side].remove(&key);
        } else {
            book[side].insert(key, quantity.to_owned());
        }
    };
    for (side, name) in ["bids", "asks"].into_iter().enumerate() {
        snapshot[name].as_array().unwrap().iter().for_each(|level| set(&mut book, side, level));
    }
    let mut last = snapshot["lastUpdateId"].as_u64().unwrap();
    let mut compared = 0;
    while compared < 100 {
        let frame = json(&mut socket).await;
        let data = &frame["data"];
        if frame["stream"] == "solusdt@bookTicker" {
            if data["u"] == last {
                let best = (book[0].last_key_value().unwrap(), book[1].first_key_value().unwrap());
                assert!(best.0.0.ends_with(data["b"].as_str().unwrap()) && *best.0.1 == data["B"], "{data}");
                assert!(best.1.0.ends_with(data["a"].as_str().unwrap()) && *best.1.1 == data["A"], "{data}");
                compared += 1;
            }
            continue;
        }
        let [first, end] = ["U", "u"].map(|key| data[key].as_u64().unwrap());
        if end <= last {
            continue;
        }
        assert!(first <= last + 1, "{first} after {last}");
        for (side, name) in ["b", "a"].into_iter().enumerate() {
            data[name].as_array().unwrap().iter().for_each(|level| set(&mut book, side, level));
        }
        last = end;
    }
}

#[tokio::test]
async fn what_does_not_exist_is_taken_and_stays_silent() {
    let server = lively("").await;
    let mut socket = connect(&server, "/stream").await.unwrap();
    let streams = ["nobody@trade", "BTCUSDT@trade", "btcusdt@depth30", "btcusdt@depth"];
    say(&mut socket, &json!({"method": "SUBSCRIBE", "params": streams, "id": 1})).await;
    assert_eq!(json(&mut socket).await, json!({"result": null, "id": 1}));
    for _ in 0..20 {
        assert_eq!(json(&mut socket).await["stream"], "btcusdt@depth");
    }
    say(&mut socket, &json!({"method": "LIST_SUBSCRIPTIONS", "id": "x"})).await;
    let listed = loop {
        let answer = json(&mut socket).await;
        if answer["id"] == "x" {
            break answer["result"].as_array().unwrap().len();
        }
    };
    assert_eq!(listed, 4);
    say(&mut socket, &json!({"method": "FOO", "id": 20})).await;
    let refused = loop {
        let answer = json(&mut socket).await;
        if answer["id"] == 20 {
            break answer["error"]["code"].clone();
        }
    };
    assert_eq!(refused, 2);
}

#[tokio::test]
async fn a_client_that_says_too_much_or_nonsense_is_let_go() {
    let server = lively("").await;
    for messages in [vec!["hello"], vec![r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#; 7]] {
        let mut socket = connect(&server, "/ws").await.unwrap();
        for message in messages {
            socket.send(Message::text(message)).await.unwrap();
        }
        let code = loop {
            if let Message::Close(frame) = next(&mut socket).await.unwrap().unwrap() {
                break u16::from(frame.unwrap().code);
            }
        };
        assert_eq!(code, 1008);
    }
    assert!(matches!(connect(&server, "/nowhere").await, Err(Error::Http(answer)) if answer.status() == 404));
}

#[tokio::test]
async fn failures_are_those_of_the_switches() {
    let ids = |frames: &[Value]| frames.iter().map(|frame| frame["a"].as_u64().unwrap()).collect::<Vec<_>>();
    let read = async |faults: &str, count: usize| {
        let server = lively(faults).await;
        let mut socket = connect(&server, "/ws/btcusdt@aggTrade").await.unwrap();
        let mut frames = Vec::new();
        while frames.len() < count {
            match next(&mut socket).await {
                Some(Ok(Message::Text(text))) => frames.extend(serde_json::from_str::<Value>(&text).ok()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => break,
            }
        }
        (frames, server.counters.faults())
    };
    let is_contiguous = |ids: &[u64]| ids.is_sorted_by(|one, next| *next == one + 1);
    let (frames, faults) = read("ws-drop:0.3", 40).await;
    assert!(!is_contiguous(&ids(&frames)) && faults > 3);
    let (frames, _) = read("ws-repeat:0.3", 40).await;
    assert!(ids(&frames).windows(2).any(|pair| pair[0] == pair[1]));
    let (frames, _) = read("ws-swap:0.3", 40).await;
    assert!(ids(&frames).windows(2).any(|pair| pair[0] > pair[1]));
    let (frames, faults) = read("ws-forge:0.3", 40).await;
    assert!(is_contiguous(&ids(&frames)) && faults > 3, "nothing shows it");
    for ends in ["ws-cut:0.2", "ws-half:0.2", "ws-close:0.2", "ws-lifetime:0.3"] {
        let (frames, _) = read(ends, 10_000).await;
        assert!(frames.len() < 10_000, "{ends}");
    }
    let server = lively("ws-html:1").await;
    assert!(matches!(connect(&server, "/stream").await, Err(Error::Http(answer)) if answer.status() == 502));
}
