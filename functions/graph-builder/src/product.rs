//! Sums of products over time of many symbols at once: a matrix product in vector registers.

use pulp::{Arch, Simd, WithSimd};

use crate::parallel::{self, Size};

/// Symbols that stand beside each other at one time: one register of the widest vectors.
pub(crate) const STRIP: usize = 8;
/// Strips whose sums are held in registers together: with eight rows they fill 24 of the 32 of AVX-512.
const GROUP: usize = 3;
/// Symbols of a block of sums.
pub(crate) const BLOCK: usize = GROUP * STRIP;
/// Times that are multiplied before the sums leave the registers: a block of them fits the first cache.
const DEPTH: usize = 96;

/// Operations that replacing a sum takes, about.
const REPLACED: usize = 16;

/// One value of each symbol of a strip.
pub(crate) type Lanes = [f64; STRIP];
/// Sums of one symbol with the symbols of a block.
type Sums = [Lanes; GROUP];

/// Values of many symbols over the same times; symbols beyond the last are zero.
///
/// # Shape
/// Strip by strip, within it time by time: `values[strip * depth + time][symbol % STRIP]`.
#[derive(Debug, Clone)]
pub(crate) struct Panel {
    depth: usize,
    values: Vec<Lanes>,
}

impl Panel {
    /// A panel of zeros.
    pub(crate) fn zeros(symbols: usize, depth: usize) -> Self {
        let strips = symbols.div_ceil(BLOCK) * GROUP;
        Self { depth, values: vec![[0.0; STRIP]; strips * depth] }
    }

    /// Returns the number of times.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn strips(&self) -> impl Iterator<Item = &[Lanes]> {
        self.values.chunks_exact(self.depth.max(1))
    }

    pub(crate) fn strips_mut(&mut self) -> impl Iterator<Item = &mut [Lanes]> + Send {
        self.values.chunks_exact_mut(self.depth.max(1))
    }

    pub(crate) fn strip(&self, strip: usize) -> &[Lanes] {
        &self.values[strip * self.depth..][..self.depth]
    }

    pub(crate) fn strip_mut(&mut self, strip: usize) -> &mut [Lanes] {
        &mut self.values[strip * self.depth..][..self.depth]
    }

    /// Returns the values of one symbol, time by time.
    pub(crate) fn row(&self, symbol: usize) -> impl Iterator<Item = f64> {
        self.strip(symbol / STRIP).iter().map(move |lanes| lanes[symbol % STRIP])
    }
}

/// Sums over time of the products of each symbol with itself and those behind it.
#[derive(Debug, Clone)]
pub(crate) struct Products {
    /// For each block of symbols, a row for each symbol up to its last.
    blocks: Vec<Vec<Sums>>,
}

impl Products {
    /// Sums of nothing.
    pub(crate) fn zeros(symbols: usize) -> Self {
        let blocks = (0..symbols.div_ceil(BLOCK)).map(|block| vec![[[0.0; STRIP]; GROUP]; (block + 1) * BLOCK]);
        Self { blocks: blocks.collect() }
    }

    /// Returns one sum; `left` is at most `right`.
    pub(crate) fn get(&self, left: usize, right: usize) -> f64 {
        self.blocks[right / BLOCK][left][right % BLOCK / STRIP][right % STRIP]
    }

    /// Returns what one symbol has with each, itself among them.
    pub(crate) fn row(&self, symbol: usize) -> impl Iterator<Item = f64> {
        let (block, lane) = (symbol / BLOCK, symbol % BLOCK);
        let before = self.blocks[block][..symbol].iter().map(move |sums| sums.as_flattened()[lane]);
        let own = self.blocks[block][symbol].as_flattened()[lane..].iter();
        let behind = self.blocks[block + 1..].iter().flat_map(move |rows| rows[symbol].as_flattened());
        before.chain(own.chain(behind).copied())
    }

