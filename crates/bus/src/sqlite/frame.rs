//! How one record is kept in a block: as bytes that say themselves what they are, where they belong and whether they are
//! whole, so that a repair finds them in a page to which nothing leads any more.
//!
//! All numbers are little-endian: mark, CRC-32 of all that follows it, length of all, length of the key, length of the
//! headers, partition, topic, offset, timestamp; then key, headers and value.

use super::headers;
use crate::Record;

/// Where every record begins; no text in UTF-8 holds it.
pub(super) const MARK: [u8; 4] = [0xfb, 0x53, 0x46, 0x72];
const FIELDS_BYTES: usize = 48;
/// The length of a key that is not there.
const NO_KEY: u32 = u32::MAX;
/// Far above any record; a length beyond is damage.
const MAX_BYTES: usize = 1 << 24;

/// Where a record stands; a record that damage moved elsewhere is found out, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) topic_id: i64,
    pub(super) partition: u32,
    pub(super) offset: u64,
}

/// Appends a record to a block; `None`, and nothing is appended, if it is longer than its lengths can say, which no
/// record within the limit is.
pub(super) fn encode(block: &mut Vec<u8>, place: Place, record: &Record) -> Option<()> {
    let begin = block.len();
    let written = write(block, place, record);
    if written.is_none() {
        block.truncate(begin);
    }
    written
}

fn write(block: &mut Vec<u8>, place: Place, record: &Record) -> Option<()> {
    let begin = block.len();
    let key_length = match &record.key {
        Some(key) => u32::try_from(key.len()).ok()?,
        None => NO_KEY,
    };
    let mut fields = [0; FIELDS_BYTES];
    fields[..4].copy_from_slice(&MARK);
    fields[12..16].copy_from_slice(&key_length.to_le_bytes());
    fields[20..24].copy_from_slice(&place.partition.to_le_bytes());
    fields[24..32].copy_from_slice(&place.topic_id.to_le_bytes());
    fields[32..40].copy_from_slice(&place.offset.to_le_bytes());
    fields[40..48].copy_from_slice(&record.timestamp.to_le_bytes());
    block.extend_from_slice(&fields);
    block.extend_from_slice(record.key.as_deref().unwrap_or_default());
    let headers_begin = block.len();
    headers::encode(block, &record.headers)?;
    let headers_length = u32::try_from(block.len() - headers_begin).ok()?;
    block.extend_from_slice(&record.value);
    let frame = block.get_mut(begin..)?;
    let length = u32::try_from(frame.len()).ok().filter(|_| frame.len() <= MAX_BYTES)?;
    frame[8..12].copy_from_slice(&length.to_le_bytes());
    frame[16..20].copy_from_slice(&headers_length.to_le_bytes());
    let checksum = crc32fast::hash(&frame[8..]);
    frame[4..8].copy_from_slice(&checksum.to_le_bytes());
    Some(())
}

/// The bytes of one record, not looked into yet.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a>(&'a [u8]);

impl<'a> Frame<'a> {
    /// Takes the first record off a block; `None` if no whole one begins there.
    pub(super) fn take(block: &mut &'a [u8]) -> Option<Self> {
        let (frame, rest) = block.split_at_checked(length(block)?)?;
        *block = rest;
        Some(Self(frame))
    }

    /// The offset that it claims; only [`Frame::decode`] tells whether that is true.
    pub(super) fn offset(self) -> Option<u64> {
        self.0.get(32..40)?.try_into().ok().map(u64::from_le_bytes)
    }

    /// The timestamp that it claims.
    pub(super) fn timestamp(self) -> Option<i64> {
        self.0.get(40..48)?.try_into().ok().map(i64::from_le_bytes)
    }

    /// Whether every bit is as it was written.
    pub(super) fn is_whole(self) -> bool {
        self.0.get(8..).map(crc32fast::hash) == number(self.0, 4)
    }

    /// Reads the record; `None` if it is damaged.
    pub(super) fn decode(self) -> Option<(Place, Record)> {
        if !self.is_whole() {
            return None;
        }
        let place = Place {
            topic_id: i64::from_le_bytes(self.0.get(24..32)?.try_into().ok()?),
            partition: number(self.0, 20)?,
            offset: self.offset()?,
        };
        let mut rest = self.0.get(FIELDS_BYTES..)?;
        let mut next = |length: u32| {
            let (field, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            rest = after;
            Some(field)
        };
        let key = match number(self.0, 12)? {
            NO_KEY => None,
            length => Some(next(length)?.to_vec()),
        };
        let headers = headers::decode(next(number(self.0, 16)?)?)?;
        Some((place, Record { key, headers, value: rest.to_vec(), timestamp: self.timestamp()? }))
    }
}

/// How long the record is that begins here; `None` if none does, or not enough of it is there to tell.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let length = usize::try_from(number(bytes, 8)?).ok()?;
    (bytes.starts_with(&MARK) && (FIELDS_BYTES..=MAX_BYTES).contains(&length)).then_some(length)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { topic_id: 3, partition: 1, offset: 1 << 40 };

    fn record(key: Option<&[u8]>) -> Record {
        let headers = vec![("name".to_owned(), vec![1, 2]), (String::new(), Vec::new())];
        Record { key: key.map(<[u8]>::to_vec), headers, value: b"value".to_vec(), timestamp: -7 }
    }

    #[test]
    fn records_come_back_one_after_the_other() {
        let records = [record(None), record(Some(b"")), record(Some(b"key")), Record::default()];
        let mut block = Vec::new();
        for record in &records {
            encode(&mut block, PLACE, record).unwrap();
        }
        let mut rest = block.as_slice();
        for record in records {
            assert_eq!(Frame::take(&mut rest).unwrap().decode(), Some((PLACE, record)));
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let mut block = Vec::new();
        encode(&mut block, PLACE, &record(Some(b"key"))).unwrap();
        for bit in 0..block.len() * 8 {
            let mut damaged = block.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let found = Frame::take(&mut damaged.as_slice()).and_then(Frame::decode);
            assert_eq!(found, None, "bit {bit}");
        }
    }
}
