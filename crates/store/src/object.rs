//! Objects: whole files such as models and data sets, under keys with `/` between their parts.

use async_trait::async_trait;

use crate::Error;

/// What became of [`ObjectStore::compare_and_set`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectSwap {
    /// The object has the new content.
    Won,
    /// The object had another content than the caller expected, this one; none if there is no object.
    Lost(Option<Vec<u8>>),
}

/// Objects under keys; see [`check_object_key`] for what a key may be.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Stores an object whole, in place of any other of its key, and answers once it is on the disk.
    ///
    /// # Errors
    /// [`Error::ObjectKey`] for a bad key, or a failure of the store.
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), Error>;

    /// Reads an object.
    ///
    /// # Errors
    /// [`Error::ObjectKey`] for a bad key, or a failure of the store.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error>;

    /// Replaces the content of an object by another if it still is the one expected; with none expected, if there is
    /// no object.
    ///
    /// Of several callers that expect the same one wins, also between processes. An object that was changed and
    /// changed back is what it was. Meant for small objects. A store that tells contents apart by entity tags reads
    /// the object, compares, and writes under the condition that its tag is still the one it read.
    ///
    /// # Errors
    /// [`Error::ObjectKey`] for a bad key, or a failure of the store.
    ///
    /// # Source
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
    async fn compare_and_set(&self, key: &str, expected: Option<&[u8]>, bytes: Vec<u8>) -> Result<ObjectSwap, Error>;

    /// The keys that begin with `prefix`, ascending, each with the size of its object.
    ///
    /// # Units
    /// Bytes.
    ///
    /// # Errors
    /// A failure of the store.
    async fn sizes(&self, prefix: &str) -> Result<Vec<(String, u64)>, Error>;

    /// The keys that begin with `prefix`, ascending.
    ///
    /// # Errors
    /// A failure of the store.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        Ok(self.sizes(prefix).await?.into_iter().map(|(key, _)| key).collect())
    }

    /// Removes an object and tells whether there was one.
    ///
    /// # Errors
    /// [`Error::ObjectKey`] for a bad key, or a failure of the store.
    async fn delete(&self, key: &str) -> Result<bool, Error>;
}

/// Checks a key: parts joined by `/`, none empty or beginning with a point, without control characters or `\`.
///
/// # Errors
/// [`Error::ObjectKey`] with what is wrong.
pub fn check_object_key(key: &str) -> Result<(), Error> {
    fault(key).map_or(Ok(()), |reason| Err(Error::ObjectKey { key: key.chars().take(64).collect(), reason }))
}

fn fault(key: &str) -> Option<&'static str> {
    if key.is_empty() || key.len() > 1024 {
        return Some("it must be 1 to 1024 bytes");
    }
    if key.chars().any(|character| character.is_control() || character == '\\') {
        return Some("it must not contain control characters or `\\`");
    }
    if key.starts_with('/') {
        return Some("it must not be an absolute path");
    }
    for part in key.split('/') {
        if part.is_empty() {
            return Some("its parts must not be empty");
        }
        if part.starts_with('.') {
            return Some("its parts must not begin with a point");
        }
        if part.len() > 255 {
            return Some("its parts must be at most 255 bytes");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_inside_the_store() {
        for key in ["models/gnn/1.onnx", "a", "币安/x:y%z", "a b", "a..b"] {
            check_object_key(key).unwrap();
        }
        let long = "a".repeat(256);
        for key in
            ["", "/etc/passwd", "..", "../x", "a/../b", "a/./b", "a//b", "a/", ".incoming/x", "a\\b", "a\nb", &long]
        {
            assert!(matches!(check_object_key(key), Err(Error::ObjectKey { .. })), "{key:?}");
        }
    }
}
