//! Objects in a bucket of any server that speaks the protocol of Amazon S3.

mod settings;

use std::{io, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::{
    Error as Failure, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion, WriteMultipart,
    aws::AmazonS3, path::Path,
};
use tokio::{fs::File, io::AsyncReadExt as _};

pub use settings::{S3_VARIABLES, S3Settings};

use self::settings::Trust;
use crate::{Error, ObjectStore, ObjectSwap, check_object_key, open::without_password};

/// Bytes that go over the wire at once; a server takes ten thousand parts of an object.
///
/// # Source
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const PART: usize = 16 << 20;
/// Parts that are sent at the same time, and held in memory.
const PARTS_UNDERWAY: usize = 2;

/// Objects in a bucket, all of them below one prefix if the URL names one.
///
/// # Source
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html>
#[derive(Debug)]
pub struct S3Objects {
    client: AmazonS3,
    /// Empty, or the beginning of all keys with a `/` behind it.
    prefix: String,
    /// As errors name it.
    place: String,
}

/// What an object is and which of its versions.
struct Found {
    bytes: Bytes,
    version: UpdateVersion,
}

impl S3Objects {
    /// Names a bucket without calling the server; whether it lets itself be used shows at the first call.
    ///
    /// # Errors
    /// [`Error::Url`] if the URL names no bucket, [`Error::Objects`] if the settings make no client.
    pub fn open(url: &str, settings: &S3Settings) -> Result<Self, Error> {
        let refuse = |reason| Error::Url { url: without_password(url), reason };
        let place = url
            .strip_prefix("s3://")
            .ok_or_else(|| refuse("only `s3://BUCKET` or `s3://BUCKET/PREFIX` can be opened"))?;
        if place.contains('@') {
            return Err(refuse("credentials do not belong into it; set S3_ACCESS_KEY_FILE and S3_SECRET_KEY_FILE"));
        }
        let (bucket, prefix) = place.trim_end_matches('/').split_once('/').unwrap_or((place.trim_end_matches('/'), ""));
        if bucket.len() < 3
            || !bucket.chars().all(|character| character.is_ascii_alphanumeric() || ".-".contains(character))
        {
            return Err(refuse("a bucket has at least three letters, digits, points or hyphens"));
        }
        if !prefix.is_empty() {
            check_object_key(prefix)?;
        }
        let client = settings.client(bucket).map_err(|source| failed("open the bucket", place, source))?;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { client, prefix, place: url.to_owned() })
    }

    /// Stores the content of a file, however large, in place of any other object of the key; nothing is stored unless
    /// all of it is.
    ///
    /// # Errors
    /// [`Error::ObjectKey`] for a bad key, or a failure of the file or the server.
    pub async fn put_file(&self, key: &str, file: File) -> Result<(), Error> {
        let path = self.path(key)?;
        let fail = |source| self.fail("write", key, source);
        let mut upload =
            WriteMultipart::new_with_chunk_size(self.client.put_multipart(&path).await.map_err(fail)?, PART);
        match fill(&mut upload, file).await {
            Ok(()) => upload.finish().await.map(drop).map_err(fail),
            Err(source) => {
                // The failure is what the caller has to know; the server drops what is left of an upload in time.
                upload.abort().await.ok();
                Err(fail(source))
            }
        }
    }

    fn path(&self, key: &str) -> Result<Path, Error> {
        check_object_key(key)?;
        Path::parse(format!("{}{key}", self.prefix))
            .map_err(|_| Error::ObjectKey { key: key.to_owned(), reason: "a bucket cannot hold it" })
    }

    fn fail(&self, action: &'static str, key: &str, source: Failure) -> Error {
        failed(action, &format!("{}/{key}", self.place), source)
    }

    async fn find(&self, key: &str) -> Result<Option<Found>, Error> {
        let found = match self.client.get(&self.path(key)?).await {
            Err(Failure::NotFound { source, .. }) if !names_bucket(source.as_ref()) => return Ok(None),
            found => found.map_err(|source| self.fail("read", key, source))?,
        };
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let bytes = found.bytes().await.map_err(|source| self.fail("read", key, source))?;
        Ok(Some(Found { bytes, version }))
    }
}

