//! A backup that fails on its way is not there, and two of one name are never both.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use streamforge_backup::{Error, Place};
use streamforge_store::{Error as StoreError, FolderObjects, ObjectStore, ObjectSwap};

use crate::world::{World, assert_same};

/// A place that takes only so many objects.
struct Full {
    objects: FolderObjects,
    room: AtomicUsize,
}

impl Full {
    fn take(&self) -> Result<(), StoreError> {
        let room = self.room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |room| room.checked_sub(1));
        room.map(|_| ()).map_err(|_| StoreError::Closed)
    }
}

#[async_trait]
impl ObjectStore for Full {
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.take()?;
        self.objects.put(key, bytes).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.objects.get(key).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        bytes: Vec<u8>,
    ) -> Result<ObjectSwap, StoreError> {
        self.take()?;
        self.objects.compare_and_set(key, expected, bytes).await
    }

    async fn sizes(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        self.objects.sizes(prefix).await
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        self.objects.delete(key).await
    }
}

#[tokio::test]
async fn whichever_object_is_not_written_there_is_no_backup_and_the_next_one_goes_on() {
    let (world, other) = (World::sqlite().await, World::sqlite().await);
    world.fill().await;
    let folder = world.folder.path().join("backups");
    let mut tries = 0;
    loop {
        let objects = FolderObjects::open(&folder).await.unwrap();
        // What was written stays, so that each try comes as far as one object more.
        let place = Place::new(Arc::new(Full { objects, room: AtomicUsize::new(1) }));
        match world.back_up(&place, "b").await {
            Ok(created) => {
                assert_eq!(created.written.objects, 0);
                break;
            }
            Err(error) => assert!(matches!(error, Error::Store(StoreError::Closed)), "{error:?}"),
        }
        assert!(place.names().await.unwrap().is_empty(), "half a backup is listed");
        tries += 1;
    }
    assert_eq!(tries, 27, "objects beside the manifest");
    other.take_over(&world.place().await, "b").await.unwrap();
    assert_same(&other.told().await, &world.told().await);
}

#[tokio::test]
async fn of_two_backups_of_one_name_one_is_made() {
    let world = World::sqlite().await;
    world.fill().await;
    let place = world.place().await;
    let outcomes = tokio::join!(world.back_up(&place, "b"), world.back_up(&place, "b"));
    let (made, refused) = match outcomes {
        (Ok(made), Err(refused)) | (Err(refused), Ok(made)) => (made, refused),
        both => panic!("{both:?}"),
    };
    assert!(matches!(refused, Error::Exists(_)), "{refused:?}");
    assert_eq!(place.manifest(&"b".parse().unwrap()).await.unwrap(), made.manifest);
}
