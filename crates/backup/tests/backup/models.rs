//! Models of a registry in a backup: all that is whole, the version in use, and words about the rest.

use std::fs;

use crate::world::{World, assert_same, files, version};

#[tokio::test]
async fn the_version_in_use_comes_back_also_after_an_interruption() {
    let (world, other) = (World::sqlite().await, World::sqlite().await);
    let gnn = "gnn".parse().unwrap();
    // Ten newer than the chosen one and four older: more older than the newest than a registry keeps by itself.
    for number in 1..=15 {
        world.models.publish(&files(number, "")).await.unwrap();
    }
    world.models.promote(&gnn, &version(5)).await.unwrap();
    for number in 1..=4 {
        world.models.publish(&files(number, "")).await.unwrap();
    }
    assert_eq!(world.models.published(&gnn).await.unwrap().len(), 15);
    let place = world.place().await;
    world.back_up(&place, "b").await.unwrap();
    // What a restore leaves that was killed between the last version and the note.
    other.models.publish(&files(15, "")).await.unwrap();
    other.take_over(&place, "b").await.unwrap();
    assert_same(&other.told().await, &world.told().await);
    assert_eq!(other.models.latest(&gnn).await.unwrap(), Some(version(5)));

    // Where there is a version that the backup does not know, the choice is not the backup's any more.
    other.models.publish(&files(16, "")).await.unwrap();
    other.take_over(&place, "b").await.unwrap();
    assert_eq!(other.models.latest(&gnn).await.unwrap(), Some(version(16)));
}

#[tokio::test]
async fn a_damaged_version_is_told_and_left_out() {
    let (world, other) = (World::sqlite().await, World::sqlite().await);
    world.fill().await;
    let models = world.folder.path().join("objects/models/gnn");
    fs::write(models.join("1/weights.safetensors"), "other").unwrap();
    fs::write(models.join("3/manifest.json"), "{").unwrap();
    let place = world.place().await;
    let created = world.back_up(&place, "b").await.unwrap();
    let [first, second] = &created.manifest.left_out[..] else { panic!("{:?}", created.manifest.left_out) };
    assert!(first.contains("model `gnn` version `1` is damaged: weights.safetensors was truncated"), "{first}");
    assert!(second.contains("model `gnn` version `3` is damaged: manifest.json"), "{second}");
    other.take_over(&place, "b").await.unwrap();
    assert_eq!(other.models.published(&"gnn".parse().unwrap()).await.unwrap(), [version(2)]);
    assert_eq!(other.models.latest(&"gnn".parse().unwrap()).await.unwrap(), Some(version(2)));

    fs::write(models.join("latest"), "{").unwrap();
    let created = world.back_up(&place, "c").await.unwrap();
    assert_eq!(created.manifest.left_out.len(), 3, "{:?}", created.manifest.left_out);
}
