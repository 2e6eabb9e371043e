//! A chunk: lines packed by gzip, under the SHA-256 of the bytes that they are packed to.

use std::io::{self, Read as _, Write as _};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use streamforge_events::{Millis, hex};

/// What a manifest says of a chunk.
///
/// # Units
/// Sizes in bytes; times in UTC milliseconds, of the first and the last row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// SHA-256 of its bytes in hexadecimal, which is also its name.
    pub sha256: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// How many its lines have.
    pub unpacked: u64,
    /// How many rows it holds.
    pub rows: u64,
    /// The earliest time of a row.
    pub first: Millis,
    /// The latest time of a row.
    pub last: Millis,
    /// The highest version of a row.
    pub newest: u64,
}

/// Packs lines.
pub(crate) struct Packer {
    encoder: GzEncoder<Vec<u8>>,
    unpacked: u64,
}

impl Packer {
    pub(crate) fn new() -> Self {
        Self { encoder: GzEncoder::new(Vec::new(), Compression::default()), unpacked: 0 }
    }

    /// Adds a line, which must not hold a line feed.
    pub(crate) fn add(&mut self, line: &[u8]) -> io::Result<()> {
        self.encoder.write_all(line)?;
        self.encoder.write_all(b"\n")?;
        self.unpacked += line.len() as u64 + 1;
        Ok(())
    }

    /// How many bytes the lines have so far.
    pub(crate) fn unpacked(&self) -> u64 {
        self.unpacked
    }

    pub(crate) fn finish(self) -> io::Result<Vec<u8>> {
        self.encoder.finish()
    }
}

/// Unpacks lines that are `unpacked` bytes together, and says what is wrong with others.
pub(crate) fn unpack(bytes: &[u8], unpacked: u64) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    // No more than one byte too many: a few bytes can unpack to any number of them.
    GzDecoder::new(bytes)
        .take(unpacked.saturating_add(1))
        .read_to_end(&mut text)
        .map_err(|error| format!("cannot be unpacked: {error}"))?;
    if text.len() as u64 != unpacked {
        return Err(format!("does not unpack to the {unpacked} bytes that the manifest states"));
    }
    Ok(text)
}

/// SHA-256 in hexadecimal.
pub(crate) fn checksum(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// What is wrong with bytes that are to have this size and checksum.
pub(crate) fn fault(bytes: &[u8], size: u64, sha256: &str) -> Option<String> {
    size_fault(bytes.len() as u64, size).or_else(|| {
        (checksum(bytes) != sha256)
            .then(|| format!("was edited or swapped: its {size} bytes do not have the SHA-256 that is its name"))
    })
}

/// What is wrong with an object of another size.
pub(crate) fn size_fault(found: u64, size: u64) -> Option<String> {
    match found {
        _ if found == size => None,
        _ if found < size => Some(format!("was truncated: it has {found} of {size} bytes")),
        _ => Some(format!("was edited: it has {found} bytes instead of {size}")),
    }
}
