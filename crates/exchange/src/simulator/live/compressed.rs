//! A socket that compresses the messages that are written to it, as the exchange does for clients that offer it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};
use flate2::{Compress, Compression, FlushCompress};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::deflate::{
    NAME, TAIL,
    frame::{COMPRESSED, CONTROL, FINAL, KIND, head, write_frame},
};

/// What is accepted: every message is compressed by itself.
pub(super) const ACCEPTED: HeaderValue =
    HeaderValue::from_static("permessage-deflate; server_no_context_takeover; client_max_window_bits=15");

/// Whether a client offers the extension.
pub(super) fn is_offered(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter().filter_map(|header| header.to_str().ok());
    let mut offers = offers.flat_map(|header| header.split(','));
    offers.any(|offer| offer.split(';').next().is_some_and(|name| name.trim() == NAME))
}

/// A socket whose frames are compressed as they are written; what is read is left as it is.
#[derive(Debug)]
pub(super) struct Compressed<Inner> {
    inner: Inner,
    state: Option<Compress>,
    /// What is not a whole frame yet.
    input: Vec<u8>,
    output: Vec<u8>,
}

impl<Inner> Compressed<Inner> {
    /// Frames stay as they are where nothing was agreed on.
    pub(super) fn new(inner: Inner, is_agreed: bool) -> Self {
        let state = is_agreed.then(|| Compress::new(Compression::fast(), false));
        Self { inner, state, input: Vec::new(), output: Vec::new() }
    }

    fn take(&mut self, state: &mut Compress, bytes: &[u8]) -> io::Result<()> {
        self.input.extend_from_slice(bytes);
        let mut begin = 0;
        while let Some(head) = head(&self.input[begin..])? {
            let frame = &self.input[begin..begin + head.end];
            // Only whole messages are written here, never parts of one.
            if frame[0] & KIND < CONTROL && frame[0] & FINAL != 0 {
                let payload = compress(state, &frame[head.payload..])?;
                write_frame(frame[0] | COMPRESSED, &payload, &mut self.output);
            } else {
                self.output.extend_from_slice(frame);
            }
            begin += head.end;
        }
        self.input.drain(..begin);
        Ok(())
    }
}

impl<Inner: AsyncWrite + Unpin> Compressed<Inner> {
    /// Writes what waits.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<Inner: AsyncRead + Unpin> AsyncRead for Compressed<Inner> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(context, out)
    }
}

impl<Inner: AsyncWrite + Unpin> AsyncWrite for Compressed<Inner> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(mut state) = this.state.take() else { return Pin::new(&mut this.inner).poll_write(context, bytes) };
        let drained = this.poll_drain(context);
        let taken = if let Poll::Ready(Ok(())) = drained { Some(this.take(&mut state, bytes)) } else { None };
        this.state = Some(state);
        ready!(drained)?;
        taken.transpose()?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Half a frame is one that was meant to be half.
        let half = std::mem::take(&mut this.input);
        this.output.extend(half);
        ready!(this.poll_drain(context))?;
        Pin::new(&mut this.inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(context))?;
        Pin::new(&mut this.inner).poll_shutdown(context)
    }
}

fn compress(state: &mut Compress, payload: &[u8]) -> io::Result<Vec<u8>> {
    state.reset();
    let mut out = Vec::with_capacity(payload.len() / 2 + 64);
    let mut rest = payload;
    loop {
        let before = state.total_in();
        state.compress_vec(rest, &mut out, FlushCompress::Sync).map_err(io::Error::other)?;
        let used = usize::try_from(state.total_in() - before).unwrap_or(rest.len());
        rest = &rest[used.min(rest.len())..];
        if rest.is_empty() && out.len() < out.capacity() {
            break;
        }
        out.reserve(payload.len() / 2 + 64);
    }
    out.truncate(out.len().saturating_sub(TAIL.len()));
    Ok(out)
}
