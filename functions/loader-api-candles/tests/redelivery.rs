//! Commands that come again, late or in any order cause the same events.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{collections::BTreeMap, time::Duration};

use loader_api_candles::CandleLoader;
use proptest::{collection::vec, prelude::*};
use serde_json::json;
use streamforge_events::{Event, Millis};
use streamforge_exchange::{
    Client, ClientConfig,
    simulator::{self, Clock, SimulatorConfig, Source},
};
use streamforge_function::{
    Function, router,
    test_util::{TestIngress, post_events, with_repeats},
};
use tokio::net::TcpListener;

const MINUTE: Millis = 60_000;
/// 2024-06-03T00:00:30Z.
const NOW: Millis = 1_717_372_830_000;
const QUEUE_ID: &str = "wf-multi-api_candles_1m-20240601-a1b2c3";

/// Serves a market whose clock stands still, for as long as the test's runtime lives.
async fn exchange() -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut config = SimulatorConfig::new(Source::synthetic(42));
    config.clock = Clock::Frozen(NOW);
    tokio::spawn(simulator::serve(listener, config, std::future::pending()));
    let mut config = ClientConfig::new(&url);
    config.backoff = Duration::from_millis(1);
    Client::new(config).unwrap()
}

/// Commands for slices that are over.
fn commands() -> impl Strategy<Value = Vec<Event>> {
    vec((0..2_usize, 1..1_500_i64, 0..30_i64), 1..4).prop_map(|drawn| {
        let numbered = drawn.into_iter().enumerate();
        let command = |(number, (symbol, length, before)): (usize, (usize, i64, i64))| {
            let symbol = ["BTCUSDT", "ETHUSDT"][symbol];
            let to = NOW - (before + 3) * 7 * MINUTE;
            let event = json!({
                "specversion": "1.0", "id": format!("{QUEUE_ID}/start/task-{number}/1"),
                "source": "/streamforge/queue-manager", "type": "io.streamforge.control.start.v1",
                "partitionkey": QUEUE_ID, "queueid": QUEUE_ID, "datacontenttype": "application/json",
                "data": {
                    "command": "start", "queue_id": QUEUE_ID, "target": "loader-api-candles",
                    "symbol": symbol, "type": "api_candles_1m",
                    "telemetry_id": "loader-api-candles__a1b2c3", "timestamp": 1_717_372_830.0,
                    "task": format!("task-{number}"), "attempt": 1,
                    "parameters": {"interval": "1m", "from": to - length * MINUTE, "to": to},
                },
            });
            serde_json::from_value(event).unwrap()
        };
        numbered.map(command).collect()
    })
}

/// What the commands cause.
async fn caused(events: &[Event]) -> BTreeMap<String, String> {
    let ingress = TestIngress::start().await;
    let loader = router(CandleLoader::new(exchange().await), ingress.context(CandleLoader::NAME, NOW));
    post_events(&loader, &ingress, events).await
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn again_or_in_any_order_equals_once(
        (history, shuffled) in commands().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        repeats in vec(any::<usize>(), 1..4),
    ) {
        let once = block_on(caused(&history));
        prop_assert_eq!(&block_on(caused(&with_repeats(&history, &repeats))), &once);
        prop_assert_eq!(&block_on(caused(&with_repeats(&shuffled, &repeats))), &once);
    }
}
