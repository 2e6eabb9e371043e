//! Documents that are read, thought about and changed, until nobody else came in between.
//!
//! A reply can be lost after the change was made. So each change leaves its mark in the document, and whoever finds
//! their own mark there knows that they have won, even where others have changed it since.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    ArangoStore,
    documents::{Change, Found},
    failure::Failure,
    retry::Tries,
};

/// Marks that a document keeps; as many changes may come between a change and the search for its mark.
const KEPT: usize = 8;

/// The last changes of a document, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Marks(Vec<String>);

impl Marks {
    /// These marks and a fresh one, and that one.
    pub(super) fn and_mine(&self) -> (Self, String) {
        let mine = format!("{:016x}", fastrand::u64(..));
        let kept = self.0.iter().skip((self.0.len() + 1).saturating_sub(KEPT)).cloned();
        (Self(kept.chain([mine.clone()]).collect()), mine)
    }

    pub(super) fn have(&self, mark: &str) -> bool {
        self.0.iter().any(|kept| kept == mark)
    }

    /// Whether nobody came after the mark.
    pub(super) fn end_with(&self, mark: &str) -> bool {
        self.0.last().is_some_and(|last| last == mark)
    }

    pub(super) fn joined(&self) -> String {
        self.0.join(" ")
    }

    pub(super) fn parse(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_owned).collect())
    }
}

/// A document and its marks.
#[derive(Serialize, Deserialize)]
struct Marked<T> {
    #[serde(rename = "_key")]
    key: String,
    marks: Marks,
    #[serde(flatten)]
    value: T,
}

/// What to do about the state of a document.
pub(super) enum Decision<T, R> {
    /// Leave it as it is.
    Keep(R),
    /// Give it this content.
    Write(T, R),
}

impl ArangoStore {
    /// Reads a document whose changes are marked.
    pub(super) async fn find_marked<T: DeserializeOwned>(
        &self,
        collection: &str,
        key: &str,
    ) -> Result<Option<T>, Failure> {
        Ok(self.find::<Marked<T>>(collection, key).await?.map(|found| found.value.value))
    }

    /// Decides over the state of a document until the decision could be carried out.
    pub(super) async fn decide<T, R>(
        &self,
        collection: &str,
        key: &str,
        decide: impl Fn(Option<T>) -> Result<Decision<T, R>, Failure> + Send,
    ) -> Result<R, Failure>
    where
        T: Serialize + DeserializeOwned + Send + Sync,
        R: Send,
    {
        let mut tries = Tries::start(&self.session.options);
        let mut overtaken: Option<(String, R)> = None;
        loop {
            let found: Option<Found<Marked<T>>> = self.find(collection, key).await?;
            if let Some((mark, result)) = overtaken.take()
                && found.as_ref().is_some_and(|found| found.value.marks.have(&mark))
            {
                return Ok(result);
            }
            let (revision, marks, state) = match found {
                Some(Found { value: Marked { marks, value, .. }, revision }) => (Some(revision), marks, Some(value)),
                None => (None, Marks::default(), None),
            };
            let (value, result) = match decide(state)? {
                Decision::Keep(result) => return Ok(result),
                Decision::Write(value, result) => (value, result),
            };
            let (marks, mine) = marks.and_mine();
            let document = Marked { key: key.to_owned(), marks, value };
            let has_won = match revision {
                None => self.insert(collection, &document).await?.is_some(),
                Some(revision) => {
                    matches!(self.change(collection, key, &revision, &document).await?, Change::Won(_))
                }
            };
            if has_won {
                return Ok(result);
            }
            overtaken = Some((mine, result));
            tries.wait("others change the same document").await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_until_enough_came_after() {
        let (mut marks, mine) = Marks::default().and_mine();
        assert!(marks.end_with(&mine));
        for _ in 1..KEPT {
            marks = marks.and_mine().0;
            assert!(marks.have(&mine) && !marks.end_with(&mine));
        }
        assert_eq!(Marks::parse(&marks.joined()), marks);
        assert!(!marks.and_mine().0.have(&mine));
    }
}
