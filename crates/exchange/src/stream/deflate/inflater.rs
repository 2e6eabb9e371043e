//! From frames with compressed messages to plain ones; pure.

use std::io;

use flate2::{Decompress, FlushDecompress, Status};

use super::{
    Takeover,
    frame::{COMPRESSED, CONTROL, FINAL, KIND, LARGEST, MASKED, head, too_large, write_frame},
};

/// What a sender leaves off the end of each message.
pub(crate) const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Takes the bytes of a connection, however they are cut.
#[derive(Debug)]
pub(super) struct Inflater {
    takeover: Takeover,
    state: Decompress,
    /// Whether the message at hand is compressed, and how long it is so far.
    is_compressed: bool,
    length: usize,
    /// What is not a whole frame yet.
    input: Vec<u8>,
    output: Vec<u8>,
    /// How much of it was taken.
    taken: usize,
}

impl Inflater {
    pub(super) fn new(takeover: Takeover) -> Self {
        Self {
            takeover,
            state: Decompress::new(false),
            is_compressed: false,
            length: 0,
            input: Vec::new(),
            output: Vec::new(),
            taken: 0,
        }
    }

    /// Plain frames, or parts of them, that can be taken.
    pub(super) fn ready(&self) -> &[u8] {
        &self.output[self.taken..]
    }

    /// So many bytes were taken.
    pub(super) fn taken(&mut self, count: usize) {
        self.taken += count;
        if self.taken >= self.output.len() {
            self.output.clear();
            self.taken = 0;
        }
    }

    /// Takes what has come.
    ///
    /// # Errors
    /// If it cannot be inflated, or is larger than anything that the exchange sends.
    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.input.extend_from_slice(bytes);
        let mut begin = 0;
        while let Some(head) = head(&self.input[begin..])? {
            let frame = begin..begin + head.end;
            let payload = begin + head.payload..frame.end;
            let first = self.input[begin];
            let is_masked = self.input[begin + 1] & MASKED != 0;
            let is_data = first & KIND < CONTROL && !is_masked;
            if is_data && first & KIND != 0 {
                self.is_compressed = first & COMPRESSED != 0;
                self.length = 0;
            }
            if is_data && self.is_compressed {
                let message = self.inflate(payload, first & FINAL != 0)?;
                write_frame(first & !COMPRESSED, &message, &mut self.output);
            } else {
                // What is against the rules is for the WebSocket library to refuse.
                self.output.extend_from_slice(&self.input[frame.clone()]);
            }
            begin = frame.end;
        }
        self.input.drain(..begin);
        Ok(())
    }

    fn inflate(&mut self, payload: std::ops::Range<usize>, is_final: bool) -> io::Result<Vec<u8>> {
        let mut message = Vec::with_capacity(payload.len() * 4);
        let tail: &[u8] = if is_final { &TAIL } else { &[] };
        for part in [&self.input[payload], tail] {
            let mut rest = part;
            loop {
                let (before, length) = (self.state.total_in(), message.len());
                message.reserve(1024);
                let status = self.state.decompress_vec(rest, &mut message, FlushDecompress::Sync);
                let status = status.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                let used = usize::try_from(self.state.total_in() - before).unwrap_or(rest.len());
                rest = &rest[used.min(rest.len())..];
                if self.length + message.len() > LARGEST {
                    return Err(too_large());
                }
                if status == Status::StreamEnd {
                    // A sender may end its stream with a message; the next one begins another.
                    self.state.reset(false);
                }
                if rest.is_empty() && message.len() < message.capacity() {
                    break;
                }
                if used == 0 && message.len() == length {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a compressed frame goes on after its end"));
                }
            }
        }
        self.length += message.len();
        if is_final && self.takeover == Takeover::None {
            self.state.reset(false);
        }
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};

    use super::{super::frame::LENGTH_IN_EIGHT, *};

    const TEXT: u8 = 1;
    const PING: u8 = 9;

    /// A message as a sender compresses it.
    fn compressed(state: &mut Compress, text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + 64);
        state.compress_vec(text.as_bytes(), &mut out, FlushCompress::Sync).unwrap();
        assert!(out.ends_with(&TAIL));
        out.truncate(out.len() - TAIL.len());
        out
    }

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_frame(first, payload, &mut out);
        out
    }

    fn all(inflater: &mut Inflater, bytes: &[u8], step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for part in bytes.chunks(step) {
            inflater.push(part).unwrap();
            out.extend_from_slice(inflater.ready());
            inflater.taken(inflater.ready().len());
        }
        out
    }

    fn texts() -> Vec<String> {
        let long = "[\"63260.53000000\",\"226.28789000\"],".repeat(3_000);
        vec!["{}".to_owned(), long, String::new(), "{\"e\":\"trade\"}".repeat(9)]
    }

    #[test]
    fn messages_come_out_as_they_were_however_they_are_cut() {
        for takeover in [Takeover::Context, Takeover::None] {
            let mut state = Compress::new(Compression::fast(), false);
            let (mut sent, mut plain) = (Vec::new(), Vec::new());
            for text in texts() {
                sent.extend(frame(FINAL | COMPRESSED | TEXT, &compressed(&mut state, &text)));
                plain.extend(frame(FINAL | TEXT, text.as_bytes()));
                // Pings and plain messages may come between.
                for first in [FINAL | PING, FINAL | TEXT] {
                    sent.extend(frame(first, b"plain"));
                    plain.extend(frame(first, b"plain"));
                }
                if takeover == Takeover::None {
                    state.reset();
                }
            }
            for step in [1, 7, 4_096, sent.len()] {
                assert_eq!(all(&mut Inflater::new(takeover), &sent, step), plain, "{takeover:?} {step}");
            }
        }
    }

    #[test]
    fn frames_of_one_message_are_inflated_one_by_one() {
        let text = texts().swap_remove(3);
        let bytes = compressed(&mut Compress::new(Compression::best(), false), &text);
        let (one, other) = bytes.split_at(bytes.len() / 2);
        let sent = [frame(COMPRESSED | TEXT, one), frame(FINAL | PING, b"here?"), frame(FINAL, other)].concat();
        let out = all(&mut Inflater::new(Takeover::None), &sent, 5);
        let mut message = Vec::new();
        let mut begin = 0;
        while let Some(head) = head(&out[begin..]).unwrap() {
            if out[begin] & KIND < CONTROL {
                message.extend_from_slice(&out[begin + head.payload..begin + head.end]);
            }
            begin += head.end;
        }
        assert_eq!(String::from_utf8(message).unwrap(), text);
    }

    #[test]
    fn what_is_no_compressed_message_is_an_error() {
        let nonsense = frame(FINAL | COMPRESSED | TEXT, &[0xff; 20]);
        assert!(Inflater::new(Takeover::None).push(&nonsense).is_err());
        let zeros = "0".repeat(LARGEST + 1);
        let bomb = compressed(&mut Compress::new(Compression::best(), false), &zeros);
        assert!(bomb.len() < LARGEST / 100);
        let error = Inflater::new(Takeover::None).push(&frame(FINAL | COMPRESSED | TEXT, &bomb)).unwrap_err();
        assert!(error.to_string().contains("more than"), "{error}");
        let endless = [FINAL | TEXT, LENGTH_IN_EIGHT, 0xff, 0, 0, 0, 0, 0, 0, 0];
        assert!(Inflater::new(Takeover::None).push(&endless).is_err());
    }
}
