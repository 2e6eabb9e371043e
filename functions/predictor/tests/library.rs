//! Without ONNX Runtime the function starts, and says what to do when a model needs it.
//!
//! A process loads the library once, so that this is the only test of its process.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[expect(dead_code, reason = "each target needs its own part")]
mod common;

use common::Stage;
use predictor::{Predictor, Runtime};
use serde_json::json;
use streamforge_function::{Function, test_util::config};

#[tokio::test]
async fn the_library_is_missed_by_the_first_model_alone() {
    let mut stage = Stage::set().await;
    let missing = "/no/such/libonnxruntime.so";
    let url = |kind: &str, name: &str| format!("{kind}://{}", stage.path().join(name).display());
    let (store, objects) = (url("sqlite", "store.db"), url("file", "objects"));
    let stores = [("STREAMFORGE_STORE_URL", store.as_str()), ("STREAMFORGE_OBJECTS_URL", objects.as_str())];
    let sound = [&stores[..], &[("ORT_DYLIB_PATH", missing)]].concat();
    assert!(Predictor::from_config(&config(&sound, Predictor::SETTINGS)).await.is_ok());
    for (variables, words) in [
        (&stores[1..], "`STREAMFORGE_STORE_URL` is not set"),
        (&stores[..1], "`STREAMFORGE_OBJECTS_URL` is not set"),
        (&[stores[0], ("STREAMFORGE_OBJECTS_URL", "ftp://bucket")], "`STREAMFORGE_OBJECTS_URL` is not valid"),
        (&[stores[0], stores[1], ("STREAMFORGE_PREDICTION_PATIENCE", "soon")], "expected a duration"),
    ] {
        let error = Predictor::from_config(&config(variables, Predictor::SETTINGS)).await.err().unwrap();
        assert!(error.to_string().contains(words), "{error}");
    }

    stage.restart_with(Runtime::new(Some(missing)));
    let last = stage.infer(&json!({})).await;
    let said = last["error_message"].as_str().unwrap();
    assert!(said.contains("there is no file `/no/such/libonnxruntime.so`; set ORT_DYLIB_PATH"), "{said}");
    assert!(stage.predictions().await.is_empty());
    // The library that is there is found by the next attempt.
    stage.restart();
    assert_eq!(stage.infer(&json!({})).await["status"], "finished");
}
