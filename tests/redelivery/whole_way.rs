//! From the request to the end with deliveries that are doubled, shuffled and repeated: the same end as in a calm run.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::Value;
use streamforge_events::{AttributesReader, Event, EventType, data};

use crate::{
    functions::{Functions, Left, requested},
    seed,
};

/// How a log delivers.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// Each event once, in the order of its publication.
    Calm,
    /// Each event is done and its answer gets lost, so that it comes again at once.
    LostAnswers,
    /// Each event twice, in any order.
    Shuffled,
}

/// What a run published and left behind.
struct Run {
    /// Type and content of every event by source and id.
    events: BTreeMap<(String, String), (String, Value)>,
    left: Left,
    deliveries: usize,
}

async fn run(order: Order, random: &mut Rng) -> Run {
    let functions = Functions::start().await;
    let mut events = BTreeMap::new();
    let mut pending = vec![requested(); if order == Order::Shuffled { 2 } else { 1 }];
    let (mut deliveries, mut queue_id) = (0, String::new());
    while !pending.is_empty() {
        let next = if order == Order::Shuffled { random.usize(..pending.len()) } else { 0 };
        let event = pending.remove(next);
        let mut published = functions.deliver(&event).await;
        if order == Order::LostAnswers {
            published.extend(functions.deliver(&event).await);
        }
        deliveries += 1;
        for event in published {
            let seen = content(&event);
            if event.ty() == EventType::WorkflowFinished.as_str() {
                event.subject().unwrap().clone_into(&mut queue_id);
            }
            let place = (event.source().clone(), event.id().to_owned());
            let known = events.insert(place, seen.clone());
            match known {
                Some(known) => assert_eq!(known, seen, "an id stands for one content"),
                None => pending.extend(vec![event; if order == Order::Shuffled { 2 } else { 1 }]),
            }
        }
    }
    Run { events, left: functions.left(&queue_id).await, deliveries }
}

/// Type and payload; when the exchange was read and which delivery caused it may differ.
fn content(event: &Event) -> (String, Value) {
    let mut payload: Value = data(event).unwrap();
    payload.as_object_mut().unwrap().remove("read_at");
    (event.ty().to_owned(), payload)
}

impl Run {
    fn count(&self, kind: EventType) -> usize {
        self.events.values().filter(|(name, _)| name == kind.as_str()).count()
    }
}

#[tokio::test]
async fn any_delivery_comes_to_the_same_end() {
    let mut random = Rng::with_seed(seed());
    let calm = run(Order::Calm, &mut random).await;
    assert_eq!(calm.left.document["status"], "finished");
    assert_eq!(calm.count(EventType::WorkflowFinished), 1);
    assert_eq!(calm.left.rows.len(), 4, "klines and trades of two symbols");
    assert!(calm.count(EventType::KlinesLoaded) == 4 && calm.count(EventType::TradesLoaded) >= 4);
    for order in [Order::LostAnswers, Order::Shuffled, Order::Shuffled] {
        let other = run(order, &mut random).await;
        assert!(other.deliveries >= calm.deliveries);
        assert!(other.left == calm.left, "left behind:\n{:#}\n{:#}", other.left.document, calm.left.document);
        for (place, event) in &other.events {
            assert_eq!(calm.events.get(place), Some(event), "{place:?}");
        }
        assert_eq!(other.events.len(), calm.events.len());
    }
}
