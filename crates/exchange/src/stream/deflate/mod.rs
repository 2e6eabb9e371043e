//! Compressed frames: what is agreed on in the handshake, and a socket whose frames arrive inflated.
//!
//! The WebSocket library knows no extensions, so what it reads is changed before: frames of compressed messages become
//! plain ones. What this side says is short and never compressed, which the extension allows.
//!
//! # Source
//! RFC 7692, <https://www.rfc-editor.org/rfc/rfc7692>

pub(crate) mod frame;
mod inflater;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use inflater::Inflater;
pub(crate) use inflater::TAIL;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is offered in the handshake's `Sec-WebSocket-Extensions`.
pub(super) const OFFER: &str = "permessage-deflate; client_max_window_bits";
pub(crate) const NAME: &str = "permessage-deflate";
const READ: usize = 16 * 1024;

/// Whether each message is compressed by itself, or goes on where the one before ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takeover {
    None,
    Context,
}

/// Reads what the exchange has accepted; none where frames stay as they are.
///
/// # Errors
/// What it has accepted that was not offered.
pub(super) fn accepted(header: Option<&str>) -> Result<Option<Takeover>, String> {
    let Some(header) = header else { return Ok(None) };
    let mut words = header.split(';').map(str::trim);
    let mut takeover = Takeover::Context;
    let is_known = words.next() == Some(NAME)
        && words.all(|word| {
            let name = word.split_once('=').map_or(word, |(name, _)| name.trim_end());
            if name == "server_no_context_takeover" {
                takeover = Takeover::None;
            }
            matches!(
                name,
                "server_no_context_takeover"
                    | "client_no_context_takeover"
                    | "server_max_window_bits"
                    | "client_max_window_bits"
            )
        });
    if is_known {
        Ok(Some(takeover))
    } else {
        Err(format!("it accepts the extension `{header}`, which nobody offered"))
    }
}

/// A socket whose frames are inflated as they are read.
#[derive(Debug)]
pub(super) struct Inflated<Inner> {
    inner: Inner,
    inflater: Option<Inflater>,
}

impl<Inner> Inflated<Inner> {
    /// Frames stay as they are where nothing was agreed on.
    pub(super) fn new(inner: Inner, takeover: Option<Takeover>) -> Self {
        Self { inner, inflater: takeover.map(Inflater::new) }
    }
}

impl<Inner: AsyncRead + Unpin> AsyncRead for Inflated<Inner> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(inflater) = &mut this.inflater else { return Pin::new(&mut this.inner).poll_read(context, out) };
        loop {
            let ready = inflater.ready();
            if !ready.is_empty() {
                let count = ready.len().min(out.remaining());
                out.put_slice(&ready[..count]);
                inflater.taken(count);
                return Poll::Ready(Ok(()));
            }
            let mut bytes = [0; READ];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            inflater.push(read.filled())?;
        }
    }
}

impl<Inner: AsyncWrite + Unpin> AsyncWrite for Inflated<Inner> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_offered_is_accepted() {
        assert_eq!(accepted(None), Ok(None));
        assert_eq!(accepted(Some("permessage-deflate")), Ok(Some(Takeover::Context)));
        let usual = "permessage-deflate; server_no_context_takeover; client_max_window_bits=15";
        assert_eq!(accepted(Some(usual)), Ok(Some(Takeover::None)));
        for other in ["", "permessage-bzip2", "permessage-deflate; level=9", "permessage-deflate, permessage-deflate"] {
            assert!(accepted(Some(other)).is_err(), "{other}");
        }
    }
}
