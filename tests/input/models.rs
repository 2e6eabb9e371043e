//! Models that were damaged, and folders that hold something else: told by name, and nothing is written.

use std::fs;

use serde_json::json;
use streamforge_store::{ModelFiles, ModelRegistry, open_objects};

use crate::support::Folder;

async fn publish(folder: &Folder, version: &str, created: i64) {
    let objects = open_objects(&format!("file://{}/objects", folder.data())).await.unwrap();
    let card = json!({"name": "gnn", "version": version, "created": created}).to_string().into_bytes();
    let (onnx, weights) = (format!("onnx {version}").into_bytes(), format!("weights {version}").into_bytes());
    ModelRegistry::new(objects).publish(&ModelFiles { onnx, weights, card }).await.unwrap();
}

#[tokio::test]
async fn damaged_models_and_foreign_folders_are_refused() {
    let folder = Folder::new();
    for (version, created) in [("1", 100), ("2", 200)] {
        publish(&folder, version, created).await;
    }
    let to = folder.path("copy").display().to_string();
    let export = ["models", "export", "gnn", "--to", &to];
    assert_eq!(folder.json(&export)["version"], "2");
    assert_eq!(folder.json(&export)["version"], "2", "the same files again");
    assert_eq!(fs::read_to_string(folder.path("copy/weights.safetensors")).unwrap(), "weights 2");
    assert_eq!(folder.json(&["models", "promote", "gnn", "1"])["latest"], true);
    let shown = folder.json(&["models", "show", "gnn"]);
    assert_eq!((&shown["version"], &shown["card"]["created"]), (&json!("1"), &json!(100)));
    let listed = folder.json(&["models", "list"]);
    assert_eq!(
        (&listed[0]["version"], &listed[0]["latest"], &listed[1]["latest"]),
        (&json!("2"), &json!(false), &json!(true))
    );
    let told = |arguments: &[&str], words: &str| {
        let ended = folder.command(arguments);
        assert!(ended.code == Some(1) && ended.stderr.contains(words), "{arguments:?}, `{words}`: {ended:?}");
    };
    told(&export, "holds `");
    assert_eq!(fs::read_to_string(folder.path("copy/weights.safetensors")).unwrap(), "weights 2");
    told(&["models", "show", "gnn", "--version", "3"], "model `gnn` version `3` is not in the registry");
    told(&["models", "promote", "other", "1"], "model `other` version `1` is not in the registry");

    fs::write(folder.path("data/objects/models/gnn/1/model.onnx"), "onnx").unwrap();
    let elsewhere = folder.path("elsewhere").display().to_string();
    let words = "model `gnn` version `1` is damaged: model.onnx was truncated: it has 4 of 6 bytes";
    told(&["models", "export", "gnn", "--to", &elsewhere], words);
    told(&["models", "show", "gnn"], words);
    told(&["models", "promote", "gnn", "1"], words);
    assert!(!folder.path("elsewhere").exists(), "something of a damaged model was written");
}
