//! Objects: whole or not at all, under keys that stay inside the store.

use std::{future::Future, sync::Arc};

use tokio::task::JoinSet;

use crate::{Error, ObjectStore, ObjectSwap};

/// A place for one store of objects, empty at first.
pub trait ObjectBackend: Send + Sync {
    /// Opens the store once more, as another process would.
    fn open(&self) -> impl Future<Output = Result<Arc<dyn ObjectStore>, Error>> + Send;
}

/// Makes one test of each promise; `$backend` is an expression that makes a fresh [`ObjectBackend`].
#[macro_export]
macro_rules! object_contract {
    ($backend:expr) => {
        $crate::store_contract! { Some($backend),
            objects: object_is_read_as_it_was_put, list_selects_by_prefix, sizes_are_those_of_the_objects,
                deleted_object_is_gone,
                bad_keys_are_refused, object_is_never_seen_in_part,
                lost_swap_shows_the_current_object, racing_swaps_each_count_once;
            models: version_is_read_as_it_was_published, version_never_changes, racing_contents_leave_one_whole,
                newer_of_racing_versions_is_latest, promoted_version_stays_latest, half_written_version_is_not_seen,
                publishing_again_finishes_what_was_begun, damaged_file_is_named,
                damaged_note_of_the_latest_is_replaced, old_versions_are_dropped_by_count, ten_old_versions_are_kept,
                interrupted_drop_is_finished, latest_is_always_whole, unfit_card_is_refused, models_are_kept_apart;
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

/// Each key comes with the size of its object as it is now.
pub async fn sizes_are_those_of_the_objects(backend: &impl ObjectBackend) -> Result<(), Error> {
    let store = backend.open().await?;
    for (key, bytes) in [("a/b", 3), ("a/ü", 0), ("b", 1), ("a/b", 70_000)] {
        store.put(key, vec![1; bytes]).await?;
    }
    let found = backend.open().await?.sizes("a/").await?;
    assert_eq!(found, [("a/b".to_owned(), 70_000), ("a/ü".to_owned(), 0)]);
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
        for refused in [
            store.put(key, vec![1]).await.err(),
            store.get(key).await.err(),
            store.delete(key).await.err(),
            store.compare_and_set(key, None, vec![1]).await.err(),
        ] {
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

/// Who expects another content than there is changes nothing and is shown what there is.
pub async fn lost_swap_shows_the_current_object(backend: &impl ObjectBackend) -> Result<(), Error> {
    let store = backend.open().await?;
    let key = "models/ü/latest";
    assert_eq!(store.compare_and_set(key, Some(b"a"), b"x".to_vec()).await?, ObjectSwap::Lost(None));
    assert_eq!(store.get(key).await?, None);
    assert_eq!(store.compare_and_set(key, None, b"a".to_vec()).await?, ObjectSwap::Won);
    for expected in [None, Some(&b"b"[..]), Some(b""), Some(b"aa")] {
        let lost = backend.open().await?.compare_and_set(key, expected, b"x".to_vec()).await?;
        assert_eq!(lost, ObjectSwap::Lost(Some(b"a".to_vec())));
    }
    assert_eq!(store.compare_and_set(key, Some(b"a"), Vec::new()).await?, ObjectSwap::Won);
    assert_eq!(store.compare_and_set(key, Some(b""), b"c".to_vec()).await?, ObjectSwap::Won);
    assert_eq!(store.get(key).await?.as_deref(), Some(&b"c"[..]));
    assert_eq!(store.list("").await?, [key]);
    store.delete(key).await?;
    assert_eq!(store.compare_and_set(key, Some(b"c"), b"d".to_vec()).await?, ObjectSwap::Lost(None));
    Ok(())
}

/// Writers of several processes that each add one make as many as there are.
pub async fn racing_swaps_each_count_once(backend: &impl ObjectBackend) -> Result<(), Error> {
    let stores = [backend.open().await?, backend.open().await?];
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let store = Arc::clone(&stores[writer % 2]);
        writers.spawn(async move {
            for _ in 0..4 {
                increment(&*store).await?;
            }
            Ok::<(), Error>(())
        });
    }
    for written in writers.join_all().await {
        written?;
    }
    assert_eq!(stores[0].get("count").await?.map(|count| count.len()), Some(32));
    Ok(())
}

async fn increment(store: &dyn ObjectStore) -> Result<(), Error> {
    let mut current = store.get("count").await?;
    loop {
        let more = vec![1; current.as_ref().map_or(1, |count| count.len() + 1)];
        match store.compare_and_set("count", current.as_deref(), more).await? {
            ObjectSwap::Won => return Ok(()),
            ObjectSwap::Lost(other) => current = other,
        }
    }
}
