//! Opening the store, or the objects, that a URL names.

use std::{path::PathBuf, sync::Arc};

use crate::{
    ArangoAccess, ArangoOptions, ArangoStore, Error, FolderObjects, GapStore, GraphStore, LeaseStore, ObjectStore,
    PredictionStore, SeriesStore, SqliteStore, WorkflowStore, arangodb,
    s3::{S3Objects, S3Settings},
};

/// Series and their gaps, workflow documents, graphs, predictions and leases in one place.
pub trait Store: SeriesStore + GapStore + WorkflowStore + GraphStore + PredictionStore + LeaseStore {}

impl<T: SeriesStore + GapStore + WorkflowStore + GraphStore + PredictionStore + LeaseStore> Store for T {}

/// Opens the store of a URL such as `sqlite:///var/lib/streamforge/store.db` or
/// `arangodb://root@localhost:8529/streamforge`, and creates it if it is not there.
///
/// What a database asks for beside the URL comes from the environment: see [`ArangoAccess::from_environment`].
///
/// # Errors
/// [`Error::Url`] for a URL of another kind, or why the store cannot be used.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, Error> {
    if arangodb::is_meant(url) {
        let options = ArangoOptions { access: ArangoAccess::from_environment(), ..ArangoOptions::default() };
        return Ok(Arc::new(ArangoStore::open(url, options).await?));
    }
    let path = sqlite_path(url)?;
    Ok(Arc::new(SqliteStore::open(&path).await?))
}

/// Opens the objects of a URL such as `file:///var/lib/streamforge/objects`, whose folder is created if it is not
/// there, or `s3://bucket`, which has to be.
///
/// # Errors
/// [`Error::Url`] for a URL of another kind, or why the objects cannot be used.
pub async fn open_objects(url: &str) -> Result<Arc<dyn ObjectStore>, Error> {
    if url.starts_with("s3://") {
        return Ok(Arc::new(S3Objects::open(url, &S3Settings::from_environment())?));
    }
    let path = folder_path(url)?;
    Ok(Arc::new(FolderObjects::open(&path).await?))
}

fn sqlite_path(url: &str) -> Result<PathBuf, Error> {
    let fail = |reason| Error::Url { url: without_password(url), reason };
    let path = url
        .strip_prefix("sqlite://")
        .ok_or_else(|| fail("only `sqlite:///absolute/path` and `arangodb://HOST:PORT/DATABASE` can be opened"))?;
    if !path.starts_with('/') {
        return Err(fail("the path must be absolute, as in `sqlite:///absolute/path`"));
    }
    if path.ends_with('/') {
        return Err(fail("the path must name a file"));
    }
    without_zero(path).ok_or_else(|| fail("the path must not contain a zero byte"))
}

fn folder_path(url: &str) -> Result<PathBuf, Error> {
    let fail = |reason| Error::Url { url: without_password(url), reason };
    let path = url
        .strip_prefix("file://")
        .ok_or_else(|| fail("only `file:///absolute/path` and `s3://BUCKET` can be opened"))?;
    if !path.starts_with('/') {
        return Err(fail("the path must be absolute, as in `file:///absolute/path`"));
    }
    if path.trim_matches('/').is_empty() {
        return Err(fail("the path must name a folder"));
    }
    without_zero(path).ok_or_else(|| fail("the path must not contain a zero byte"))
}

fn without_zero(path: &str) -> Option<PathBuf> {
    (!path.contains('\0')).then(|| PathBuf::from(path))
}

/// Error texts end up in logs; what stands between `://` and `@` may be a password.
pub(crate) fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_taken_as_it_stands() {
        assert_eq!(sqlite_path("sqlite:///data/a b%20/store.db").unwrap(), PathBuf::from("/data/a b%20/store.db"));
    }

    #[tokio::test]
    async fn objects_are_opened_where_their_url_says() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}/a b%20/objects", folder.path().display());
        open_objects(&url).await.unwrap().put("a/b", vec![1]).await.unwrap();
        assert_eq!(std::fs::read(folder.path().join("a b%20/objects/a/b")).unwrap(), [1]);
        for url in ["", "/data", "file://", "file:///", "file://data", "file:///a\0", "s3://u:secret@host/bucket"] {
            let error = open_objects(url).await.err().unwrap();
            assert!(matches!(error, Error::Url { .. }), "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn other_urls_are_refused_without_their_password() {
        for url in ["", "store.db", "sqlite://store.db", "sqlite:///", "sqlite:///a/", "postgres://u:secret@host/db"] {
            let error = sqlite_path(url).unwrap_err();
            assert!(matches!(error, Error::Url { .. }), "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
