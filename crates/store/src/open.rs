//! Opening the store that a URL names.

use std::{path::PathBuf, sync::Arc};

use crate::{Error, GraphStore, LeaseStore, PredictionStore, SeriesStore, SqliteStore, WorkflowStore};

/// Series, workflow documents, graphs, predictions and leases in one place.
pub trait Store: SeriesStore + WorkflowStore + GraphStore + PredictionStore + LeaseStore {}

impl<T: SeriesStore + WorkflowStore + GraphStore + PredictionStore + LeaseStore> Store for T {}

/// Opens the store of a URL such as `sqlite:///var/lib/streamforge/store.db`, and creates it if it is not there.
///
/// # Errors
/// [`Error::Url`] for a URL of another kind, or why the store cannot be used.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, Error> {
    let path = sqlite_path(url)?;
    Ok(Arc::new(SqliteStore::open(&path).await?))
}

fn sqlite_path(url: &str) -> Result<PathBuf, Error> {
    let fail = |reason| Error::Url { url: without_password(url), reason };
    let path = url.strip_prefix("sqlite://").ok_or_else(|| fail("only `sqlite:///absolute/path` can be opened"))?;
    if !path.starts_with('/') {
        return Err(fail("the path must be absolute, as in `sqlite:///absolute/path`"));
    }
    if path.ends_with('/') {
        return Err(fail("the path must name a file"));
    }
    if path.contains('\0') {
        return Err(fail("the path must not contain a zero byte"));
    }
    Ok(PathBuf::from(path))
}

/// Error texts end up in logs; what stands between `://` and `@` may be a password.
fn without_password(url: &str) -> String {
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

    #[test]
    fn other_urls_are_refused_without_their_password() {
        for url in ["", "store.db", "sqlite://store.db", "sqlite:///", "sqlite:///a/", "postgres://u:secret@host/db"] {
            let error = sqlite_path(url).unwrap_err();
            assert!(matches!(error, Error::Url { .. }), "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
