//! The updates of a book, as far as a recording has to know them: where they break, and which snapshot fits; pure.

/// What a difference of a book calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// A snapshot has to be asked for.
    Ask,
    /// The same, since these updates were passed over.
    Broken {
        from: u64,
        to: u64,
    },
}

/// The updates since the last break.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// The first update and the last one.
    span: Option<(u64, u64)>,
}

impl Chain {
    /// Takes a difference.
    pub(super) fn difference(&mut self, first: u64, last: u64) -> Step {
        let Some((begin, end)) = self.span else {
            self.span = Some((first, last));
            return Step::Ask;
        };
        if first > end.saturating_add(1) {
            self.span = Some((first, last));
            return Step::Broken { from: end + 1, to: first - 1 };
        }
        self.span = Some((begin, end.max(last)));
        Step::Nothing
    }

    /// Whether a book can go on from a snapshot with the differences since the last break.
    pub(super) fn takes(&self, last_update_id: u64) -> bool {
        self.span.is_none_or(|(begin, _)| last_update_id.saturating_add(1) >= begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_calls_for_a_snapshot_that_reaches_behind_it() {
        let mut chain = Chain::default();
        assert_eq!(chain.difference(10, 12), Step::Ask);
        assert_eq!((chain.takes(8), chain.takes(9), chain.takes(20)), (false, true, true));
        assert_eq!(chain.difference(13, 15), Step::Nothing);
        assert_eq!(chain.difference(11, 13), Step::Nothing, "a second connection may overlap");
        assert_eq!(chain.difference(16, 18), Step::Nothing);
        assert_eq!(chain.difference(21, 22), Step::Broken { from: 19, to: 20 });
        assert_eq!((chain.takes(18), chain.takes(20)), (false, true));
    }
}
