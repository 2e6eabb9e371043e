//! Commands that come again, late or in any order cause the same reports.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::collections::BTreeMap;

use common::command;
use dummy_service::{Behaviour, Dummy};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use streamforge_events::Event;
use streamforge_function::{
    Function, router,
    test_util::{TestIngress, post_events, with_repeats},
};

/// A ping, or a start with some behaviour.
fn any_command() -> impl Strategy<Value = Event> {
    (0..5_u8, 0..4_u32, proptest::option::of(0..4_u32)).prop_map(|(kind, steps, fail_after)| {
        let mut parameters = json!({"simulate_loading": {"steps": steps, "step_ms": 0}});
        if let Some(fail_after) = fail_after {
            parameters["fail_after"] = fail_after.into();
        }
        let event = match kind {
            0 => command("ping", "dummy", &json!({})),
            1 => command("start", "unknown", &parameters),
            _ => command("start", "dummy", &parameters),
        };
        let mut event: Value = serde_json::to_value(event).unwrap();
        event["id"] = format!("{kind}-{steps}-{fail_after:?}").into();
        serde_json::from_value(event).unwrap()
    })
}

async fn caused(events: &[Event]) -> BTreeMap<String, String> {
    let ingress = TestIngress::start().await;
    let dummy = router(Dummy::new(Behaviour::default()), ingress.context(Dummy::NAME, 1_722_500_125_456));
    post_events(&dummy, &ingress, events).await
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn again_or_in_any_order_equals_once(
        (history, shuffled) in vec(any_command(), 1..6).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        repeats in vec(any::<usize>(), 1..6),
    ) {
        let once = block_on(caused(&history));
        prop_assert_eq!(&block_on(caused(&with_repeats(&history, &repeats))), &once);
        prop_assert_eq!(&block_on(caused(&with_repeats(&shuffled, &repeats))), &once);
    }
}
