//! The records in a page, whatever the page is: each says itself what it is.
//!
//! A block goes on from page to page, and so may a record in it. One that begins in a page is read if the pages that it
//! goes on in are whole, whatever befell those before.

use std::io;

use streamforge_salvage::{Pages, next_page, payloads};

use super::frame::{self, Frame, MARK, Place};
use crate::Record;

/// Reads the whole records that begin in a page.
pub(super) fn records(pages: &Pages, number: u32) -> io::Result<Vec<(Place, Record)>> {
    let page = pages.read(number)?;
    let mut found = Vec::new();
    for (held, next) in payloads(&page, number) {
        search(pages, held, next, &mut found)?;
    }
    // As a page that a block goes on in, or one whose cells are not where it says.
    search(pages, &page[4..], next_page(&page), &mut found)?;
    Ok(found)
}

/// Looks for records that begin in these bytes, which go on in the page `next`.
fn search(pages: &Pages, mut bytes: &[u8], next: u32, found: &mut Vec<(Place, Record)>) -> io::Result<()> {
    while let Some(begin) = bytes.iter().position(|byte| *byte == MARK[0]) {
        bytes = &bytes[begin..];
        let length = match whole(pages, bytes, next)? {
            Some((record, length)) => {
                found.push(record);
                length
            }
            None => 1,
        };
        bytes = bytes.get(length..).unwrap_or_default();
    }
    Ok(())
}

/// Reads the record that begins here, if one does, and answers how long it is, too.
fn whole(pages: &Pages, begin: &[u8], mut next: u32) -> io::Result<Option<((Place, Record), usize)>> {
    if !begin.starts_with(&MARK[..begin.len().min(MARK.len())]) {
        return Ok(None);
    }
    let decode = |mut bytes: &[u8]| Frame::take(&mut bytes).and_then(Frame::decode);
    if let Some(length) = frame::length(begin)
        && begin.len() >= length
    {
        return Ok(decode(begin).map(|record| (record, length)));
    }
    let mut bytes = begin.to_vec();
    loop {
        match frame::length(&bytes) {
            Some(length) if bytes.len() >= length => return Ok(decode(&bytes).map(|record| (record, length))),
            // Long enough for one to be seen, but there is none.
            None if bytes.len() > begin.len() => return Ok(None),
            _ if next == 0 || next > pages.count() => return Ok(None),
            _ => {}
        }
        let page = pages.read(next)?;
        next = next_page(&page);
        bytes.extend_from_slice(&page[4..]);
    }
}
