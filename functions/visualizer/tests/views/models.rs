//! Models listed with what their cards say, shown, and put into use.

use serde_json::{Value, json};
use streamforge_function::axum::{body::Body, http::Request};
use streamforge_store::{ModelFiles, ModelRegistry};

use crate::world::World;

async fn world() -> World {
    let world = World::new().await;
    let registry = ModelRegistry::new(world.objects.clone());
    for (version, created) in [("1", 1000), ("2", 2000)] {
        let card = json!({
            "name": "gnn", "version": version, "created": created, "graph": "g", "interval": "1h",
            "definition": {"horizon": 4}, "training": {"epochs": 12}, "symbols": ["A", "B"],
            "scores": {"volatility": {"gnn": [1.0, 0.5]}}, "note": "<img src=x onerror=alert(1)>",
        });
        let files = ModelFiles { onnx: version.into(), weights: b"w".to_vec(), card: card.to_string().into_bytes() };
        registry.publish(&files).await.unwrap();
    }
    world
}

fn promote(name: &str, body: &Value) -> Request<Body> {
    let request = Request::post(format!("/views/models/{name}/promote")).header("content-type", "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn versions_are_listed_with_their_cards_in_short() {
    let world = world().await;
    let (_, answer) = world.get("/views/models").await;
    let models = answer["data"]["models"].as_array().unwrap();
    assert_eq!((models.len(), &models[0]["name"], &models[0]["latest"]), (1, &json!("gnn"), &json!("2")));
    let newest = &models[0]["versions"][0];
    let expected = json!({
        "version": "2", "trained_at": 2000, "epochs": 12, "graph": "g", "interval": "1h", "horizon": 4, "symbols": 2,
        "scores": {"volatility": {"gnn": [1.0, 0.5]}}, "verdicts": null,
    });
    assert_eq!(newest, &expected);
    let (_, shown) = world.get("/views/models/gnn/1").await;
    assert_eq!((&shown["data"]["latest"], &shown["data"]["card"]["training"]["epochs"]), (&json!(false), &json!(12)));
    assert_eq!(shown["data"]["card"]["note"], "<img src=x onerror=alert(1)>");
}

#[tokio::test]
async fn a_version_is_put_into_use() {
    let world = world().await;
    let (status, answer) = world.send(promote("gnn", &json!({"version": "1"}))).await;
    assert_eq!((status, &answer["data"]), (200, &json!({"name": "gnn", "version": "1", "latest": true})), "{answer}");
    assert_eq!(world.get("/views/models").await.1["data"]["models"][0]["latest"], "1");
    for (name, body, status, code) in [
        ("gnn", json!({"version": "9"}), 404, "unknown_model"),
        ("other", json!({"version": "1"}), 404, "unknown_model"),
        ("gnn", json!({"version": "../x"}), 422, "invalid_field"),
        ("gnn", json!({"version": 1}), 422, "invalid_field"),
        ("gnn", json!({}), 422, "missing_field"),
        ("%3Cimg%3E", json!({"version": "1"}), 404, "unknown_model"),
    ] {
        let (answered, answer) = world.send(promote(name, &body)).await;
        assert_eq!((answered, &answer["code"]), (status, &json!(code)), "{name} {body}");
    }
    let form = Request::post("/views/models/gnn/promote").body(Body::from("version=2")).unwrap();
    assert_eq!(world.send(form).await.0, 415);
    for path in ["gnn/9", "none/1", "gnn/%3Cimg%20src=x%3E"] {
        assert_eq!(world.get(&format!("/views/models/{path}")).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_damaged_version_is_told_of_and_hides_no_other() {
    let world = world().await;
    world.objects.put("models/gnn/1/card.json", b"{}".to_vec()).await.unwrap();
    let (status, answer) = world.get("/views/models/gnn/1").await;
    assert_eq!((status, &answer["code"]), (409, &json!("damaged_model")), "{answer}");
    assert_eq!(world.send(promote("gnn", &json!({"version": "1"}))).await.0, 409);
    let (_, list) = world.get("/views/models").await;
    let versions = list["data"]["models"][0]["versions"].as_array().unwrap();
    assert_eq!((versions.len(), &versions[0]["epochs"], &versions[1]["epochs"]), (2, &json!(12), &Value::Null));
}
