//! Objects: whole or not at all, under keys that stay inside the store.

use std::{future::Future, sync::Arc};

use tokio::task::JoinSet;

use crate::{Error, ObjectStore};

/// A place for one store of objects, empty at first.
pub trait ObjectBackend: Send + Sync {
    /// Opens the store once more, as another process would.
    fn open(&self) -> impl Future<Output = Result<Arc<dyn ObjectStore>, Error>> + Send;
}

/// Makes one test of each promise; `$backend` is an expression that makes a fresh [`ObjectBackend`].
#[macro_export]
macro_rules! object_contract {
    ($backend:expr) => {
        $crate::store_contract! { $backend,
            objects: object_is_read_as_it_was_put, list_selects_by_prefix, deleted_object_is_gone,
                bad_keys_are_refused, object_is_never_seen_in_part;
        }
    };
}

/// Bytes come back as they were, and a second put replaces them.
pub async fn object_is_read_as_it_was_put(backend: &impl ObjectBackend) -> Result<(), Error> {
    let store = backend.open().await?;
    let every_byte: Vec<u8> = (0..=255).collect();
    for key in ["a", "models/gnn/1.onnx", "币安/x:y%z ü"] {
        assert_eq!(store.get(key).await?, None);
        store.put(key, every_byte.clone()).await?;
        assert_eq!(backend.open().await?.get(key).await?.as_ref(), Some(&every_byte));
        store.put(key, Vec::new()).await?;
        assert_eq!(store.get(key).await?, Some(Vec::new()));
    }
    Ok(())
}

/// A prefix is one of the whole key, not of its parts, and keys come in their order.
pub async fn list_selects_by_prefix(backend: &impl ObjectBackend) -> Result<(), Error> {
    let store = backend.open().await?;
    let keys = ["a", "data/2", "data/2024/x", "data/2024/y", "datum"];
    for key in keys.iter().rev() {
        store.put(key, vec![1]).await?;
    }
    for (prefix, expected) in [
        ("", &keys[..]),
        ("data/", &keys[1..4]),
        ("dat", &keys[1..]),
        ("data/2", &keys[1..4]),
        ("data/2024/y", &keys[3..4]),
        ("b", &[]),
        ("../", &[]),
    ] {
        assert_eq!(store.list(prefix).await?, expected, "prefix `{prefix}`");
    }
    Ok(())
}

/// Deleting tells whether there was something, and nothing else goes with it.
pub async fn deleted_object_is_gone(backend: &impl ObjectBackend) -> Result<(), Error> {
    let store = backend.open().await?;
    store.put("a/b", vec![1]).await?;
    store.put("a/c", vec![2]).await?;
    assert!(store.delete("a/b").await?);
    assert!(!store.delete("a/b").await?);
    assert!(!store.delete("a").await?);
    assert_eq!(store.list("").await?, ["a/c"]);
    Ok(())
}

/// No key leads out of the store.
pub async fn bad_keys_are_refused(backend: &impl ObjectBackend) -> Result<(), Error> {
    let store = backend.open().await?;
    for key in ["", "/etc/x", "..", "../x", "a/../../x", "a//b", "a/", "a\0b", "a\nb", ".hidden", "a\\b"] {
        for refused in [store.put(key, vec![1]).await.err(), store.get(key).await.err(), store.delete(key).await.err()]
        {
            assert!(matches!(refused, Some(Error::ObjectKey { .. })), "{key:?}: {refused:?}");
        }
    }
    assert!(store.list("").await?.is_empty());
    Ok(())
}

/// While writers replace an object, readers see one of their objects whole.
pub async fn object_is_never_seen_in_part(backend: &impl ObjectBackend) -> Result<(), Error> {
    let mut writers = JoinSet::new();
    backend.open().await?.put("x", vec![0; 100_000]).await?;
    for writer in 1..4_u8 {
        let store = backend.open().await?;
        writers.spawn(async move {
            for _ in 0..5 {
                store.put("x", vec![writer; 100_000]).await?;
                let read = store.get("x").await?.unwrap_or_default();
                assert_eq!(read.len(), 100_000);
                assert!(read.iter().all(|byte| *byte == read[0]));
            }
            Ok::<(), Error>(())
        });
    }
    for written in writers.join_all().await {
        written?;
    }
    assert_eq!(backend.open().await?.list("").await?, ["x"]);
    Ok(())
}
