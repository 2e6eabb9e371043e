//! A backup in a bucket of a real server.

use std::sync::Arc;

use streamforge_backup::{Error, Place, Tally};
use streamforge_servers::{Lifetime, S3, Server as _};
use streamforge_store::{S3Objects, S3Settings};

use crate::world::{World, assert_same};

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_holds_backups_as_a_folder_does() {
    let server = S3::start(Lifetime::WithStarter, None, None).unwrap();
    let settings = S3Settings {
        endpoint: Some(server.endpoint()),
        access_key: Some(server.access_key_file()),
        secret_key: Some(server.secret_key_file()),
        authorities: None,
    };
    let bucket = || Arc::new(S3Objects::open(&format!("{}/nightly", server.url()), &settings).unwrap());
    let place = Place::new(bucket());
    let (world, other) = (World::sqlite().await, World::sqlite().await);
    world.fill().await;
    let first = world.back_up(&place, "b").await.unwrap();
    let second = world.back_up(&place, "c").await.unwrap();
    assert_eq!((second.written, second.kept), (Tally::default(), first.written));
    assert!(matches!(world.back_up(&place, "b").await, Err(Error::Exists(_))));
    assert_eq!(place.names().await.unwrap().len(), 2);
    other.take_over(&place, "c").await.unwrap();
    assert_same(&other.told().await, &world.told().await);

    let objects = bucket();
    let chunk = &first.manifest.series[0].chunks[0].sha256;
    streamforge_store::ObjectStore::put(&*objects, &format!("backups/chunks/{chunk}"), vec![1]).await.unwrap();
    let error = World::sqlite().await.take_over(&place, "c").await.unwrap_err();
    assert!(matches!(&error, Error::Chunk { key, .. } if key.ends_with(chunk)), "{error:?}");
}
