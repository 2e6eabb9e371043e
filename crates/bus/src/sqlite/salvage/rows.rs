//! The rows in a page of a table or an index.
//!
//! # Source
//! <https://sqlite.org/fileformat2.html#b_tree_pages>, <https://sqlite.org/fileformat2.html#record_format>

use std::io;

use super::{PAGE_BYTES, Pages};

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
        let start = if number == 1 { FILE_HEADER_BYTES } else { 0 };
        let kind = page[start];
        if ![INDEX_INTERIOR, INDEX_LEAF, TABLE_LEAF].contains(&kind) {
            return Ok(Vec::new());
        }
        let cells = usize::from(u16::from_be_bytes([page[start + 3], page[start + 4]]));
        let pointers = start + if kind == INDEX_INTERIOR { 12 } else { 8 };
        let mut rows = Vec::new();
        for pointer in page[pointers..].chunks_exact(2).take(cells) {
            let place = usize::from(u16::from_be_bytes([pointer[0], pointer[1]]));
            rows.extend(self.row(kind, page.get(place..).unwrap_or_default())?);
        }
        Ok(rows)
    }

    fn row(&self, kind: u8, mut cell: &[u8]) -> io::Result<Option<Row>> {
        if kind == INDEX_INTERIOR {
            // The number of the page to the left.
            cell = cell.get(4..).unwrap_or_default();
        }
        let Some(length) = varint(&mut cell).and_then(|length| usize::try_from(length).ok()) else {
            return Ok(None);
        };
        let rowid = if kind == TABLE_LEAF { varint(&mut cell) } else { None };
        let Some(payload) = self.payload(kind, length, cell)? else {
            return Ok(None);
        };
        Ok(values(&payload).map(|values| Row { rowid, values }))
    }

    /// Gathers a payload from its cell and, if it is long, from a chain of pages.
    fn payload(&self, kind: u8, length: usize, cell: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let most = if kind == TABLE_LEAF { PAGE_BYTES - 35 } else { (PAGE_BYTES - 12) * 64 / 255 - 23 };
        let least = (PAGE_BYTES - 12) * 32 / 255 - 23;
        if length > MAX_PAYLOAD_BYTES {
            return Ok(None);
        }
        if length <= most {
            return Ok(cell.get(..length).map(<[u8]>::to_vec));
        }
        let fitting = least + (length - least) % (PAGE_BYTES - 4);
        let local = if fitting <= most { fitting } else { least };
        let (Some(begin), Some(next)) = (cell.get(..local), cell.get(local..local + 4)) else {
            return Ok(None);
        };
        let mut payload = begin.to_vec();
        let mut next = u32::from_be_bytes([next[0], next[1], next[2], next[3]]);
        while payload.len() < length {
            if next == 0 || next > self.count() {
                return Ok(None);
            }
            let page = self.read(next)?;
            next = u32::from_be_bytes([page[0], page[1], page[2], page[3]]);
            let wanted = (length - payload.len()).min(PAGE_BYTES - 4);
            payload.extend_from_slice(&page[4..4 + wanted]);
        }
        Ok(Some(payload))
    }
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
