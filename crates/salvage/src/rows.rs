//! The rows in a page of a table or an index.
//!
//! # Source
//! <https://sqlite.org/fileformat2.html#b_tree_pages>, <https://sqlite.org/fileformat2.html#record_format>

use std::io;

use crate::{MAX_LOCAL_BYTES, OVERFLOW_BYTES, PAGE_BYTES, Pages};

pub(crate) const INDEX_INTERIOR: u8 = 2;
pub(crate) const TABLE_INTERIOR: u8 = 5;
const INDEX_LEAF: u8 = 10;
const TABLE_LEAF: u8 = 13;
/// The first page begins with the header of the file.
const FILE_HEADER_BYTES: usize = 100;
/// Far above any row of ours; a length beyond is damage.
const MAX_PAYLOAD_BYTES: usize = 1 << 22;

/// A row as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its number; `None` in tables without and in indexes.
    pub rowid: Option<i64>,
    /// What it holds, in the order of the columns; those of the key come first where rows have no number.
    pub values: Vec<Value>,
}

/// A value as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number; also one of a column of fractions, if it has none.
    Integer(i64),
    /// A fraction.
    Real(f64),
    /// Text, which should be UTF-8.
    Text(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
    /// No table of ours has such a value.
    Other,
}

impl Pages {
    /// Reads the rows of a page, none if it holds no rows; a row that cannot be read is left out.
    ///
    /// # Errors
    /// Why the file cannot be read.
    pub fn rows(&self, number: u32) -> io::Result<Vec<Row>> {
        let page = self.read(number)?;
        let (kind, cells) = cells(&page, number);
        let mut rows = Vec::new();
        for cell in cells {
            rows.extend(self.row(kind, cell)?);
        }
        Ok(rows)
    }

    /// Reads the row of a cell; none if it has none or it cannot be read.
    pub(crate) fn row(&self, kind: u8, mut cell: &[u8]) -> io::Result<Option<Row>> {
        let Some((length, rowid)) = begin(kind, &mut cell).filter(|_| kind != TABLE_INTERIOR) else {
            return Ok(None);
        };
        let payload = self.payload(kind, length, cell)?;
        Ok(payload.and_then(|payload| values(&payload)).map(|values| Row { rowid, values }))
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

/// What of each payload of a page lies in the page itself, and the number of the page where it goes on; 0 if nowhere.
pub fn payloads(page: &[u8], number: u32) -> impl Iterator<Item = (&[u8], u32)> {
    let (kind, cells) = cells(page, number);
    cells.into_iter().filter(move |_| kind != TABLE_INTERIOR).filter_map(move |mut cell| {
        let (length, _) = begin(kind, &mut cell)?;
        local(kind, length, cell)
    })
}

/// The kind of a page and its cells, each from its beginning to the end of the page; none if it is of no tree.
pub(crate) fn cells(page: &[u8], number: u32) -> (u8, Vec<&[u8]>) {
    let start = header(number);
    let kind = page[start];
    if ![INDEX_INTERIOR, TABLE_INTERIOR, INDEX_LEAF, TABLE_LEAF].contains(&kind) {
        return (kind, Vec::new());
    }
    let places = page[pointers(kind, number)..].chunks_exact(2).take(two_bytes(page, start + 3));
    let cells = places.map(|place| page.get(two_bytes(place, 0)..).unwrap_or_default());
    (kind, cells.collect())
}

/// The page to the right of all cells of a page that has children.
pub(crate) fn rightmost(page: &[u8], number: u32) -> u32 {
    next_page(&page[header(number) + 8..])
}

/// Whether cells and free space fill a page of a tree exactly, as `SQLite` keeps it; if not, cells may have gone.
pub(crate) fn is_sound(page: &[u8], number: u32) -> bool {
    let start = header(number);
    let (kind, cells) = cells(page, number);
    let content = two_bytes(page, start + 5);
    let size = |cell: &&[u8]| {
        let mut rest = *cell;
        let (length, _) = begin(kind, &mut rest)?;
        let before = cell.len() - rest.len();
        let (held, next) = if kind == TABLE_INTERIOR { (0, 0) } else { local(kind, length, rest).map(sizes)? };
        // No cell takes less, so that its place can be noted as free.
        Some((before + held + if next == 0 { 0 } else { 4 }).max(4))
    };
    let cells_bytes: Option<usize> = cells.iter().map(size).sum();
    let (mut free_bytes, mut block) = (usize::from(page[start + 7]), two_bytes(page, start + 1));
    while block != 0 && block + 4 <= PAGE_BYTES {
        free_bytes += two_bytes(page, block + 2);
        let next = two_bytes(page, block);
        // They ascend.
        block = if next > block { next } else { 0 };
    }
    let is_tree = [INDEX_INTERIOR, TABLE_INTERIOR, INDEX_LEAF, TABLE_LEAF].contains(&kind);
    is_tree
        && content >= pointers(kind, number) + 2 * cells.len()
        && cells_bytes.is_some_and(|cells_bytes| content + cells_bytes + free_bytes == PAGE_BYTES)
}

fn sizes((held, next): (&[u8], u32)) -> (usize, u32) {
    (held.len(), next)
}

/// Where the header of a page begins.
fn header(number: u32) -> usize {
    if number == 1 { FILE_HEADER_BYTES } else { 0 }
}

/// Where the places of the cells are told.
fn pointers(kind: u8, number: u32) -> usize {
    header(number) + if [INDEX_INTERIOR, TABLE_INTERIOR].contains(&kind) { 12 } else { 8 }
}

fn two_bytes(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..at + 2).map_or(0, |bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
}

/// Takes what stands before its payload off a cell: length and number of the row.
///
/// A cell of a table's inner page has a number only.
fn begin(kind: u8, cell: &mut &[u8]) -> Option<(usize, Option<i64>)> {
    if [INDEX_INTERIOR, TABLE_INTERIOR].contains(&kind) {
        // The number of the page to the left.
        *cell = cell.get(4..)?;
    }
    let length = match kind {
        TABLE_INTERIOR => 0,
        _ => usize::try_from(varint(cell)?).ok().filter(|length| *length <= MAX_PAYLOAD_BYTES)?,
    };
    let rowid = if [TABLE_LEAF, TABLE_INTERIOR].contains(&kind) { Some(varint(cell)?) } else { None };
    Some((length, rowid))
}

/// What of a payload lies in the page of its cell, and the number of the page where it goes on; 0 if nowhere.
fn local(kind: u8, length: usize, cell: &[u8]) -> Option<(&[u8], u32)> {
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
#[must_use]
pub fn next_page(page: &[u8]) -> u32 {
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
            7 => Value::Real(f64::from_bits(integer(field).cast_unsigned())),
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
