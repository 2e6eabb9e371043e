//! Trades from the newest backwards.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn pages_go_back_by_id() {
    let world = World::new().await;
    world.trades("BTCUSDT", 10..15).await;
    let (_, newest) = world.get("/views/trades?symbol=BTCUSDT&limit=2").await;
    let row = |id: i64| json!([id, 100 + id, "1.50", "0.10", true]);
    assert_eq!(newest["data"], json!({"rows": [row(13), row(14)], "earlier": true}));
    let (_, before) = world.get("/views/trades?symbol=BTCUSDT&limit=3&before=13").await;
    assert_eq!(before["data"], json!({"rows": [row(10), row(11), row(12)], "earlier": false}));
    for query in ["", "symbol=BTCUSDT&before=x", "symbol=BTCUSDT&limit=0", "symbol=BTCUSDT&interval=1m"] {
        assert_eq!(world.get(&format!("/views/trades?{query}")).await.0, 422, "{query}");
    }
}
