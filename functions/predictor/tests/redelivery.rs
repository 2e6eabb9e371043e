//! Commands and bars that come again, late or in another order leave the same predictions and the same events.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[expect(dead_code, reason = "each target needs its own part")]
mod common;

use std::collections::BTreeMap;

use common::{MINUTE, START, SYMBOLS, Stage, card, command, control, files, new_bar, parameters, stop};
use proptest::{collection::vec, prelude::*};
use serde_json::json;
use streamforge_events::Event;
use streamforge_function::test_util::{post_events, with_repeats};

/// Commands of different times for ranges that overlap, with either version; some cannot be done.
fn commands() -> impl Strategy<Value = Vec<Event>> {
    vec((0..50_i64, 1..30_i64, 0..5_u8), 1..5).prop_map(|drawn| {
        let numbered = (1..).zip(drawn);
        let command = |(time, (from, length, kind)): (u32, (i64, i64, u8))| {
            let mut parameters = parameters();
            parameters["from"] = json!(START + from * MINUTE);
            parameters["to"] = json!(START + (from + length) * MINUTE);
            parameters["version"] = json!(if kind < 2 { "1" } else { "2" });
            if kind == 4 {
                parameters["symbols"] = json!(["AAA"]);
            }
            control("start", "gnn_infer", &parameters, f64::from(time))
        };
        numbered.map(command).collect()
    })
}

/// What the commands leave in the store, and what they cause.
async fn left(events: &[Event]) -> (Vec<String>, BTreeMap<String, String>) {
    let stage = Stage::set().await;
    stage.publish(&files(&card("2"), -5.0)).await;
    let published = post_events(&stage.predictor, &stage.ingress, events).await;
    (stage.predictions().await.iter().map(|one| json!(one).to_string()).collect(), published)
}

/// The same of new bars, all of which are stored already, and of a subscription that is stopped at the end.
async fn left_by_bars(events: &[Event]) -> (Vec<String>, BTreeMap<String, String>) {
    let stage = Stage::set().await;
    let subscribe = command("realtime_gnn_infer", &parameters());
    let mut published = post_events(&stage.predictor, &stage.ingress, &[subscribe]).await;
    published.extend(post_events(&stage.predictor, &stage.ingress, events).await);
    (stage.predictions().await.iter().map(|one| json!(one).to_string()).collect(), published)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn again_or_in_any_order_equals_once(
        (history, shuffled) in commands().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        repeats in vec(any::<usize>(), 1..6),
    ) {
        let once = block_on(left(&history));
        prop_assert_eq!(&block_on(left(&with_repeats(&history, &repeats))), &once);
        prop_assert_eq!(&block_on(left(&with_repeats(&shuffled, &repeats))), &once);
    }

    #[test]
    fn new_bars_again_equal_new_bars_once(
        bars in vec(0..SYMBOLS.len(), 1..8),
        is_stopped in any::<bool>(),
        repeats in vec(any::<usize>(), 1..6),
    ) {
        let mut history: Vec<Event> = (40..).zip(bars).map(|(bar, symbol)| new_bar(symbol, bar)).collect();
        history.extend(is_stopped.then(stop));
        let once = block_on(left_by_bars(&history));
        prop_assert_eq!(&block_on(left_by_bars(&with_repeats(&history, &repeats))), &once);
    }
}