    /// Replaces each sum of two symbols, the earlier on the left, by what it gives.
    pub(crate) fn replace(&mut self, symbols: usize, with: impl Fn(usize, usize, f64) -> f64 + Sync) {
        let size = Size::of(symbols * symbols * REPLACED);
        parallel::for_each(size, self.blocks.iter_mut().enumerate().rev(), |(block, rows)| {
            for (left, sums) in rows.iter_mut().enumerate().take(symbols) {
                for (right, sum) in (block * BLOCK..symbols).zip(sums.as_flattened_mut()) {
                    if left < right {
                        *sum = with(left, right, *sum);
                    }
                }
            }
        });
    }

    /// Sets all sums to zero.
    pub(crate) fn clear(&mut self) {
        for sums in &mut self.blocks {
            sums.fill([[0.0; STRIP]; GROUP]);
        }
    }

    /// Adds the products of two panels, which have the same times.
    pub(crate) fn add(&mut self, left: &Panel, right: &Panel) {
        let size = Size::of(self.blocks.iter().map(|rows| rows.len() * BLOCK * left.depth).sum());
        // The largest first, so that the threads end together.
        parallel::for_each(size, self.blocks.iter_mut().enumerate().rev(), |(block, sums)| {
            Arch::new().dispatch(AddBlock { left, right, block, sums });
        });
    }
}

/// Adds the products of all symbols on the left with one block on the right.
struct AddBlock<'a> {
    left: &'a Panel,
    right: &'a Panel,
    block: usize,
    sums: &'a mut [Sums],
}

impl WithSimd for AddBlock<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "only then is it compiled for the vectors that were found")]
    fn with_simd<S: Simd>(self, simd: S) {
        let depth = self.left.depth;
        let right: [&[Lanes]; GROUP] = std::array::from_fn(|strip| self.right.strip(self.block * GROUP + strip));
        for start in (0..depth).step_by(DEPTH) {
            let span = start..depth.min(start + DEPTH);
            let right = right.map(|strip| &strip[span.clone()]);
            let (tiles, _) = self.sums.as_chunks_mut::<STRIP>();
            for (tile, left) in tiles.iter_mut().zip(self.left.strips()) {
                add_tile(simd, &left[span.clone()], right, tile);
            }
        }
    }
}

/// Adds the products of one strip with the strips of a block, in pieces that fit the registers.
#[inline(always)]
#[expect(clippy::inline_always, reason = "only then is it compiled for the vectors that were found")]
fn add_tile<S: Simd>(simd: S, left: &[Lanes], right: [&[Lanes]; GROUP], tile: &mut [Sums; STRIP]) {
    match S::F64_LANES {
        8 => add_piece::<S, STRIP, GROUP, 1>(simd, left, right, tile, (0, 0)),
        4 => {
            for (strip, right) in right.into_iter().enumerate() {
                for row in (0..STRIP).step_by(4) {
                    add_piece::<S, 4, 1, 2>(simd, left, [right], tile, (row, strip));
                }
            }
        }
        _ => {
            for (strip, right) in right.into_iter().enumerate() {
                for row in (0..STRIP).step_by(2) {
                    add_plain_piece(left, right, tile, (row, strip));
                }
            }
        }
    }
}

/// Multiplies `ROWS` symbols with `STRIPS` strips of `VECTORS` vectors each.
#[inline(always)]
#[expect(clippy::inline_always, reason = "only then is it compiled for the vectors that were found")]
fn add_piece<S: Simd, const ROWS: usize, const STRIPS: usize, const VECTORS: usize>(
    simd: S,
    left: &[Lanes],
    right: [&[Lanes]; STRIPS],
    tile: &mut [Sums; STRIP],
    (first_row, first_strip): (usize, usize),
) {
    let right: [&[[S::f64s; VECTORS]]; STRIPS] =
        right.map(|strip| &S::as_simd_f64s(strip.as_flattened()).0.as_chunks::<VECTORS>().0[..left.len()]);
    let mut sums = [[[simd.splat_f64s(0.0); VECTORS]; STRIPS]; ROWS];
    for (time, lanes) in left.iter().enumerate() {
        for row in 0..ROWS {
            let value = simd.splat_f64s(lanes[first_row + row]);
            for strip in 0..STRIPS {
                for vector in 0..VECTORS {
                    let sum = &mut sums[row][strip][vector];
                    *sum = simd.mul_add_e_f64s(value, right[strip][time][vector], *sum);
                }
            }
        }
    }
    for row in 0..ROWS {
        for strip in 0..STRIPS {
            let (whole, _) = S::as_mut_simd_f64s(&mut tile[first_row + row][first_strip + strip]);
            for vector in 0..VECTORS {
                whole[vector] = simd.add_f64s(whole[vector], sums[row][strip][vector]);
            }
        }
    }
}

