//! Reads what can be read of a damaged `SQLite` file, page by page and without `SQLite`, which gives up too early.
//!
//! A page is read whether or not anything still leads to it, so that damage costs no more than the page that it hit.
//! Pages that are free by now are read, too: what they hold was valid once, and the caller tells it apart.
//!
//! # Source
//! <https://sqlite.org/fileformat2.html>

mod aside;
mod pages;
mod rows;
mod tree;
mod wal;

pub use aside::{beside, fresh_place, put_in_place};
pub use pages::Pages;
pub use rows::{Row, Value, next_page, payloads};
pub use tree::Item;
pub use wal::is_damaged as is_wal_damaged;

/// Bytes of a page; every file of ours has been created with this size.
pub const PAGE_BYTES: usize = 8192;
/// The most of a row that lies in a page of the table itself; what is longer goes on in pages of its own.
///
/// That of a table with row numbers holds more.
pub const MAX_LOCAL_BYTES: usize = (PAGE_BYTES - 12) * 64 / 255 - 23;
/// What such a page holds beside the number of the next one.
pub const OVERFLOW_BYTES: usize = PAGE_BYTES - 4;
