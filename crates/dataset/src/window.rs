//! Sums over sliding windows that do not drift.
//!
//! Sums of 1, 2, 4, 8 … values are doubled into each other, and a window is made of the powers of two in its length.
//! A sum depends on the values of its window alone, never on what went through before, and is as exact as a pairwise
//! sum: its relative error is below `2 log2(length)` roundings for values of one sign, some 4e-15 for a week of bars.

/// Returns at each place the sum of the last `length` values.
///
/// A missing value is NaN; so is every sum that would hold one, or more values than there are.
pub(crate) fn sums(values: &[f64], length: usize) -> Vec<f64> {
    decayed_sums(values, length, 1.0)
}

/// Returns the sums of the last `length` values, each weighted by `decay` to the power of its age in places.
pub(crate) fn decayed_sums(values: &[f64], length: usize, decay: f64) -> Vec<f64> {
    if length > values.len() {
        return vec![f64::NAN; values.len()];
    }
    let mut total = vec![0.0; values.len()];
    let mut covered = 0;
    let mut power = values.to_vec();
    let (mut span, mut weight, mut weight_of_covered) = (1, decay, 1.0);
    while covered < length {
        if length & span != 0 {
            add_older(&mut total, &power, covered, weight_of_covered);
            covered += span;
            weight_of_covered *= weight;
        }
        if covered < length {
            power = doubled(&power, span, weight);
            span *= 2;
            weight *= weight;
        }
    }
    total
}

/// Adds the sums that end `age` places earlier.
fn add_older(total: &mut [f64], power: &[f64], age: usize, weight: f64) {
    let (first, rest) = total.split_at_mut(age);
    first.fill(f64::NAN);
    for (total, older) in rest.iter_mut().zip(power) {
        *total += weight * older;
    }
}

/// Makes sums of `2 span` values out of sums of `span`.
fn doubled(power: &[f64], span: usize, weight: f64) -> Vec<f64> {
    let mut doubled = vec![f64::NAN; power.len()];
    for ((sum, newer), older) in doubled.iter_mut().skip(span).zip(power.iter().skip(span)).zip(power) {
        *sum = newer + weight * older;
    }
    doubled
}

/// Turns a number of bars into a divisor.
#[expect(clippy::cast_precision_loss, reason = "series have far fewer than 2^53 rows")]
pub(crate) fn count(rows: usize) -> f64 {
    rows as f64
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    /// The definition, value by value.
    fn naive(values: &[f64], length: usize, decay: f64) -> Vec<f64> {
        let sum = |end: usize| {
            let start = (end + 1).checked_sub(length)?;
            let powers = std::iter::successors(Some(1.0), |power| Some(power * decay));
            Some(values[start..=end].iter().rev().zip(powers).map(|(value, power)| value * power).sum())
        };
        (0..values.len()).map(|end| sum(end).unwrap_or(f64::NAN)).collect()
    }

    #[test]
    fn sums_are_those_of_the_definition() {
        let mut random = Rng::with_seed(3);
        // Magnitudes from 1e-12 to 1e4, as squared returns and volumes have them: a running sum would lose digits.
        let mut values: Vec<f64> = (0..3_000).map(|_| random.f64() * 10_f64.powf(16.0 * random.f64() - 12.0)).collect();
        values[1_700] = f64::NAN;
        for length in [1, 2, 3, 14, 16, 96, 100, 168, 672, 1_023, 1_024, 3_000, 3_001] {
            for decay in [1.0, 0.94] {
                let (found, expected) = (decayed_sums(&values, length, decay), naive(&values, length, decay));
                for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    assert_eq!(found.is_nan(), expected.is_nan(), "length {length}, place {place}");
                    let error = (found - expected).abs() / expected;
                    assert!(expected.is_nan() || error < 1e-12, "length {length}, place {place}: {error}");
                }
            }
        }
    }

    #[test]
    fn a_sum_depends_on_its_window_alone() {
        let mut random = Rng::with_seed(4);
        let values: Vec<f64> = (0..2_000).map(|_| random.f64() - 0.5).collect();
        for length in [5, 96, 672] {
            let whole = sums(&values, length);
            for start in [1, 17, 900] {
                let part = sums(&values[start..], length);
                let same = |place: usize| part[place].to_bits() == whole[start + place].to_bits();
                assert!((length - 1..part.len()).all(same), "length {length} from {start}");
            }
        }
    }
}
