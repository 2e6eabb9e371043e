//! Models: versions that are there whole or not at all and never change, and the latest of them.

use std::{collections::BTreeSet, num::NonZeroUsize, sync::Arc};

use streamforge_events::{ModelName, ModelVersion};
use tokio::task::JoinSet;

use super::objects::ObjectBackend;
use crate::{Class, Error, Model, ModelFiles, ModelRegistry, ObjectStore, Published};

fn name() -> ModelName {
    "gnn_ü".parse().expect("a name")
}

fn version(text: &str) -> ModelVersion {
    text.parse().expect("a version")
}

/// A version whose content follows from its version and `content`.
fn files(version: &str, created: i64, content: &str) -> ModelFiles {
    let card = serde_json::json!({"name": name(), "version": version, "created": created, "content": content});
    ModelFiles {
        onnx: format!("onnx of {version} {content}").into_bytes(),
        weights: format!("weights of {version} {content}, more of them").into_bytes(),
        card: card.to_string().into_bytes(),
    }
}

async fn registry(backend: &impl ObjectBackend) -> Result<ModelRegistry, Error> {
    Ok(ModelRegistry::new(backend.open().await?))
}

async fn latest(registry: &ModelRegistry) -> Result<Option<String>, Error> {
    Ok(registry.latest(&name()).await?.map(String::from))
}

async fn versions(registry: &ModelRegistry) -> Result<Vec<String>, Error> {
    Ok(registry.versions(&name()).await?.into_iter().map(|manifest| manifest.version.into()).collect())
}

/// A version is read as it was published, by itself and as the latest; the same again changes nothing.
pub async fn version_is_read_as_it_was_published(backend: &impl ObjectBackend) -> Result<(), Error> {
    let store = registry(backend).await?;
    assert!(store.names().await?.is_empty() && versions(&store).await?.is_empty());
    assert_eq!(latest(&store).await?, None);
    assert!(matches!(store.load(&name(), None).await, Err(Error::NoModel { version: None, .. })));
    let first = files("1", 100, "a");
    assert_eq!(store.publish(&first).await?, Published::New);
    let again = registry(backend).await?;
    let keys = backend.open().await?.list("").await?;
    assert_eq!(again.publish(&first).await?, Published::Unchanged);
    assert_eq!(backend.open().await?.list("").await?, keys);
    let Model { manifest, files: read } = again.load(&name(), None).await?;
    assert_eq!((manifest.name, manifest.version, manifest.created), (name(), version("1"), 100));
    assert_eq!(read, first);
    assert_eq!(again.load(&name(), Some(&version("1"))).await?.files, first);
    assert_eq!(again.names().await?, [name()]);
    let missing = again.load(&name(), Some(&version("2"))).await.expect_err("it was not published");
    assert!(matches!(missing, Error::NoModel { .. }) && missing.to_string().contains("version `2`"), "{missing}");
    Ok(())
}

/// A version has one content for ever, whoever comes with another.
pub async fn version_never_changes(backend: &impl ObjectBackend) -> Result<(), Error> {
    let store = registry(backend).await?;
    store.publish(&files("1", 100, "a")).await?;
    for other in [files("1", 100, "b"), files("1", 101, "a")] {
        let refused = store.publish(&other).await.expect_err("it has other content");
        assert!(matches!(refused, Error::ModelExists { .. }) && refused.class() == Class::Rejected, "{refused:?}");
    }
    assert_eq!(store.load(&name(), None).await?.files, files("1", 100, "a"));
    Ok(())
}

