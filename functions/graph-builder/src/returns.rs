//! Log returns of one symbol, taken only between adjacent bars.

use streamforge_events::{Interval, Millis};

/// Log returns of one symbol, each filed under the open time of its later bar.
///
/// # Shape
/// `open_times` and `values` have the same length; `open_times` ascends strictly.
///
/// # Units
/// Open times in UTC milliseconds since the Unix epoch; values are natural logarithms of price ratios.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Returns {
    /// Open time of the later of the two bars.
    pub open_times: Vec<Millis>,
    /// `ln(close / previous close)`.
    pub values: Vec<f64>,
}

impl Returns {
    /// Takes the returns of ascending bars.
    ///
    /// A return needs two adjacent bars, so none spans an outage, a halt or the relaunch of an
    /// asset behind one. A close that is not a positive number gives no return on either side.
    #[must_use]
    pub fn of(interval: Interval, open_times: &[Millis], closes: &[f64]) -> Self {
        let mut returns = Self::default();
        let bars: Vec<(Millis, f64)> = open_times.iter().copied().zip(closes.iter().copied()).collect();
        for pair in bars.windows(2) {
            let [(earlier, previous), (later, close)] = pair else { continue };
            if !interval.is_adjacent(*earlier, *later) || *previous <= 0.0 || *close <= 0.0 {
                continue;
            }
            let value = (close / previous).ln();
            if value.is_finite() {
                returns.open_times.push(*later);
                returns.values.push(value);
            }
        }
        returns
    }

    /// Returns the mean, or nothing without returns.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (!self.values.is_empty()).then(|| centre_of(&self.values))
    }

    /// Returns the sample standard deviation, or nothing with fewer than two returns.
    #[must_use]
    pub fn volatility(&self) -> Option<f64> {
        if self.values.len() < 2 {
            return None;
        }
        let mut deviations = self.values.clone();
        let squares = centre(&mut deviations);
        Some((squares / count(self.values.len() - 1)).sqrt())
    }
}

/// Subtracts the mean in place and returns the sum of the squared deviations.
///
/// A second pass removes what rounding left of the mean, so long series lose no digits.
pub(crate) fn centre(values: &mut [f64]) -> f64 {
    let centre = centre_of(values);
    for value in values.iter_mut() {
        *value -= centre;
    }
    values.iter().map(|value| value * value).sum()
}

/// Returns the mean, in two passes: the second finds what rounding left of it.
pub(crate) fn centre_of(values: &[f64]) -> f64 {
    let near = mean(values, 0.0);
    near + mean(values, near)
}

/// Returns the sum of the squared distances from `origin`.
pub(crate) fn squares_of(values: &[f64], origin: f64) -> f64 {
    sum(values, |value| (value - origin) * (value - origin))
}

/// Returns the mean of the distances from `origin`.
fn mean(values: &[f64], origin: f64) -> f64 {
    if values.is_empty() { 0.0 } else { sum(values, |value| value - origin) / count(values.len()) }
}

/// Sums up what each value gives.
fn sum(values: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    let (whole, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for values in whole {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += of(*value);
        }
    }
    let rest: f64 = rest.iter().map(|value| of(*value)).sum();
    sums.iter().sum::<f64>() + rest
}

/// Independent sums: enough for the compiler to use vector registers.
const LANES: usize = 8;

/// Turns a number of rows into a divisor.
#[expect(clippy::cast_precision_loss, reason = "series have far fewer than 2^53 rows")]
pub(crate) fn count(rows: usize) -> f64 {
    rows as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Millis = 60_000;

    fn of(bars: &[(Millis, f64)]) -> Returns {
        let (open_times, closes): (Vec<_>, Vec<_>) = bars.iter().copied().unzip();
        Returns::of(Interval::M1, &open_times, &closes)
    }

    #[test]
    fn returns_stand_under_the_later_bar() {
        let returns = of(&[(0, 1.0), (MINUTE, std::f64::consts::E), (2 * MINUTE, 1.0)]);
        assert_eq!(returns.open_times, [MINUTE, 2 * MINUTE]);
        assert!((returns.values[0] - 1.0).abs() < 1e-15);
        assert!((returns.values[1] + 1.0).abs() < 1e-15);
    }

    #[test]
    fn no_return_spans_missing_bars() {
        let returns = of(&[(0, 100.0), (MINUTE, 101.0), (4 * MINUTE, 0.001), (5 * MINUTE, 0.002)]);
        assert_eq!(returns.open_times, [MINUTE, 5 * MINUTE]);
    }

    #[test]
    fn a_month_is_adjacent_to_the_next_whatever_its_length() {
        let day = 86_400_000;
        let january = 1_704_067_200_000;
        let (february, march) = (january + 31 * day, january + 60 * day);
        let returns = Returns::of(Interval::Mo1, &[january, february, march], &[1.0, 2.0, 3.0]);
        assert_eq!(returns.open_times, [february, march]);
    }

    #[test]
    fn prices_that_are_not_positive_give_no_return() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let returns = of(&[(0, 1.0), (MINUTE, bad), (2 * MINUTE, 1.0), (3 * MINUTE, 2.0)]);
            assert_eq!(returns.open_times, [3 * MINUTE], "close {bad}");
        }
    }

    #[test]
    fn statistics_follow_the_textbook() {
        let returns = Returns { open_times: vec![1, 2, 3, 4], values: vec![1.0, 2.0, 3.0, 4.0] };
        assert_eq!(returns.mean(), Some(2.5));
        let volatility = returns.volatility().expect("four returns have a deviation");
        assert!((volatility - (5.0_f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(Returns::default().mean(), None);
        assert_eq!(Returns { open_times: vec![1], values: vec![1.0] }.volatility(), None);
    }
}
