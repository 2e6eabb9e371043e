//! How far a partition may be committed while events finish in any order.

use std::collections::VecDeque;

/// Offsets in flight of one partition, and the end of the contiguous prefix of finished ones.
#[derive(Debug)]
pub(super) struct Progress {
    /// Offset and whether it is finished, ascending.
    started: VecDeque<(u64, bool)>,
    next: u64,
}

impl Progress {
    pub(super) fn new(next: u64) -> Self {
        Self { started: VecDeque::new(), next }
    }

    /// Takes note of the next offset; offsets must ascend.
    pub(super) fn start(&mut self, offset: u64) {
        self.started.push_back((offset, false));
    }

    pub(super) fn finish(&mut self, offset: u64) {
        if let Ok(index) = self.started.binary_search_by_key(&offset, |(started, _)| *started) {
            self.started[index].1 = true;
        }
        while let Some(&(offset, true)) = self.started.front() {
            self.started.pop_front();
            self.next = offset + 1;
        }
    }

    /// Passes over everything up to `offset`, which must lie beyond what has started.
    pub(super) fn skip_to(&mut self, offset: u64) {
        if let Some(last) = offset.checked_sub(1) {
            self.start(last);
            self.finish(last);
        }
    }

    /// Everything before this offset is finished.
    pub(super) fn next(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_contiguous_prefix_counts() {
        let mut progress = Progress::new(5);
        for offset in [5, 6, 8, 9] {
            progress.start(offset);
        }
        let mut nexts = Vec::new();
        for offset in [6, 9, 5, 8] {
            progress.finish(offset);
            nexts.push(progress.next());
        }
        assert_eq!(nexts, [5, 5, 7, 10]);
    }

    #[test]
    fn what_is_skipped_counts_once_all_before_it_is_finished() {
        let mut progress = Progress::new(5);
        progress.start(5);
        progress.skip_to(100);
        assert_eq!(progress.next(), 5);
        progress.finish(5);
        assert_eq!(progress.next(), 100);
    }
}
