//! Texts from files, never more of one than its purpose needs.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// What the system says, or that the file is larger or no UTF-8.
pub(crate) fn read_file(path: &Path, limit: u64) -> io::Result<String> {
    read(File::open(path)?, limit)
}

/// Reads a text of at most `limit` bytes; one byte more is the last that is asked for.
///
/// # Errors
/// What the reader says, or that the text is larger or no UTF-8.
pub(crate) fn read(reader: impl Read, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    let length = reader.take(limit + 1).read_to_end(&mut bytes)?;
    if length as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_up_to_its_limit() {
        assert_eq!(read(&b"four"[..], 4).unwrap(), "four");
        assert!(read(&b"fives"[..], 4).unwrap_err().to_string().contains("larger than 4 bytes"));
        assert!(read(io::repeat(b'x'), 1 << 16).is_err(), "what never ends is left off");
        assert!(read(&b"\xff"[..], 4).unwrap_err().to_string().contains("UTF-8"));
    }
}
