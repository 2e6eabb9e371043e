//! The rows in a page of a table or an index.
//!
//! # Source
//! <https://sqlite.org/fileformat2.html#b_tree_pages>, <https://sqlite.org/fileformat2.html#record_format>

use std::io;

use super::{MAX_LOCAL_BYTES, OVERFLOW_BYTES, PAGE_BYTES, Pages};

const INDEX_INTERIOR: u8 = 2;
const INDEX_LEAF: u8 = 10;
const TABLE_LEAF: u8 = 13;
/// The first page begins with the header of the file.
const FILE_HEADER_BYTES: usize = 100;
/// Far above any row of ours; a length beyond is damage.
const MAX_PAYLOAD_BYTES: usize = 1 << 22;

/// A row as it was stored.
#[derive(Debug, PartialEq)]
pub(in crate::sqlite) struct Row {
    /// Its number; `None` in tables without and in indexes.
    pub(in crate::sqlite) rowid: Option<i64>,
    pub(in crate::sqlite) values: Vec<Value>,
}

#[derive(Debug, PartialEq)]
pub(in crate::sqlite) enum Value {
    Null,
    Integer(i64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
    /// No table of ours has such a value.
    Other,
}

impl Pages {
    /// Reads the rows of a page, none if it holds no rows; a row that cannot be read is left out.
    pub(in crate::sqlite) fn rows(&self, number: u32) -> io::Result<Vec<Row>> {
        let page = self.read(number)?;
        let (kind, cells) = cells(&page, number);
        let mut rows = Vec::new();
        for mut cell in cells {
            if let Some((length, rowid)) = begin(kind, &mut cell)
                && let Some(payload) = self.payload(kind, length, cell)?
            {
                rows.extend(values(&payload).map(|values| Row { rowid, values }));
            }
        }
        Ok(rows)
    }

    /// Gathers a payload from its cell and, if it is long, from a chain of pages.
    fn payload(&self, kind: u8, length: usize, cell: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let Some((begin, mut next)) = local(kind, length, cell) else {
            return Ok(None);
        };
        let mut payload = begin.to_vec();
        while payload.len() < length {
            if next == 0 || next > self.count() {
                return Ok(None);
            }
            let page = self.read(next)?;
            next = next_page(&page);
            let wanted = (length - payload.len()).min(OVERFLOW_BYTES);
            payload.extend_from_slice(&page[4..4 + wanted]);
        }
        Ok(Some(payload))
    }
}

/// The cells of a page, each from its beginning to the end of the page; none if it holds no rows.
pub(super) fn cells(page: &[u8], number: u32) -> (u8, Vec<&[u8]>) {
    let start = if number == 1 { FILE_HEADER_BYTES } else { 0 };
    let kind = page[start];
    if ![INDEX_INTERIOR, INDEX_LEAF, TABLE_LEAF].contains(&kind) {
        return (kind, Vec::new());
    }
    let count = usize::from(u16::from_be_bytes([page[start + 3], page[start + 4]]));
    let pointers = start + if kind == INDEX_INTERIOR { 12 } else { 8 };
    let places = page[pointers..].chunks_exact(2).take(count);
    let cells = places.map(|place| {
        let place = usize::from(u16::from_be_bytes([place[0], place[1]]));
        page.get(place..).unwrap_or_default()
    });
    (kind, cells.collect())
}

/// Takes length and number off a cell, so that its payload is left.
pub(super) fn begin(kind: u8, cell: &mut &[u8]) -> Option<(usize, Option<i64>)> {
    if kind == INDEX_INTERIOR {
        // The number of the page to the left.
        *cell = cell.get(4..)?;
    }
    let length = usize::try_from(varint(cell)?).ok().filter(|length| *length <= MAX_PAYLOAD_BYTES)?;
    let rowid = if kind == TABLE_LEAF { Some(varint(cell)?) } else { None };
    Some((length, rowid))
}

/// What of a payload lies in the page of its cell, and the number of the page where it goes on; 0 if nowhere.
pub(super) fn local(kind: u8, length: usize, cell: &[u8]) -> Option<(&[u8], u32)> {
    let most = if kind == TABLE_LEAF { PAGE_BYTES - 35 } else { MAX_LOCAL_BYTES };
    let least = (PAGE_BYTES - 12) * 32 / 255 - 23;
    if length <= most {
        return Some((cell.get(..length)?, 0));
    }
    let fitting = least + (length - least) % OVERFLOW_BYTES;
    let local = if fitting <= most { fitting } else { least };
    Some((cell.get(..local)?, next_page(cell.get(local..local + 4)?)))
}

/// The number of the page that follows in a chain.
pub(super) fn next_page(page: &[u8]) -> u32 {
    page.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Reads the values of a row; `None` if they do not fill it exactly.
fn values(payload: &[u8]) -> Option<Vec<Value>> {
    let mut rest = payload;
    let header_bytes = usize::try_from(varint(&mut rest)?).ok()?;
    let prefix = payload.len() - rest.len();
    let (mut header, mut body) = (payload.get(prefix..header_bytes)?, payload.get(header_bytes..)?);
    let mut values = Vec::new();
    while !header.is_empty() {
        let kind = varint(&mut header)?;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 | 7 => 8,
            10.. => usize::try_from((kind - 12).max(0) / 2).ok()?,
            _ => return None,
        };
        let (field, after) = body.split_at_checked(length)?;
        body = after;
        values.push(match kind {
            0 => Value::Null,
            1..=6 => Value::Integer(integer(field)),
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            12.. if kind % 2 == 0 => Value::Blob(field.to_vec()),
            13.. => Value::Text(field.to_vec()),
            _ => Value::Other,
        });
    }
    body.is_empty().then_some(values)
}

fn integer(bytes: &[u8]) -> i64 {
    let sign = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(sign, |number, byte| number << 8 | i64::from(*byte))
}

/// Takes a number of one to nine bytes, seven bits each and eight in the ninth.
fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut number = 0i64;
    for index in 0..9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if index == 8 {
            return Some(number << 8 | i64::from(*byte));
        }
        number = number << 7 | i64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    Some(number)
}
