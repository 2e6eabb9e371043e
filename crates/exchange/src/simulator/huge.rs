//! An answer far larger than any true one, made as it is sent.

use std::io::Write;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

use super::server::{JSON, response};

const CHUNK: usize = 1 << 20;

/// Chunks of an answer: a gibibyte altogether.
const CHUNKS: usize = 1 << 10;

/// A list of nothing but spaces.
pub(super) fn response_of_spaces(is_compressed: bool) -> Response {
    let chunks = (0..CHUNKS).map(|number| {
        let mut chunk = vec![b' '; CHUNK];
        if number == 0 {
            chunk[0] = b'[';
        }
        chunk
    });
    let body = if is_compressed {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        body(chunks.map(move |chunk| compressed(&mut encoder, &chunk)))
    } else {
        body(chunks.map(Bytes::from))
    };
    let mut response = response(StatusCode::OK, Some(JSON), body);
    if is_compressed {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn body(chunks: impl Iterator<Item = Bytes> + Send + 'static) -> Body {
    Body::from_stream(futures::stream::unfold(chunks, |mut chunks| async {
        // A client on the same thread gets the chance to hang up.
        tokio::task::yield_now().await;
        Some((Ok::<_, std::convert::Infallible>(chunks.next()?), chunks))
    }))
}

/// What a chunk adds to the compressed answer; writing to memory cannot fail.
fn compressed(encoder: &mut GzEncoder<Vec<u8>>, chunk: &[u8]) -> Bytes {
    let _ = encoder.write_all(chunk);
    let _ = encoder.flush();
    std::mem::take(encoder.get_mut()).into()
}
