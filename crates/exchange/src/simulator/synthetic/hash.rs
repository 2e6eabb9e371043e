//! Random numbers by position instead of by order: hashes, and what is made of them.
//!
//! Only the basic operations of IEEE 754 are used, whose results are the same on every machine; a library's `exp`
//! is not bound to that.

/// Mixes two numbers into one that looks random.
///
/// # Source
/// The finaliser of `SplitMix64`, <https://prng.di.unimi.it/splitmix64.c>.
pub(in crate::simulator) fn mix(seed: u64, position: u64) -> u64 {
    let mut z = seed.wrapping_add(position.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number from 0 (inclusive) to 1 (exclusive), made of the upper half of `hash`.
#[expect(clippy::cast_precision_loss, reason = "32 bits fit a double")]
pub(in crate::simulator) fn unit(hash: u64) -> f64 {
    (hash >> 32) as f64 / 4_294_967_296.0
}

/// Nearly normal with mean 0 and variance 1: the sum of four uniform numbers of 16 bits.
#[expect(clippy::cast_precision_loss, reason = "18 bits fit a double")]
pub(super) fn normal(hash: u64) -> f64 {
    let sum = (hash & 0xffff) + (hash >> 16 & 0xffff) + (hash >> 32 & 0xffff) + (hash >> 48);
    (sum as f64 / 65_535.0 - 2.0) * 1.732_050_807_568_877_2
}

/// The exponential function, to about 15 digits between -700 and 700.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the exponent is an integer between 0 and 2047"
)]
pub(super) fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let doublings = (x / std::f64::consts::LN_2).round();
    let rest = x - doublings * std::f64::consts::LN_2;
    let mut sum = 1.0;
    for divisor in (1..=14).rev() {
        sum = 1.0 + sum * rest / f64::from(divisor);
    }
    sum * f64::from_bits(((doublings + 1023.0) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_nought_and_variance_one() {
        let numbers: Vec<f64> = (0..100_000).map(|position| normal(mix(7, position))).collect();
        let mean = numbers.iter().sum::<f64>() / 1e5;
        let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn the_exponential_is_right() {
        for x in [-20.0, -1.0, -1e-9, 0.0, 0.5, 1.0, 3.7, 30.0] {
            assert!((exp(x) / f64::exp(x) - 1.0).abs() < 1e-14, "{x}");
        }
    }
}
