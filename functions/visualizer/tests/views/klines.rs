//! Bars from the newest backwards, and what is missing of them.

use serde_json::{Value, json};

use crate::world::{MINUTE, World};

async fn world() -> World {
    let world = World::new().await;
    // Bars 3 and 4 are missing, and 8.
    world.klines("BTCUSDT", "1m", [0, 1, 2, 5, 6, 7, 9]).await;
    world
}

fn opens(answer: &Value) -> Vec<i64> {
    let rows = answer["data"]["rows"].as_array().unwrap();
    rows.iter().map(|row| row[0].as_i64().unwrap() / MINUTE).collect()
}

#[tokio::test]
async fn pages_go_back_and_tell_what_is_missing() {
    let world = world().await;
    let (status, newest) = world.get("/views/klines?symbol=BTCUSDT&interval=1m&limit=2").await;
    assert_eq!((status, opens(&newest), &newest["data"]["earlier"]), (200, vec![7, 9], &json!(true)));
    assert_eq!(newest["data"]["rows"][0], json!([7 * MINUTE, "1.50", "1.50", "1.50", "1.50", "0"]));
    assert_eq!(newest["data"]["gaps"], json!([{"from": 8 * MINUTE, "to": 9 * MINUTE, "missing": 1}]));
    let path = |bar: i64| format!("/views/klines?symbol=BTCUSDT&interval=1m&limit=3&before={}", bar * MINUTE);
    let (_, middle) = world.get(&path(7)).await;
    assert_eq!(opens(&middle), [2, 5, 6]);
    assert_eq!(middle["data"]["gaps"], json!([{"from": 3 * MINUTE, "to": 5 * MINUTE, "missing": 2}]));
    // Between the last row and what comes after it is a gap, before the first of all there is none.
    let (_, oldest) = world.get(&path(4)).await;
    assert_eq!((opens(&oldest), &oldest["data"]["earlier"]), (vec![0, 1, 2], &json!(false)));
    assert_eq!(oldest["data"]["gaps"], json!([{"from": 3 * MINUTE, "to": 5 * MINUTE, "missing": 2}]));
    let (_, edge) = world.get(&path(5)).await;
    assert_eq!((opens(&edge), edge["data"]["gaps"].as_array().unwrap().len()), (vec![0, 1, 2], 1));
    for none in [path(0), path(-1), "/views/klines?symbol=ETHUSDT&interval=1m".to_owned()] {
        let (status, answer) = world.get(&none).await;
        assert_eq!((status, &answer["data"]), (200, &json!({"rows": [], "gaps": [], "earlier": false})), "{none}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_named() {
    let world = world().await;
    for (query, field) in [
        ("interval=1m", "symbol"),
        ("symbol=BTCUSDT", "interval"),
        ("symbol=BTCUSDT&interval=2m", "interval"),
        ("symbol=%3Cimg%20src=x%3E&interval=1m", "symbol"),
        ("symbol=BTCUSDT&interval=1m&limit=5001", "limit"),
        ("symbol=BTCUSDT&interval=1m&before=x", "before"),
        ("symbol=BTCUSDT&interval=1m&colour=x", "colour"),
        ("symbol=BTCUSDT&interval=1m&interval=1h", "interval"),
    ] {
        let (status, answer) = world.get(&format!("/views/klines?{query}")).await;
        assert_eq!((status, &answer["field"], &answer["data"]), (422, &json!(field), &Value::Null), "{answer}");
    }
}