/// Multiplies two symbols with one strip, for processors of which no wide vectors are known.
fn add_plain_piece(left: &[Lanes], right: &[Lanes], tile: &mut [Sums; STRIP], (row, strip): (usize, usize)) {
    let mut sums = [[0.0; STRIP]; 2];
    for (left, right) in left.iter().zip(right) {
        for (sums, value) in sums.iter_mut().zip([left[row], left[row + 1]]) {
            for (sum, other) in sums.iter_mut().zip(right) {
                *sum += value * other;
            }
        }
    }
    for (sums, tile) in sums.iter().zip(&mut tile[row..]) {
        for (sum, all) in sums.iter().zip(&mut tile[strip]) {
            *all += sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: usize = 53;
    const TIMES: usize = 2 * DEPTH + 7;

    fn panel(seed: usize) -> Panel {
        let mut panel = Panel::zeros(SYMBOLS, TIMES);
        for symbol in 0..SYMBOLS {
            for (time, lanes) in panel.strip_mut(symbol / STRIP).iter_mut().enumerate() {
                lanes[symbol % STRIP] = f64::from(u32::try_from((seed * symbol + 31 * time * time) % 97).unwrap());
            }
        }
        panel
    }

    /// Whole numbers are added without rounding, in whatever order.
    fn assert_sums(products: &Products, left: &Panel, right: &Panel) {
        for first in 0..SYMBOLS {
            for second in first..SYMBOLS {
                let expected: f64 = left.row(first).zip(right.row(second)).map(|(left, right)| left * right).sum();
                assert_eq!(products.get(first, second).to_bits(), expected.to_bits(), "{first} {second}");
            }
        }
    }

    #[test]
    fn sums_are_those_of_the_definition() {
        let (left, right) = (panel(7), panel(13));
        let mut products = Products::zeros(SYMBOLS);
        products.add(&left, &right);
        assert_sums(&products, &left, &right);
        products.clear();
        assert_eq!(products.get(3, 4).to_bits(), 0);
    }

    #[test]
    fn rows_are_both_halves_of_what_was_replaced() {
        let mut products = Products::zeros(SYMBOLS);
        let of = |left: usize, right: usize| f64::from(u32::try_from(100 * left + right).unwrap());
        products.replace(SYMBOLS, |left, right, sum| sum + of(left, right));
        for symbol in 0..SYMBOLS {
            let expected = (0..SYMBOLS).map(|other| match other {
                other if other == symbol => 0.0,
                other => of(other.min(symbol), other.max(symbol)),
            });
            assert_eq!(products.row(symbol).take(SYMBOLS).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        }
    }

    fn with(run: impl Fn(AddBlock<'_>)) {
        let (left, right) = (panel(7), panel(13));
        let mut products = Products::zeros(SYMBOLS);
        for (block, sums) in products.blocks.iter_mut().enumerate() {
            run(AddBlock { left: &left, right: &right, block, sums });
        }
        assert_sums(&products, &left, &right);
    }

    #[test]
    fn every_width_of_vectors_gives_the_same_sums() {
        with(|block| block.with_simd(pulp::Scalar::new()));
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(vectors) = pulp::x86::V3::try_new() {
                with(|block| Simd::vectorize(vectors, block));
            }
            if let Some(vectors) = pulp::x86::V4::try_new() {
                with(|block| Simd::vectorize(vectors, block));
            }
        }
    }
}
