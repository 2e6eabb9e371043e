//! What is documented is served, and whatever is wrong is told in one form.

use serde_json::json;
use streamforge_function::axum::{body::Body, http::Request};

use crate::world::World;

#[tokio::test]
async fn every_documented_view_is_served_and_every_schema_exists() {
    let world = World::new().await;
    let (status, document) = world.get("/views/openapi.json").await;
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    let methods = |path: &serde_json::Value| path.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for (path, described) in document["paths"].as_object().unwrap() {
        for method in methods(described) {
            let request = Request::builder().method(method.to_uppercase().as_str()).uri(path.replace(['{', '}'], ""));
            let code = world.code(request.body(Body::empty()).unwrap()).await;
            assert!(!["unknown_path", "method_not_allowed"].contains(&code.as_str()), "{path}");
        }
    }
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[tokio::test]
async fn whatever_is_wrong_the_answer_is_an_envelope() {
    let world = World::new().await;
    let foreign = Request::get("/views/symbols").header("origin", "http://evil.test").header("host", "a");
    for (request, status, code) in [
        (Request::get("/views/nowhere"), 404, "unknown_path"),
        (Request::delete("/views/symbols"), 405, "method_not_allowed"),
        (foreign, 403, "foreign_origin"),
    ] {
        let (answered, answer) = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((answered, &answer["code"], &answer["status"]), (status, &json!(code), &json!("error")));
    }
}
