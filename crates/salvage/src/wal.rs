//! The write-ahead log: which pages its committed transactions hold.
//!
//! # Source
//! <https://sqlite.org/fileformat2.html#walformat>

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use crate::{PAGE_BYTES, aside::beside};

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const FRAME_BYTES: u64 = (FRAME_HEADER_BYTES + PAGE_BYTES) as u64;
/// The magic number; its lowest bit tells the byte order of the checksums.
const MAGIC: u32 = 0x377f_0682;

/// Whether a file has a WAL that holds frames but begins with what makes no sense, so that `SQLite` would take it for empty.
///
/// # Errors
/// Why it cannot be read.
pub fn is_damaged(path: &Path) -> io::Result<bool> {
    let file = match File::open(beside(path, "-wal")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let holds_frames = file.metadata()?.len() >= HEADER_BYTES as u64 + FRAME_BYTES;
    Ok(holds_frames && Chain::begin(&mut &file)?.is_none())
}

/// Finds where the newest committed version of each page lies, up to the first frame that is not whole.
pub(crate) fn committed_pages(file: &File) -> io::Result<HashMap<u32, u64>> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut committed = HashMap::new();
    let Some(mut chain) = Chain::begin(&mut reader)? else {
        return Ok(committed);
    };
    let mut position = HEADER_BYTES as u64;
    let mut pending = Vec::new();
    while let Some(frame) = chain.next(&mut reader)? {
        pending.push((frame.page, position + FRAME_HEADER_BYTES as u64));
        if frame.is_commit {
            committed.extend(pending.drain(..));
        }
        position += FRAME_BYTES;
    }
    Ok(committed)
}

struct Frame {
    page: u32,
    is_commit: bool,
}

/// The checksum that runs through header and frames, with the salt that marks the frames of this round.
struct Chain {
    is_big_endian: bool,
    salt: [u8; 8],
    sums: (u32, u32),
}

impl Chain {
    /// Reads the header; `None` if it is not that of a log with our page size.
    fn begin(reader: &mut impl Read) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER_BYTES];
        if !fill(reader, &mut header)? {
            return Ok(None);
        }
        let magic = big_endian(&header[..4]);
        let mut salt = [0; 8];
        salt.copy_from_slice(&header[16..24]);
        let mut chain = Self { is_big_endian: magic & 1 == 1, salt, sums: (0, 0) };
        chain.add(&header[..24]);
        let is_whole = magic & !1 == MAGIC
            && big_endian(&header[8..12]) as usize == PAGE_BYTES
            && chain.sums == (big_endian(&header[24..28]), big_endian(&header[28..32]));
        Ok(is_whole.then_some(chain))
    }

    fn next(&mut self, reader: &mut impl Read) -> io::Result<Option<Frame>> {
        let mut frame = vec![0; FRAME_HEADER_BYTES + PAGE_BYTES];
        if !fill(reader, &mut frame)? || frame[8..16] != self.salt {
            return Ok(None);
        }
        self.add(&frame[..8]);
        self.add(&frame[FRAME_HEADER_BYTES..]);
        if self.sums != (big_endian(&frame[16..20]), big_endian(&frame[20..24])) {
            return Ok(None);
        }
        Ok(Some(Frame { page: big_endian(&frame[..4]), is_commit: big_endian(&frame[4..8]) != 0 }))
    }

    fn add(&mut self, bytes: &[u8]) {
        let (mut first, mut second) = self.sums;
        for pair in bytes.chunks_exact(8) {
            first = first.wrapping_add(self.word(&pair[..4])).wrapping_add(second);
            second = second.wrapping_add(self.word(&pair[4..])).wrapping_add(first);
        }
        self.sums = (first, second);
    }

    fn word(&self, bytes: &[u8]) -> u32 {
        let word = big_endian(bytes);
        if self.is_big_endian { word } else { word.swap_bytes() }
    }
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Fills the buffer; false if the end comes before.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
