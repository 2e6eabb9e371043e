//! What a reply means: done, log in, try again, make it smaller, or no.
//!
//! Numbers are matched, never texts.
//!
//! # Source
//! <https://docs.arangodb.com/3.12/develop/error-codes/>

use std::fmt;

use serde::Deserialize;

use crate::Error;

/// A document was changed by somebody else, or is not what the caller expected, or is locked.
pub(super) const CONFLICT: u32 = 1200;
/// There is no such document.
pub(super) const NO_DOCUMENT: u32 = 1202;
/// There is no such collection.
pub(super) const NO_COLLECTION: u32 = 1203;
/// A collection of that name is there already.
pub(super) const DUPLICATE_NAME: u32 = 1207;
/// The key is taken.
pub(super) const TAKEN: u32 = 1210;
/// There is no such database.
pub(super) const NO_DATABASE: u32 = 1228;
/// A graph of that name is there already.
pub(super) const DUPLICATE_GRAPH: u32 = 1925;

/// Why the server did not do what it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    #[serde(rename = "code")]
    pub(super) status: u16,
    #[serde(rename = "errorNum")]
    pub(super) number: u32,
    #[serde(rename = "errorMessage")]
    pub(super) message: String,
}

impl Refusal {
    /// Reads the body of a reply; one of a proxy is no JSON and says nothing but its status.
    pub(super) fn read(status: u16, body: &[u8]) -> Self {
        let mut refusal: Self = serde_json::from_slice(body).unwrap_or_default();
        refusal.status = status;
        refusal.message = refusal.message.chars().take(300).collect();
        refusal
    }

    pub(super) fn is(&self, status: u16, number: u32) -> bool {
        (self.status, self.number) == (status, number)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.number, self.message.as_str()) {
            (0, _) => write!(formatter, "status {}", self.status),
            (number, message) => write!(formatter, "status {}, error {number}: {message}", self.status),
        }
    }
}

/// What to do about a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is done.
    Done,
    /// The token is not valid any more.
    LogIn,
    /// The same may succeed later: a lock, a server that has too much to do, or may not write for now.
    Again,
    /// It must be made smaller.
    Smaller,
    /// The server understood and says no.
    Refused,
}

/// Sorts a reply by its status and error number.
pub(super) fn judge(status: u16, number: u32) -> Verdict {
    match (status, number) {
        (200..=299, _) => Verdict::Done,
        (401, _) => Verdict::LogIn,
        (413, _) | (500, 32) => Verdict::Smaller,
        // With 412 the same number is the answer to a condition.
        (409, CONFLICT)
        | (408 | 429 | 502 | 503 | 504, _)
        | (_, 18 | 30 | 1004 | 1429 | 1457 | 1465 | 1478 | 1495 | 1496 | 1500 | 21003 | 21004) => Verdict::Again,
        _ => Verdict::Refused,
    }
}

/// What a document of a batch has come to that was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It will be refused every time, for what it is.
    Rejected,
    /// It may be stored later.
    Again,
    /// All others will be refused as well.
    Hopeless,
}

/// Sorts the error of one document of a batch; what is not known may pass.
pub(super) fn judge_document(number: u32) -> Fate {
    match number {
        NO_COLLECTION | 11 => Fate::Hopeless,
        600
        | 1208
        | TAKEN
        | 1216
        | 1221
        | 1222
        | 1226
        | 1227
        | 1233
        | 1466
        | 1469
        | 1504
        | 1505
        | 1524
        | 1542
        | 1543
        | 1561..=1563
        | 1569
        | 1572
        | 1578
        | 1593
        | 1594
        | 1620
        | 4001
        | 4003
        | 4010 => Fate::Rejected,
        _ => Fate::Again,
    }
}

/// Why a call did not succeed.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The server understood and said no.
    Refused(Refusal),
    /// The call is too large for the server.
    TooLarge,
    /// No server took it for as long as the caller was patient.
    Unavailable(String),
    /// The server knows neither user nor password.
    Unauthorized(String),
    /// The server is none that can be used.
    Unfit(String),
    /// Nothing of the server's.
    Own(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

impl Failure {
    /// Names the place in what went wrong.
    pub(super) fn into_error(self, place: &str) -> Error {
        let place = place.to_owned();
        match self {
            Self::Refused(refusal) => Error::Refused { place, reason: refusal.to_string() },
            Self::TooLarge => Error::Refused { place, reason: "the request is too large".to_owned() },
            Self::Unavailable(reason) => Error::Unavailable { place, reason },
            Self::Unauthorized(reason) => Error::Unauthorized { place, reason },
            Self::Unfit(reason) => Error::Unfit { place, reason },
            Self::Own(error) => error,
        }
    }

    /// The refusal of this status and number, if it is one.
    pub(super) fn is(&self, status: u16, number: u32) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is(status, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_means_different_things() {
        for (status, number, verdict) in [
            (202, 0, Verdict::Done),
            (401, 11, Verdict::LogIn),
            (403, 11, Verdict::Refused),
            (403, 1004, Verdict::Again),
            (404, NO_DOCUMENT, Verdict::Refused),
            (409, CONFLICT, Verdict::Again),
            (409, TAKEN, Verdict::Refused),
            (412, CONFLICT, Verdict::Refused),
            (412, 21004, Verdict::Again),
            (413, 0, Verdict::Smaller),
            (500, 32, Verdict::Smaller),
            (500, 18, Verdict::Again),
            (410, 1500, Verdict::Again),
            (503, 0, Verdict::Again),
        ] {
            assert_eq!(judge(status, number), verdict, "{status} {number}");
        }
    }

    #[test]
    fn body_of_a_proxy_leaves_the_status() {
        let refusal = Refusal::read(503, b"<html>Service Unavailable</html>");
        assert_eq!(refusal.to_string(), "status 503");
        let body = br#"{"error":true,"code":500,"errorNum":1202,"errorMessage":"document not found"}"#;
        assert!(Refusal::read(404, body).is(404, NO_DOCUMENT));
    }
}
