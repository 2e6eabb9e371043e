//! What disks do to files, and which page each stored row stands on.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use crate::{PAGE, SYMBOLS, klines, token};

/// The first byte of a page that leads to others.
///
/// # Source
/// <https://www.sqlite.org/fileformat2.html#b_tree_pages>
const INTERIOR: [u8; 2] = [2, 5];

/// Damages a file as disks do, and answers which of its pages, counted from 0, are no longer what they were.
pub(crate) fn damage(file: &mut Vec<u8>, random: &mut Rng) -> BTreeSet<usize> {
    let pages = file.len() / PAGE;
    let mut damaged = BTreeSet::new();
    let mut hit = |file: &mut Vec<u8>, page: usize, random: &mut Rng, noise: bool| {
        let byte = random.u8(..);
        file[page * PAGE..(page + 1) * PAGE].fill_with(|| if noise { random.u8(..) } else { byte });
        damaged.insert(page);
    };
    match random.u8(0..6) {
        0 => {
            let length = random.usize(1..file.len());
            file.truncate(length);
            damaged.extend(length / PAGE..pages);
        }
        1 => hit(file, 0, random, true),
        // All that leads to rows, and none of most tables' rows themselves.
        2 => {
            for page in 1..pages {
                if INTERIOR.contains(&file[page * PAGE]) {
                    hit(file, page, random, true);
                }
            }
        }
        3 => (0..random.usize(1..20)).for_each(|_| hit(file, random.usize(0..pages), random, false)),
        _ => (0..random.usize(1..6)).for_each(|_| hit(file, random.usize(0..pages), random, true)),
    }
    damaged
}

/// The pages on which each place of the text stands: copies may be left in space that is free by now.
pub(crate) fn pages_with(file: &[u8], text: &str) -> BTreeSet<usize> {
    let first = text.as_bytes()[0];
    let places =
        file.iter().enumerate().filter(|(at, byte)| **byte == first && file[*at..].starts_with(text.as_bytes()));
    places.map(|(at, _)| at / PAGE).collect()
}

/// The pages on which each row of a series stands: all at one go, since there are many.
pub(crate) fn pages_of_rows(file: &[u8]) -> BTreeMap<String, BTreeSet<usize>> {
    let length = token(&klines(SYMBOLS[0]), 0).len();
    let mut found: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (at, _) in file.iter().enumerate().filter(|(at, byte)| **byte == b'.' && (8..file.len() - length).contains(at))
    {
        let (at, window) = (at - 8, &file[at - 8..at - 8 + length]);
        if let Ok(text) = std::str::from_utf8(window)
            && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            found.entry(text.to_owned()).or_default().extend([at / PAGE, (at + length - 1) / PAGE]);
        }
    }
    found
}
