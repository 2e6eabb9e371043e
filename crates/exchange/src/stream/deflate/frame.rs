//! Where a frame of a WebSocket begins and ends; pure.
//!
//! # Source
//! RFC 6455, section 5.2, <https://www.rfc-editor.org/rfc/rfc6455#section-5.2>

use std::io;

/// Largest frame, and largest message once it is inflated; the exchange's are a thousand times smaller.
pub(crate) const LARGEST: usize = 16 << 20;
/// Bits of a frame's first byte: last of its message, compressed, and what kind it is.
pub(crate) const FINAL: u8 = 0x80;
pub(crate) const COMPRESSED: u8 = 0x40;
pub(crate) const KIND: u8 = 0x0f;
/// Kinds from here on are pings, pongs and closes, which come between frames of a message and are never compressed.
pub(crate) const CONTROL: u8 = 0x08;
/// Bits of its second byte: whether it is masked, and its length, or how that is written.
pub(crate) const MASKED: u8 = 0x80;
pub(crate) const LENGTH: u8 = 0x7f;
pub(crate) const LENGTH_IN_TWO: u8 = 126;
pub(crate) const LENGTH_IN_EIGHT: u8 = 127;

/// Where a frame's parts are.
pub(crate) struct Head {
    pub(crate) payload: usize,
    pub(crate) end: usize,
}

/// Reads where the payload of the first frame is; none as long as the frame is not whole.
pub(crate) fn head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let &[_, second, ..] = bytes else { return Ok(None) };
    let (length, mut payload) = match second & LENGTH {
        LENGTH_IN_TWO => {
            let Some(length) = bytes.get(2..4).and_then(|length| length.try_into().ok()) else { return Ok(None) };
            (u64::from(u16::from_be_bytes(length)), 4)
        }
        LENGTH_IN_EIGHT => {
            let Some(length) = bytes.get(2..10).and_then(|length| length.try_into().ok()) else { return Ok(None) };
            (u64::from_be_bytes(length), 10)
        }
        length => (u64::from(length), 2),
    };
    if second & MASKED != 0 {
        payload += 4;
    }
    let length = usize::try_from(length).ok().filter(|length| *length <= LARGEST).ok_or_else(too_large)?;
    let end = payload + length;
    Ok((bytes.len() >= end).then_some(Head { payload, end }))
}

/// Writes a frame that is not masked.
pub(crate) fn write_frame(first: u8, payload: &[u8], output: &mut Vec<u8>) {
    output.push(first);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length), _) if length < LENGTH_IN_TWO => output.push(length),
        (_, Ok(length)) => {
            output.push(LENGTH_IN_TWO);
            output.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            output.push(LENGTH_IN_EIGHT);
            output.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    output.extend_from_slice(payload);
}

/// The error of what is larger than [`LARGEST`].
pub(crate) fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a frame or message has more than {LARGEST} bytes"))
}
