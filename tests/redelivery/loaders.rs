//! Commands to the loaders that come again, late or in any order cause the same events, whatever pages the exchange
//! leaves empty, cuts short or sends again.

use std::collections::BTreeMap;

use fastrand::Rng;
use loader_api_candles::CandleLoader;
use loader_api_trades::TradeLoader;
use serde_json::{Value, json};
use streamforge_events::{Event, Millis};
use streamforge_exchange::Client;
use streamforge_function::{
    Function,
    axum::Router,
    router,
    test_util::{TestIngress, post_events, with_repeats},
};

use crate::{
    functions::{NOW, exchange},
    seed,
};

const MINUTE: Millis = 60_000;
const QUEUE_ID: &str = "wf-multi-api_candles_1m-20260531-a1b2c3";
const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "NOSUCHUSDT"];
const CASES: usize = 8;

#[tokio::test]
async fn commands_for_klines_again_or_in_any_order_equal_once() {
    let host = |client: Client, ingress: &TestIngress| {
        router(CandleLoader::new(client), ingress.context(CandleLoader::NAME, NOW))
    };
    again_or_in_any_order_equals_once(host, 1_500, &json!({"interval": "1m"})).await;
}

#[tokio::test]
async fn commands_for_trades_again_or_in_any_order_equal_once() {
    let host = |client: Client, ingress: &TestIngress| {
        router(TradeLoader::new(client), ingress.context(TradeLoader::NAME, NOW))
    };
    again_or_in_any_order_equals_once(host, 300, &json!({})).await;
}

async fn again_or_in_any_order_equals_once(
    host: impl Fn(Client, &TestIngress) -> Router,
    longest: Millis,
    parameters: &Value,
) {
    let mut random = Rng::with_seed(seed());
    let caused = async |faults: &str, events: &[Event]| -> BTreeMap<String, String> {
        let ingress = TestIngress::start().await;
        let loader = host(exchange(faults).await, &ingress);
        post_events(&loader, &ingress, events).await
    };
    for case in 0..CASES {
        let history: Vec<Event> =
            (0..random.usize(1..4)).map(|task| command(task, longest, parameters, &mut random)).collect();
        let mut shuffled = history.clone();
        random.shuffle(&mut shuffled);
        let repeats: Vec<usize> = (0..random.usize(1..4)).map(|_| random.usize(..)).collect();
        let faults = format!("short:0.2,empty:0.1,repeat:0.1,seed:{}", random.u32(..));
        let calm = caused("", &history).await;
        for events in [&history, &with_repeats(&history, &repeats), &with_repeats(&shuffled, &repeats)] {
            assert!(caused(&faults, events).await == calm, "case {case} with {faults}: {events:#?}");
        }
    }
}

/// A command for a slice that is over.
fn command(task: usize, longest: Millis, parameters: &Value, random: &mut Rng) -> Event {
    let to = NOW - random.i64(3..33) * 7 * MINUTE;
    let mut parameters = parameters.clone();
    (parameters["from"], parameters["to"]) = (json!(to - random.i64(1..longest) * MINUTE), json!(to));
    let event = json!({
        "specversion": "1.0", "id": format!("{QUEUE_ID}/start/task-{task}/1"),
        "source": "/streamforge/queue-manager", "type": "io.streamforge.control.start.v1",
        "partitionkey": QUEUE_ID, "queueid": QUEUE_ID, "datacontenttype": "application/json",
        "data": {
            "command": "start", "queue_id": QUEUE_ID, "target": "loader-producer",
            "symbol": random.choice(SYMBOLS), "type": "any", "telemetry_id": "loader-producer__a1b2c3",
            "timestamp": 1_780_272_030.0, "task": format!("task-{task}"), "attempt": 1, "parameters": parameters,
        },
    });
    serde_json::from_value(event).unwrap()
}