/// Of many publishers of one version with contents of their own one wins, and the version is whole.
pub async fn racing_contents_leave_one_whole(backend: &impl ObjectBackend) -> Result<(), Error> {
    for round in 0..5 {
        let round = format!("{round}");
        let mut publishers = JoinSet::new();
        for content in ["a", "b", "c", "d"] {
            let (store, files) = (registry(backend).await?, files(&round, 100, content));
            publishers.spawn(async move { (store.publish(&files).await, files) });
        }
        let mut won = Vec::new();
        for (outcome, files) in publishers.join_all().await {
            match outcome {
                Ok(Published::New) => won.push(files),
                Err(Error::ModelExists { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
        let read = registry(backend).await?.load(&name(), Some(&version(&round))).await?;
        assert_eq!([read.files], won[..]);
    }
    Ok(())
}

/// Two publishers at once, each in a process of its own: both versions are there, and the newer one is the latest.
pub async fn newer_of_racing_versions_is_latest(backend: &impl ObjectBackend) -> Result<(), Error> {
    let mut publishers = JoinSet::new();
    // Not in the order of their names.
    for (version, created) in [("a", 103), ("b", 105), ("c", 101), ("d", 104), ("e", 102)] {
        let store = registry(backend).await?;
        publishers.spawn(async move { store.publish(&files(version, created, "a")).await });
    }
    for published in publishers.join_all().await {
        assert_eq!(published?, Published::New);
    }
    let store = registry(backend).await?;
    assert_eq!(latest(&store).await?.as_deref(), Some("b"));
    assert_eq!(versions(&store).await?, ["b", "d", "a", "e", "c"]);
    assert_eq!(store.publish(&files("f", 105, "a")).await?, Published::New);
    assert_eq!(latest(&store).await?.as_deref(), Some("f"), "of equal times the last by name");
    Ok(())
}

/// A choice on purpose stands, backwards too, until a model comes that is newer than all there were.
pub async fn promoted_version_stays_latest(backend: &impl ObjectBackend) -> Result<(), Error> {
    let store = registry(backend).await?;
    for (version, created) in [("1", 101), ("3", 103)] {
        store.publish(&files(version, created, "a")).await?;
    }
    store.promote(&name(), &version("1")).await?;
    assert_eq!(store.load(&name(), None).await?.files, files("1", 101, "a"));
    store.publish(&files("2", 102, "a")).await?;
    store.publish(&files("3", 103, "a")).await?;
    assert_eq!(latest(&store).await?.as_deref(), Some("1"));
    store.publish(&files("4", 104, "a")).await?;
    assert_eq!(latest(&store).await?.as_deref(), Some("4"));
    let unknown = store.promote(&name(), &version("5")).await;
    assert!(matches!(unknown, Err(Error::NoModel { .. })), "{unknown:?}");
    store.promote(&name(), &version("2")).await?;
    store.promote(&name(), &version("3")).await?;
    assert_eq!(latest(&store).await?.as_deref(), Some("3"));
    Ok(())
}

/// Without its manifest a version is not there, whatever else of it is; publishing it makes it whole.
pub async fn half_written_version_is_not_seen(backend: &impl ObjectBackend) -> Result<(), Error> {
    let (store, objects) = (registry(backend).await?, backend.open().await?);
    store.publish(&files("1", 101, "a")).await?;
    // What a publisher leaves that dies before the manifest, in the middle of a file's bytes for once.
    let half = files("2", 102, "of an earlier attempt");
    objects.put(&key("2", "model.onnx"), half.onnx).await?;
    objects.put(&key("2", "weights.safetensors"), half.weights[..5].to_vec()).await?;
    assert_eq!(versions(&store).await?, ["1"]);
    assert_eq!(latest(&store).await?.as_deref(), Some("1"));
    assert!(matches!(store.load(&name(), Some(&version("2"))).await, Err(Error::NoModel { .. })));
    assert!(matches!(store.promote(&name(), &version("2")).await, Err(Error::NoModel { .. })));
    assert_eq!(store.publish(&files("2", 102, "b")).await?, Published::New);
    assert_eq!(store.load(&name(), None).await?.files, files("2", 102, "b"));
    Ok(())
}

/// A publisher that dies after the manifest has published; the same again puts the version into use.
pub async fn publishing_again_finishes_what_was_begun(backend: &impl ObjectBackend) -> Result<(), Error> {
    let (store, objects) = (registry(backend).await?, backend.open().await?);
    let (first, second) = (files("1", 101, "a"), files("2", 102, "a"));
    store.publish(&first).await?;
    let note = objects.get(&note()).await?.unwrap_or_default();
    store.publish(&second).await?;
    objects.put(&self::note(), note).await?;
    objects.put(&key("2", "card.json"), b"{}".to_vec()).await?;
    assert_eq!(latest(&store).await?.as_deref(), Some("1"));
    assert_eq!(store.publish(&second).await?, Published::Unchanged);
    assert_eq!(store.load(&name(), None).await?.files, second);
    Ok(())
}

/// Every file that is not what was published is told by name, with what has happened to it.
pub async fn damaged_file_is_named(backend: &impl ObjectBackend) -> Result<(), Error> {
    let (store, objects) = (registry(backend).await?, backend.open().await?);
    let (sound, other) = (files("1", 101, "a"), files("2", 102, "b"));
    for files in [&sound, &other] {
        store.publish(files).await?;
    }
    let manifest = objects.get(&key("1", "manifest.json")).await?.unwrap_or_default();
    let mut edited = sound.weights.clone();
    edited[3] ^= 1;
    let other_manifest = objects.get(&key("2", "manifest.json")).await?.unwrap_or_default();
    let without_card = String::from_utf8_lossy(&manifest).replace("card.json", "model.onnx").into_bytes();
    let wrong_sum = String::from_utf8_lossy(&manifest).replace("\"sha256\": \"", "\"sha256\": \"0").into_bytes();
    let longer = [&sound.onnx[..], b"\n"].concat();
    let cases: [(&str, &[u8], &str); 10] = [
        ("model.onnx", &sound.onnx[..7], "was truncated: it has 7 of"),
        ("model.onnx", b"", "was truncated: it has 0 of"),
        ("model.onnx", &longer, "was edited"),
        ("weights.safetensors", &edited, "was edited"),
        ("weights.safetensors", &sound.onnx, "was swapped: it holds model.onnx"),
        ("card.json", &other.card, "was swapped: it holds card.json of version `2`"),
        ("manifest.json", &manifest[..manifest.len() / 2], "was truncated or edited"),
        ("manifest.json", &other_manifest, "was swapped: it belongs to"),
        ("manifest.json", &without_card, "manifest.json"),
        ("manifest.json", &wrong_sum, "model.onnx was edited"),
    ];
    for (file, bytes, words) in cases {
        let before = objects.get(&key("1", file)).await?.unwrap_or_default();
        objects.put(&key("1", file), bytes.to_vec()).await?;
        is_told(&store, &format!("{file} {words}"), words).await;
        // The other version is as good as ever, also to be put into use.
        store.promote(&name(), &version("2")).await?;
        assert_eq!(store.load(&name(), None).await?.files, other);
        objects.put(&key("1", file), before).await?;
    }
    objects.delete(&key("1", "weights.safetensors")).await?;
    is_told(&store, "a missing file", "weights.safetensors is missing").await;
    Ok(())
}

async fn is_told(store: &ModelRegistry, case: &str, words: &str) {
    for refused in
        [store.load(&name(), Some(&version("1"))).await.err(), store.promote(&name(), &version("1")).await.err()]
    {
        let refused = refused.unwrap_or_else(|| panic!("{case}: it is damaged"));
        let text = refused.to_string();
        assert!(matches!(refused, Error::Model { .. }), "{case}: {text}");
        assert!(text.contains("version `1`") && text.contains(words), "{case}: {text}");
    }
}

/// A damaged note of the latest version is told, and a choice on purpose writes it anew.
pub async fn damaged_note_of_the_latest_is_replaced(backend: &impl ObjectBackend) -> Result<(), Error> {
    let (store, objects) = (registry(backend).await?, backend.open().await?);
    store.publish(&files("1", 101, "a")).await?;
    objects.put(&note(), b"{\"version\":".to_vec()).await?;
    let told = store.load(&name(), None).await.expect_err("the note is damaged").to_string();
    assert!(told.contains("latest was truncated or edited"), "{told}");
    store.promote(&name(), &version("1")).await?;
    assert_eq!(latest(&store).await?.as_deref(), Some("1"));
    Ok(())
}

/// As many old versions as are asked for stay; the latest and all that are younger always do.
pub async fn old_versions_are_dropped_by_count(backend: &impl ObjectBackend) -> Result<(), Error> {
    let store = registry(backend).await?.keeping(NonZeroUsize::MIN.saturating_add(1));
    for (version, created) in [("1", 101), ("2", 102), ("3", 103), ("4", 104), ("5", 105)] {
        store.publish(&files(version, created, "a")).await?;
    }
    assert_eq!(versions(&store).await?, ["5", "4", "3"]);
    let gone = backend.open().await?.list("").await?;
    assert!(!gone.iter().any(|key| key.contains("/1/") || key.contains("/2/")), "{gone:?}");
    store.promote(&name(), &version("3")).await?;
    for (version, created) in [("a", 95), ("b", 96), ("c", 94), ("d", 104)] {
        store.publish(&files(version, created, "a")).await?;
    }
    assert_eq!(versions(&store).await?, ["5", "d", "4", "3", "b", "a"]);
    assert_eq!(latest(&store).await?.as_deref(), Some("3"));
    Ok(())
}

/// Without a number ten old versions stay.
pub async fn ten_old_versions_are_kept(backend: &impl ObjectBackend) -> Result<(), Error> {
    let store = registry(backend).await?;
    for version in 10..23 {
        store.publish(&files(&version.to_string(), version, "a")).await?;
    }
    let expected: Vec<String> = (12..23).rev().map(|version| version.to_string()).collect();
    assert_eq!(versions(&store).await?, expected);
    Ok(())
}

/// What a process noted as dropped before it died cannot be chosen, and goes with the next publication.
pub async fn interrupted_drop_is_finished(backend: &impl ObjectBackend) -> Result<(), Error> {
    let (store, objects) = (registry(backend).await?, backend.open().await?);
    for (version, created) in [("1", 101), ("2", 102)] {
        store.publish(&files(version, created, "a")).await?;
    }
    let mut value: serde_json::Value =
        serde_json::from_slice(&objects.get(&note()).await?.unwrap_or_default()).expect("the note is JSON");
    value["dropped"] = serde_json::json!(["1"]);
    objects.put(&note(), value.to_string().into_bytes()).await?;
    let refused = store.promote(&name(), &version("1")).await;
    assert!(matches!(refused, Err(Error::NoModel { .. })), "{refused:?}");
    store.publish(&files("3", 103, "a")).await?;
    assert_eq!(versions(&store).await?, ["3", "2"]);
    Ok(())
}

/// While versions come and go, the latest can always be read whole, and what is chosen is never dropped.
pub async fn latest_is_always_whole(backend: &impl ObjectBackend) -> Result<(), Error> {
    let stores = [registry(backend).await?, registry(backend).await?];
    stores[0].publish(&files("0", 100, "a")).await?;
    let mut workers = JoinSet::new();
    for (half, store) in stores.into_iter().enumerate() {
        let store = store.keeping(NonZeroUsize::MIN);
        let half = i64::try_from(half).unwrap_or_default();
        workers.spawn(async move {
            for step in 0..8 {
                let created = 101 + 2 * step + half;
                store.publish(&files(&created.to_string(), created, "a")).await?;
                let in_use = store.load(&name(), None).await?.manifest.version;
                let oldest = store.versions(&name()).await?.pop().map(|manifest| manifest.version);
                match store.promote(&name(), &oldest.unwrap_or(in_use)).await {
                    Ok(()) | Err(Error::NoModel { .. }) => {}
                    Err(error) => return Err(error),
                }
                store.load(&name(), None).await?;
            }
            Ok(())
        });
    }
    for worked in workers.join_all().await {
        worked?;
    }
    Ok(())
}

/// A card has to say whose it is; what it says is the key, so that it cannot lead anywhere else.
pub async fn unfit_card_is_refused(backend: &impl ObjectBackend) -> Result<(), Error> {
    let store = registry(backend).await?;
    for card in [
        "",
        "[]",
        r#"{"name": "a", "version": "1"}"#,
        r#"{"name": "../a", "version": "1", "created": 1}"#,
        r#"{"name": "a", "version": "latest", "created": 1}"#,
        r#"{"name": "a", "version": "1", "created": "today"}"#,
    ] {
        let refused = store.publish(&ModelFiles { card: card.into(), ..files("1", 1, "a") }).await;
        assert!(matches!(refused, Err(Error::Card(_))), "{card}: {refused:?}");
    }
    assert!(backend.open().await?.list("").await?.is_empty());
    Ok(())
}

/// Models are told apart, also where one's name begins like another's.
pub async fn models_are_kept_apart(backend: &impl ObjectBackend) -> Result<(), Error> {
    let objects: Arc<dyn ObjectStore> = backend.open().await?;
    let store = ModelRegistry::new(objects);
    let names = ["a", "a-b", "ab", "latest"];
    for name in names {
        let card =
            serde_json::json!({"name": name, "version": format!("of-{name}"), "created": 1}).to_string().into_bytes();
        store.publish(&ModelFiles { card, ..ModelFiles::default() }).await?;
    }
    let found: BTreeSet<String> = store.names().await?.into_iter().map(String::from).collect();
    assert_eq!(found, names.into_iter().map(String::from).collect());
    for name in names {
        let versions = store.versions(&name.parse().expect("a name")).await?;
        let versions: Vec<_> = versions.iter().map(|manifest| manifest.version.as_str()).collect();
        assert_eq!(versions, [format!("of-{name}")]);
    }
    Ok(())
}

fn key(version: &str, file: &str) -> String {
    format!("models/{}/{version}/{file}", name())
}

fn note() -> String {
    format!("models/{}/latest", name())
}
