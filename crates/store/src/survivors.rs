//! Which rows of a batch survive it: of those under one key the highest version, of equals the first.

use std::{collections::HashMap, hash::Hash};

/// For each row of `(key, version)` the index of the row that stands for its key; rows without one are left out.
pub(crate) fn survivors<K: Copy + Hash + Ord>(rows: impl Iterator<Item = Option<(K, u64)>>) -> Vec<Option<usize>> {
    let rows: Vec<_> = rows.collect();
    if rows.windows(2).all(|pair| matches!(pair, [Some((one, _)), Some((next, _))] if one < next)) {
        // As batches come, ascending: no key occurs twice.
        return rows.iter().enumerate().map(|(index, row)| row.map(|_| index)).collect();
    }
    let mut best: HashMap<K, (usize, u64)> = HashMap::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let Some((key, version)) = *row else { continue };
        let entry = best.entry(key).or_insert((index, version));
        if version > entry.1 {
            *entry = (index, version);
        }
    }
    rows.iter().map(|row| row.and_then(|(key, _)| best.get(&key)).map(|&(index, _)| index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highest_version_stands_for_its_key() {
        let rows = [Some((7, 1)), Some((8, 5)), None, Some((7, 3)), Some((8, 5)), Some((7, 2))];
        assert_eq!(survivors(rows.into_iter()), [Some(3), Some(1), None, Some(3), Some(1), Some(3)]);
        assert_eq!(survivors([Some((1, 0)), Some((2, 0)), Some((2, 1))].into_iter()), [Some(0), Some(2), Some(2)]);
        assert_eq!(survivors([Some((1, 1)), Some((2, 0))].into_iter()), [Some(0), Some(1)]);
        assert_eq!(survivors::<i64>([None].into_iter()), [None]);
        assert!(survivors::<i64>(std::iter::empty()).is_empty());
    }
}
