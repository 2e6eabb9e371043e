//! A race of publishers that only a store which lets one of them run in the middle of the other's write can show.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::{FolderObjects, ObjectSwap};

/// Publishes a version just before the network of another publisher takes its place.
struct Overtaken {
    objects: Arc<FolderObjects>,
    by: Mutex<Option<ModelFiles>>,
}

#[async_trait]
impl ObjectStore for Overtaken {
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), Error> {
        self.objects.put(key, bytes).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.objects.get(key).await
    }

    async fn compare_and_set(&self, key: &str, expected: Option<&[u8]>, bytes: Vec<u8>) -> Result<ObjectSwap, Error> {
        let by = self.by.lock().unwrap().take_if(|_| key.ends_with("model.onnx"));
        if let Some(files) = by {
            ModelRegistry::new(self.objects.clone()).publish(&files).await?;
        }
        self.objects.compare_and_set(key, expected, bytes).await
    }

    async fn sizes(&self, prefix: &str) -> Result<Vec<(String, u64)>, Error> {
        self.objects.sizes(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<bool, Error> {
        self.objects.delete(key).await
    }
}

fn files(content: &str) -> ModelFiles {
    let card = json!({"name": "gnn", "version": "1", "created": 1, "content": content}).to_string().into_bytes();
    ModelFiles { onnx: format!("onnx {content}").into_bytes(), weights: b"weights".to_vec(), card }
}

#[tokio::test]
async fn overtaken_publisher_puts_back_what_it_has_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let objects = Arc::new(FolderObjects::open(folder.path()).await.unwrap());
    // The winner has written its network already when the other one looks.
    objects.put("models/gnn/1/model.onnx", files("winner").onnx).await.unwrap();
    let by = Mutex::new(Some(files("winner")));
    let overtaken = ModelRegistry::new(Arc::new(Overtaken { objects: objects.clone(), by }));
    let refused = overtaken.publish(&files("loser")).await.unwrap_err();
    assert!(matches!(refused, Error::ModelExists { .. }), "{refused:?}");
    let (name, version) = ("gnn".parse().unwrap(), "1".parse().unwrap());
    let read = ModelRegistry::new(objects).load(&name, Some(&version)).await.unwrap();
    assert_eq!(read.files, files("winner"));
}

#[tokio::test]
async fn a_note_that_says_the_same_again_is_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let objects = Arc::new(FolderObjects::open(folder.path()).await.unwrap());
    let registry = ModelRegistry::new(objects).keeping(NonZeroUsize::MIN);
    let name = "gnn".parse().unwrap();
    for version in ["1", "2"] {
        let card = json!({"name": "gnn", "version": version, "created": version.parse::<i64>().unwrap()}).to_string();
        registry.publish(&ModelFiles { card: card.into_bytes(), ..files(version) }).await.unwrap();
    }
    // Somebody looks, and before that one writes, version 1 is dropped and forgotten: the note says what it said.
    let seen = registry.read_latest(&name).await.unwrap().unwrap();
    let said = seen.latest.clone().unwrap();
    let dropped = ["1".parse().unwrap()].into();
    for between in [latest::Latest { dropped, ..said.clone() }, said.clone()] {
        let stored = registry.read_latest(&name).await.unwrap();
        assert!(registry.swap_latest(&name, stored.as_ref(), &between).await.unwrap());
    }
    let next = latest::Latest { version: "1".parse().unwrap(), ..said };
    assert!(!registry.swap_latest(&name, Some(&seen), &next).await.unwrap(), "a version that is gone is in use");
}
