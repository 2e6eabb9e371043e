//! Walk-forward splits: each test follows its training in time, with an embargo between them.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use streamforge_events::Millis;

use crate::{CardFold, Error};

/// Where the rows are cut: five tests of a tenth each, the last row left over.
pub const FRACTIONS: [f64; 6] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.9999];

/// One training and the test that judges it.
///
/// # Units
/// Rows of the panel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fold {
    /// Rows to learn from.
    pub training: Range<usize>,
    /// Rows to be judged on.
    pub test: Range<usize>,
}

impl Fold {
    /// Takes the last part of the training as rows to stop or choose by, with the same embargo before them.
    ///
    /// # Errors
    /// [`Error::TooFew`] if nothing is left to learn from.
    pub fn hold_out(&self, share: f64, embargo: usize) -> Result<Self, Error> {
        let cut = self.training.start + place(self.training.len(), 1.0 - share);
        let training = self.training.start..cut.saturating_sub(embargo);
        if training.is_empty() || cut >= self.training.end {
            let found = self.training.len();
            return Err(Error::TooFew { what: "training", found, needed: least(embargo, 1.0 - share) });
        }
        Ok(Self { training, test: cut..self.training.end })
    }

    /// The open times of its ends, as a card keeps them.
    #[must_use]
    pub fn on(&self, times: &[Millis]) -> CardFold {
        let range = |rows: &Range<usize>| [rows.start, rows.end.saturating_sub(1)].map(|row| times.get(row).copied());
        let ([training_from, training_last], [test_from, test_last]) = (range(&self.training), range(&self.test));
        CardFold {
            training_from: training_from.unwrap_or_default(),
            training_last: training_last.unwrap_or_default(),
            test_from: test_from.unwrap_or_default(),
            test_last: test_last.unwrap_or_default(),
        }
    }
}

/// Cuts ascending rows at fractions of their number; between two cuts lies a test, before it what is learned from.
///
/// A training ends `embargo` rows before its test. With at least the horizon plus the look-back, no target of the
/// training sees a bar that a feature of the test reads.
///
/// # Errors
/// [`Error::Cuts`] if the fractions do not ascend strictly inside of 0 to 1 or are fewer than two, [`Error::NoRows`]
/// without a row, [`Error::TooFew`] if a training or a test would be empty.
pub fn walk_forward(rows: &[usize], fractions: &[f64], embargo: usize) -> Result<Vec<Fold>, Error> {
    let ascend = fractions.windows(2).all(|pair| pair[0] < pair[1]);
    let inside = fractions.iter().all(|fraction| *fraction > 0.0 && *fraction < 1.0);
    if fractions.len() < 2 || !ascend || !inside {
        return Err(Error::Cuts);
    }
    let first = *rows.first().ok_or_else(|| Error::NoRows("a split".to_owned()))?;
    let cuts: Vec<usize> = fractions.iter().map(|fraction| rows[place(rows.len(), *fraction)]).collect();
    let folds = cuts.windows(2).map(|pair| {
        let fold = Fold { training: first..pair[0].saturating_sub(embargo), test: pair[0]..pair[1] };
        if fold.training.is_empty() || fold.test.is_empty() {
            let shortest = fractions.windows(2).map(|pair| pair[1] - pair[0]).fold(1.0, f64::min);
            let needed = least(embargo, fractions[0]).max(least(0, shortest));
            return Err(Error::TooFew { what: "walk-forward split", found: rows.len(), needed });
        }
        Ok(fold)
    });
    folds.collect()
}

/// The fewest rows of which this share is more than so many.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a number of rows over a fraction is one, or more than anybody has"
)]
fn least(rows: usize, share: f64) -> usize {
    ((rows + 1) as f64 / share).ceil() as usize
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a fraction of a number of rows is one"
)]
fn place(rows: usize, fraction: f64) -> usize {
    (rows as f64 * fraction) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tests_follow_each_other_and_their_training() {
        let rows: Vec<usize> = (100..1_100).collect();
        let folds = walk_forward(&rows, &[0.5, 0.6, 0.999], 20).unwrap();
        assert_eq!(folds, [Fold { training: 100..580, test: 600..700 }, Fold { training: 100..680, test: 700..1_099 }]);
        let validation = folds[0].hold_out(0.25, 20).unwrap();
        assert_eq!(validation, Fold { training: 100..440, test: 460..580 });
        let times: Vec<Millis> = (0..1_100).map(|row| row * 10).collect();
        let CardFold { training_from, training_last, test_from, test_last } = folds[0].on(&times);
        assert_eq!([training_from, training_last, test_from, test_last], [1_000, 5_790, 6_000, 6_990]);
    }

    #[test]
    fn what_leaves_nothing_is_refused() {
        let rows: Vec<usize> = (0..100).collect();
        for fractions in [&[][..], &[0.5], &[0.6, 0.5], &[0.5, 0.5], &[0.0, 0.5], &[0.5, 1.0], &[0.5, f64::NAN]] {
            assert_eq!(walk_forward(&rows, fractions, 1), Err(Error::Cuts), "{fractions:?}");
        }
        let too_few = Error::TooFew { what: "walk-forward split", found: 100, needed: 102 };
        assert_eq!(walk_forward(&rows, &FRACTIONS, 50), Err(too_few));
        let enough: Vec<usize> = (0..102).collect();
        assert!(walk_forward(&enough, &FRACTIONS, 50).is_ok());
        assert!(matches!(walk_forward(&[], &FRACTIONS, 1), Err(Error::NoRows(_))));
        let fold = |rows| Fold { training: 0..rows, test: 120..130 };
        let too_few = Error::TooFew { what: "training", found: 100, needed: 102 };
        assert_eq!(fold(100).hold_out(0.5, 50), Err(too_few));
        assert!(fold(102).hold_out(0.5, 50).is_ok());
    }

    proptest! {
        #[test]
        fn an_embargo_lies_between_every_training_and_its_test(
            rows in prop::collection::btree_set(0_usize..3_000, 300..600),
            embargo in 0_usize..100,
        ) {
            let rows: Vec<usize> = rows.into_iter().collect();
            if let Ok(folds) = walk_forward(&rows, &FRACTIONS, embargo) {
                for fold in &folds {
                    prop_assert!(fold.training.end + embargo <= fold.test.start);
                    if let Ok(validation) = fold.hold_out(0.2, embargo) {
                        prop_assert!(validation.training.end + embargo <= validation.test.start);
                        prop_assert!(validation.test.end <= fold.training.end);
                    }
                }
                prop_assert!(folds.windows(2).all(|pair| pair[0].test.end == pair[1].test.start));
            }
        }
    }
}
