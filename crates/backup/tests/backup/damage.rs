//! Whatever of a backup is not what was written is refused with its name, and nothing of it is restored.

use std::{
    fs,
    path::{Path, PathBuf},
};

use streamforge_backup::Error;

use crate::world::{World, assert_same};

/// Something that can happen to a file.
type Damage = fn(&mut Vec<u8>);

/// All chunks of a world's backups, ascending.
fn chunks(world: &World) -> Vec<PathBuf> {
    let folder = world.folder.path().join("backups/backups/chunks");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn key_of(path: &Path) -> String {
    format!("backups/chunks/{}", path.file_name().unwrap().display())
}

/// Restores the backup of one world into the other one and answers why it was refused.
async fn refusal(world: &World, target: &World) -> String {
    let error = target.take_over(&world.place().await, "b").await.unwrap_err();
    assert!(matches!(error, Error::Chunk { .. }), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn each_chunk_that_is_not_whole_is_refused_by_name() {
    let world = World::sqlite().await;
    world.fill().await;
    world.back_up(&world.place().await, "b").await.unwrap();
    let kinds: [(&str, bool, Damage); 4] = [
        ("truncated", true, |bytes| bytes.truncate(bytes.len() - 1)),
        ("truncated", true, Vec::clear),
        ("edited", true, |bytes| bytes.push(0)),
        ("edited or swapped", false, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }),
    ];
    let chunks = chunks(&world);
    let (empty, partial) = (World::sqlite().await, World::sqlite().await);
    for path in &chunks {
        let whole = fs::read(path).unwrap();
        for (words, is_seen_first, damage) in kinds {
            let mut bytes = whole.clone();
            damage(&mut bytes);
            fs::write(path, bytes).unwrap();
            let refused = refusal(&world, if is_seen_first { &empty } else { &partial }).await;
            assert!(refused.contains(&key_of(path)) && refused.contains(words), "{refused}");
        }
        fs::remove_file(path).unwrap();
        let refused = refusal(&world, &empty).await;
        assert!(refused.contains(&key_of(path)) && refused.contains("is missing"), "{refused}");
        fs::write(path, whole).unwrap();
    }
    assert_same(&empty.told().await, &[]);
    let whole = World::sqlite().await;
    whole.take_over(&world.place().await, "b").await.unwrap();
    assert_same(&whole.told().await, &world.told().await);
}

#[tokio::test]
async fn a_chunk_in_the_place_of_another_is_refused() {
    let world = World::sqlite().await;
    world.fill().await;
    world.back_up(&world.place().await, "b").await.unwrap();
    // Weights of two versions have the same size.
    let weights: Vec<PathBuf> =
        chunks(&world).into_iter().filter(|path| fs::metadata(path).unwrap().len() == 5000).collect();
    let (one, other) = (fs::read(&weights[0]).unwrap(), fs::read(&weights[1]).unwrap());
    fs::write(&weights[0], &other).unwrap();
    fs::write(&weights[1], &one).unwrap();
    let refused = refusal(&world, &World::sqlite().await).await;
    assert!(weights.iter().any(|path| refused.contains(&key_of(path))), "{refused}");
    assert!(refused.contains("edited or swapped"), "{refused}");
}

#[tokio::test]
async fn the_next_backup_mends_what_the_data_is_still_there_for() {
    let world = World::sqlite().await;
    world.fill().await;
    let place = world.place().await;
    world.back_up(&place, "b").await.unwrap();
    let chunks = chunks(&world);
    for (number, path) in chunks.iter().enumerate() {
        let mut bytes = fs::read(path).unwrap();
        match number % 3 {
            0 => bytes[0] ^= 1,
            1 => bytes.truncate(3),
            _ => continue,
        }
        fs::write(path, bytes).unwrap();
    }
    let next = world.back_up(&place, "next").await.unwrap();
    assert_eq!(next.kept.objects, chunks.len() as u64 / 3);
    for name in ["b", "next"] {
        let whole = World::sqlite().await;
        whole.take_over(&place, name).await.unwrap();
        assert_same(&whole.told().await, &world.told().await);
    }
}

#[tokio::test]
async fn a_manifest_that_is_not_whole_is_refused() {
    let world = World::sqlite().await;
    world.fill().await;
    let place = world.place().await;
    for name in ["b", "c"] {
        world.back_up(&place, name).await.unwrap();
    }
    let folder = world.folder.path().join("backups/backups/manifests");
    let whole = fs::read_to_string(folder.join("b.json")).unwrap();
    for edited in [
        whole.replacen("\"rows\":768", "\"rows\":767", 1).replacen("BTCUSDT", "ETHUSDT", 1),
        whole[..whole.len() / 2].to_owned(),
        String::new(),
        "{}".to_owned(),
        fs::read_to_string(folder.join("c.json")).unwrap(),
    ] {
        fs::write(folder.join("b.json"), edited).unwrap();
        let error = World::sqlite().await.take_over(&place, "b").await.unwrap_err();
        assert!(matches!(&error, Error::Manifest { key, .. } if key.contains("b.json")), "{error:?}");
    }
    World::sqlite().await.take_over(&place, "c").await.unwrap();
}