#[async_trait]
impl ObjectStore for S3Objects {
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let path = self.path(key)?;
        self.client.put(&path, bytes.into()).await.map_err(|source| self.fail("write", key, source))?;
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.find(key).await?.map(|found| found.bytes.into()))
    }

    async fn compare_and_set(&self, key: &str, expected: Option<&[u8]>, bytes: Vec<u8>) -> Result<ObjectSwap, Error> {
        let path = self.path(key)?;
        let payload = Bytes::from(bytes);
        loop {
            let found = self.find(key).await?;
            if found.as_ref().map(|found| found.bytes.as_ref()) != expected {
                return Ok(ObjectSwap::Lost(found.map(|found| found.bytes.into())));
            }
            let mode = found.map_or(PutMode::Create, |found| PutMode::Update(found.version));
            let written = self.client.put_opts(&path, payload.clone().into(), PutOptions::from(mode)).await;
            match written {
                Ok(_) => return Ok(ObjectSwap::Won),
                // Another one came between; what it left is compared anew.
                Err(Failure::Precondition { .. } | Failure::AlreadyExists { .. } | Failure::NotFound { .. }) => {}
                Err(source) => return Err(self.fail("write", key, source)),
            }
        }
    }

    async fn sizes(&self, prefix: &str) -> Result<Vec<(String, u64)>, Error> {
        let whole = format!("{}{prefix}", self.prefix);
        // A bucket lists whole parts of keys.
        let folder = whole.rsplit_once('/').map_or("", |(folder, _)| folder);
        let Ok(folder) = Path::parse(folder) else { return Ok(Vec::new()) };
        let found = self.client.list(Some(&folder)).map_ok(|object| (object.location.to_string(), object.size));
        let found: Vec<(String, u64)> =
            found.try_collect().await.map_err(|source| self.fail("list", prefix, source))?;
        let mut found: Vec<(String, u64)> = found
            .iter()
            .filter_map(|(path, size)| Some((path.strip_prefix(&self.prefix)?, *size)))
            .filter(|(key, _)| key.starts_with(prefix) && check_object_key(key).is_ok())
            .map(|(key, size)| (key.to_owned(), size))
            .collect();
        found.sort_unstable();
        Ok(found)
    }

    async fn delete(&self, key: &str) -> Result<bool, Error> {
        let path = self.path(key)?;
        let is_there = match self.client.head(&path).await {
            Err(Failure::NotFound { .. }) => false,
            found => found.map(|_| true).map_err(|source| self.fail("delete", key, source))?,
        };
        if is_there {
            self.client.delete(&path).await.map_err(|source| self.fail("delete", key, source))?;
        }
        Ok(is_there)
    }
}

async fn fill(upload: &mut WriteMultipart, mut file: File) -> Result<(), Failure> {
    let fail = |source: io::Error| Failure::Generic { store: "S3", source: Box::new(source) };
    let mut buffer = vec![0; PART];
    loop {
        let length = file.read(&mut buffer).await.map_err(fail)?;
        if length == 0 {
            return Ok(());
        }
        upload.wait_for_capacity(PARTS_UNDERWAY).await?;
        upload.write(&buffer[..length]);
    }
}

/// Whether the bucket is what was not found: without it, each object of it is missing too.
///
/// # Source
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn names_bucket(error: &(dyn std::error::Error + 'static)) -> bool {
    settings::says(error, "NoSuchBucket")
}

fn failed(action: &'static str, place: &str, source: Failure) -> Error {
    let (source, trust) = settings::explain(source);
    let is_refused =
        matches!(source, Failure::PermissionDenied { .. } | Failure::Unauthenticated { .. } | Failure::NotFound { .. });
    let is_final = is_refused || trust == Trust::Missing;
    Error::Objects { action, place: place.to_owned(), is_final, source: Arc::new(source) }
}
