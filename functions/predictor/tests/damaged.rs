//! Models that are damaged, or that say of themselves what is not so, are refused with the reason.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[expect(dead_code, reason = "each target needs its own part")]
mod common;

use std::fs;

use common::{SIZE, Stage, card, files, onnx, with_card};
use serde_json::{Value, json};
use streamforge_events::EventType;
use streamforge_store::ModelFiles;

/// Asserts that a range is refused with these words and that nothing of it was kept.
async fn assert_refused(stage: &Stage, words: &str) {
    let last = stage.infer(&json!({})).await;
    assert_eq!((&last["status"], &last["finished"]), (&json!("error"), &json!(true)), "{words}: {last}");
    let said = last["error_message"].as_str().unwrap();
    assert!(said.contains(words), "{words}: {said}");
    assert!(stage.predictions().await.is_empty() && stage.events(EventType::PredictionMade).is_empty());
}

#[tokio::test]
async fn a_damaged_file_is_named() {
    for (file, damage, words) in [
        ("model.onnx", "truncate", "model.onnx was truncated"),
        ("model.onnx", "edit", "model.onnx was edited"),
        ("model.onnx", "swap", "model.onnx was swapped: it holds card.json"),
        ("model.onnx", "remove", "model.onnx is missing"),
        ("card.json", "truncate", "card.json was truncated"),
        ("card.json", "edit", "card.json was edited"),
        ("weights.safetensors", "edit", "weights.safetensors was edited"),
        ("manifest.json", "truncate", "manifest.json was truncated or edited"),
    ] {
        let stage = Stage::set().await;
        let path = stage.file("1", file);
        let mut bytes = fs::read(&path).unwrap();
        match damage {
            "truncate" => bytes.truncate(bytes.len() / 2),
            "edit" => bytes[3] ^= 1,
            "swap" => bytes = fs::read(stage.file("1", "card.json")).unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
        if damage != "remove" {
            fs::write(&path, bytes).unwrap();
        }
        assert_refused(&stage, words).await;
    }
}

#[tokio::test]
async fn an_open_version_goes_on_when_its_files_are_damaged() {
    let mut stage = Stage::set().await;
    assert_eq!(stage.infer(&json!({})).await["status"], "finished");
    fs::write(stage.file("1", "model.onnx"), "edited").unwrap();
    assert_eq!(stage.infer(&json!({})).await["status"], "finished");
    stage.restart();
    assert_eq!(stage.infer(&json!({})).await["status"], "error");
}

#[tokio::test]
async fn a_model_that_this_program_cannot_compute_is_refused() {
    let sound = || serde_json::to_value(card("2")).unwrap();
    let changed = |change: fn(&mut Value)| {
        let mut card = sound();
        change(&mut card);
        with_card(&card, onnx::network(SIZE, -6.0))
    };
    let other = onnx::Size { features: SIZE.features + 1, ..SIZE };
    for (files, words) in [
        (changed(|card| card["definition"]["features"][1] = json!("moon_phase")), "feature `moon_phase` is not known"),
        (changed(|card| card["definition"]["features"][1] = json!("volatility_0")), "feature `volatility_0`"),
        (changed(|card| card["definition"]["horizon"] = json!(0)), "horizon must be at least one bar"),
        (changed(|card| card["definition"]["interval"] = json!("5m")), "definition is of another interval"),
        (changed(|card| card["lags"] = json!([1, 2, 5])), "lags must ascend from 0"),
        (changed(|card| card["lags"] = json!([0, 2])), "has the shape"),
        (changed(|card| card["definition"] = Value::Null), "its card cannot be read"),
        (with_card(&sound(), onnx::network(other, -6.0)), "`features` of the network has the shape"),
        (with_card(&sound(), b"no network".to_vec()), "ONNX Runtime refused the network"),
        (with_card(&sound(), Vec::new()), "ONNX Runtime refused the network"),
        (with_card(&sound(), onnx::network(SIZE, f32::NAN)), "volatility NaN is no number"),
        (with_card(&sound(), onnx::network(SIZE, f32::INFINITY)), "volatility inf is no number"),
    ] {
        let stage = Stage::set().await;
        stage.publish(&files).await;
        assert_refused(&stage, "model `gnn` version `2` cannot be used: ").await;
        assert_refused(&stage, words).await;
    }
}

#[tokio::test]
async fn a_model_that_is_whole_again_serves() {
    let stage = Stage::set().await;
    let whole: ModelFiles = files(&card("1"), -6.0);
    fs::write(stage.file("1", "model.onnx"), "edited").unwrap();
    assert_refused(&stage, "model.onnx was truncated").await;
    stage.registry.publish(&whole).await.unwrap();
    assert_eq!(stage.infer(&json!({})).await["status"], "finished");
}
