//! The order book as the log has it.

use serde_json::{Value, json};

use crate::world::World;

const DEPTH: &str = "io.streamforge.depth.updated.v1";
const GAP: &str = "io.streamforge.feed.interrupted.v1";

impl World {
    async fn tell(&self, kind: &str, symbol: &str, data: &Value) {
        let headers = [("ce_type", kind), ("ce_subject", symbol), ("ce_partitionkey", symbol)];
        self.publish_with("market-data", &headers, &data.to_string()).await;
    }

    async fn book(&self, symbol: &str) -> Value {
        let (status, answer) = self.get(&format!("/views/book?symbol={symbol}")).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"].clone()
    }
}

/// A batch with one difference that sets one bid, and with a whole book before it where there is one.
fn batch(update: u64, bid: [&str; 2], snapshot: Option<Value>) -> Value {
    let mut batch = json!({
        "symbol": "BTCUSDT", "checksum": 0, "best": [["99", "1"], ["101", "1"]],
        "updates": [{
            "U": update, "u": update, "b": [bid], "a": [], "clocks": [1, 1, 1],
        }],
    });
    if let Some(snapshot) = snapshot {
        batch["snapshot"] = snapshot;
    }
    batch
}

fn whole(update: u64) -> Value {
    json!({"last_update_id": update, "bids": [["99", "1"], ["98", "2"]], "asks": [["101", "1"], ["102", "5"]]})
}

#[tokio::test]
async fn a_book_is_whole_since_a_whole_one_was_told_of() {
    let world = World::new().await;
    let nothing = world.book("BTCUSDT").await;
    assert_eq!(nothing, json!({"book": null, "resume": "0.0"}));
    // Of changes alone, what the price has gone past is left out.
    for (update, price) in [(1, "97"), (2, "100")] {
        world.tell(DEPTH, "BTCUSDT", &batch(update, [price, "3"], None)).await;
    }
    let partial = world.book("BTCUSDT").await["book"].clone();
    assert_eq!((&partial["trust"], &partial["bids"]), (&json!("partial"), &json!([["97", "3"]])));

    world.tell(DEPTH, "BTCUSDT", &batch(11, ["98", "0"], Some(whole(10)))).await;
    world.tell("io.streamforge.klines.loaded.v1", "BTCUSDT", &json!({})).await;
    world.tell(DEPTH, "BTCUSDT", &json!({"symbol": "BTCUSDT", "snapshot": 5})).await;
    // Whoever shares the partition changes nothing, however much it is.
    for update in 0..450 {
        world.tell(DEPTH, "BTCUSDT", &batch(12 + update, ["98.50", &format!("{update}")], None)).await;
        world.tell(DEPTH, "ETHUSDT", &batch(12 + update, ["1", "1"], None)).await;
    }
    let told = world.book("BTCUSDT").await;
    let expected = json!({
        "last_update_id": 461, "trust": "whole", "at": told["book"]["at"],
        "bids": [["99", "1"], ["98.50", "449"]], "asks": [["101", "1"], ["102", "5"]],
    });
    assert_eq!(told["book"], expected);
    assert_eq!(world.book("ETHUSDT").await["book"]["trust"], "partial");

    // What is told of from here on goes on from the book.
    let gap = json!({
        "symbol": "BTCUSDT", "stream": "depth", "from": 462, "to": 462, "state": "open", "why": "x", "since": 1,
    });
    world.tell(GAP, "BTCUSDT", &gap).await;
    assert_eq!(world.book("BTCUSDT").await["book"]["trust"], "broken");
    world.tell(DEPTH, "BTCUSDT", &batch(471, ["97", "1"], Some(whole(470)))).await;
    assert_eq!(world.book("BTCUSDT").await["book"]["trust"], "whole");
    for query in ["", "?symbol=", "?symbol=%3Cimg%3E", "?symbol=BTCUSDT&at=1"] {
        assert_eq!(world.get(&format!("/views/book{query}")).await.0, 422, "{query}");
    }
}
