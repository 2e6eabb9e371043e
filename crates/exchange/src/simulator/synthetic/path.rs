//! Random walks that can be read anywhere: Brownian paths by midpoint displacement.
//!
//! A path is fixed at the two ends of 64 years; each midpoint is the mean of its neighbours plus a hash of its own
//! position. Any minute is therefore found by 25 halvings, and a block of 1,024 minutes costs about one hash a minute.

use super::hash::{mix, normal};

/// Minutes of a block.
pub(super) const BLOCK: usize = 1 << BLOCK_BITS;
const BLOCK_BITS: u32 = 10;

/// Minutes of the whole path: 64 years.
const SPAN_BITS: u32 = 25;

/// Blocks of the whole path.
pub(super) const BLOCKS: u64 = 1 << (SPAN_BITS - BLOCK_BITS);

/// Spans of this many minutes (91 days) and more move no further than this one: prices stay near their level.
const LONGEST_FREE_SPAN: u64 = 1 << 17;

/// Values at the 1,025 minutes of block `block`, from its first to the next block's first.
///
/// One step of a minute has variance 1; `heat` multiplies the steps inside the block.
pub(super) fn fill(seed: u64, block: u64, heat: f64, values: &mut [f64; BLOCK + 1]) {
    let first = block.min(BLOCKS - 1) << BLOCK_BITS;
    let (mut low, mut high) = (0, 1 << SPAN_BITS);
    let (mut at_low, mut at_high) = (0.0, 0.0);
    while high - low > BLOCK as u64 {
        let middle = u64::midpoint(low, high);
        let at_middle = displaced(seed, middle, at_low, at_high, deviation(high - low));
        if first < middle {
            (high, at_high) = (middle, at_middle);
        } else {
            (low, at_low) = (middle, at_middle);
        }
    }
    values[0] = at_low;
    values[BLOCK] = at_high;
    let mut span = BLOCK;
    while span > 1 {
        let half = span / 2;
        let deviation = deviation(span as u64) * heat;
        for middle in (half..BLOCK).step_by(span) {
            let (before, after) = (values[middle - half], values[middle + half]);
            values[middle] = displaced(seed, first + middle as u64, before, after, deviation);
        }
        span = half;
    }
}

fn displaced(seed: u64, position: u64, before: f64, after: f64, deviation: f64) -> f64 {
    f64::midpoint(before, after) + deviation * normal(mix(seed, position))
}

/// Standard deviation of a Brownian bridge in the middle of `span` minutes.
#[expect(clippy::cast_precision_loss, reason = "spans are below 2^26")]
fn deviation(span: u64) -> f64 {
    (span.min(LONGEST_FREE_SPAN) as f64).sqrt() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(index: u64) -> Box<[f64; BLOCK + 1]> {
        let mut values = Box::new([0.0; BLOCK + 1]);
        fill(7, index, 1.0, &mut values);
        values
    }

    #[test]
    fn blocks_meet_at_their_ends() {
        for index in [0, 1, 4_095, 16_383, BLOCKS - 2] {
            assert_eq!(block(index)[BLOCK].to_bits(), block(index + 1)[0].to_bits());
        }
    }

    #[test]
    fn steps_have_variance_one() {
        let steps: Vec<f64> = (100..140)
            .flat_map(|index| block(index).windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>())
            .collect();
        let count = f64::from(u32::try_from(steps.len()).unwrap());
        let variance = steps.iter().map(|step| step * step).sum::<f64>() / count;
        assert!((variance - 1.0).abs() < 0.03, "{variance}");
    }
}
