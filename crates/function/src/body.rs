//! Reading the body of a request: never more of it than allowed, never longer than it may take.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use axum::http::{HeaderMap, StatusCode};
use bytes::BytesMut;
use futures::StreamExt;

/// Longest time for a body to arrive: a caller on the same network needs a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long, and how much of, a refused body is thrown away behind the answer. A server that closes the connection
/// while its client still writes makes the client's system forget the answer.
///
/// # Source
/// <https://www.rfc-editor.org/rfc/rfc9112#section-9.6>
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 64 << 20;

/// Why a body was not read; the texts are for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is larger than allowed.
    #[error("the body is larger than {0} bytes; send less at once")]
    TooLarge(usize),
    /// It did not come to its end in time.
    #[error("the body did not come to its end within {} s; send it at once", .0.as_secs())]
    TooSlow(Duration),
    /// The connection or the framing of the body broke.
    #[error("the body could not be read; send as many bytes as announced")]
    Broken,
}

impl Unread {
    /// Status of the answer.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads a body of at most `limit` bytes; one that is announced as larger is refused before a byte of it is read.
///
/// # Errors
/// [`Unread`] where the body is too large, too slow or broken.
pub async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Unread> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let stream = body.into_data_stream();
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit)) {
        // Who asks first whether to send the body is answered by not reading it.
        if !headers.contains_key(EXPECT) {
            linger(stream);
        }
        return Err(Unread::TooLarge(limit));
    }
    tokio::time::timeout(PATIENCE, collect(stream, limit)).await.unwrap_or(Err(Unread::TooSlow(PATIENCE)))
}

async fn collect(mut stream: BodyDataStream, limit: usize) -> Result<Bytes, Unread> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Unread::Broken)?;
        if first.len() + rest.len() + chunk.len() > limit {
            linger(stream);
            return Err(Unread::TooLarge(limit));
        }
        // Most bodies are one chunk, which need not be copied.
        if first.is_empty() {
            first = chunk;
        } else {
            rest.extend_from_slice(&chunk);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

fn linger(mut stream: BodyDataStream) {
    tokio::spawn(tokio::time::timeout(LINGER, async move {
        let mut thrown_away = 0;
        while let Some(Ok(chunk)) = stream.next().await {
            thrown_away += chunk.len();
            if thrown_away > LINGER_BYTES {
                break;
            }
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::io;

    use axum::http::HeaderValue;

    use super::*;

    fn body(chunks: &[&'static str]) -> Body {
        let chunks: Vec<io::Result<&'static str>> = chunks.iter().map(|chunk| Ok(*chunk)).collect();
        Body::from_stream(futures::stream::iter(chunks))
    }

    #[tokio::test]
    async fn a_body_of_any_chunks_is_read_up_to_the_limit() {
        for (chunks, expected) in [
            (&[][..], Some("")),
            (&["abcd"], Some("abcd")),
            (&["a", "", "bc", "d"], Some("abcd")),
            (&["abcde"], None),
            (&["abc", "de"], None),
        ] {
            let expected = expected.map(Bytes::from).ok_or(Unread::TooLarge(4));
            assert_eq!(read(&HeaderMap::new(), body(chunks), 4).await, expected, "{chunks:?}");
        }
        let broken = Body::from_stream(futures::stream::iter([Ok("ab"), Err(io::Error::other("reset"))]));
        assert_eq!(read(&HeaderMap::new(), broken, 4).await, Err(Unread::Broken));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let never = || Body::from_stream(futures::stream::pending::<io::Result<Bytes>>());
        let started = tokio::time::Instant::now();
        for length in ["5", "10737418240"] {
            let headers = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from_static(length))]);
            assert_eq!(read(&headers, never(), 4).await, Err(Unread::TooLarge(4)), "{length}");
        }
        assert!(started.elapsed().is_zero(), "what is announced as too large is not waited for");
        assert_eq!(read(&HeaderMap::new(), never(), 4).await, Err(Unread::TooSlow(PATIENCE)));
    }
}
