//! Returns of many symbols on one axis of time, with what each of them lacks there.

use streamforge_events::Millis;

use crate::{
    moments::Side,
    parallel::{self, Size},
    product::{Lanes, Panel, STRIP},
    returns::{Returns, centre_of, squares_of},
};

/// Times that are filled at once: those of a strip fit the first cache.
const FILLED: usize = 256;

/// Rows of values on a common axis.
pub(crate) struct Aligned<'a> {
    /// Times on the axis: all at which any symbol has a value.
    pub(crate) depth: usize,
    pub(crate) rows: Vec<Row<'a>>,
    /// Symbols without a value at some of these times.
    pub(crate) gapped: Vec<usize>,
}

/// The values of one symbol.
#[derive(Default)]
pub(crate) struct Row<'a> {
    values: &'a [f64],
    /// The mean, taken off each value so that sums of products keep their digits.
    shift: f64,
    /// Sum of the squares of what is left.
    pub(crate) squares: f64,
    /// Absent where each time of the axis has a value.
    pub(crate) gaps: Option<Gaps>,
}

/// Where the values of a symbol stand that has not one for each time.
pub(crate) struct Gaps {
    /// Place on the axis of each value, ascending.
    places: Vec<usize>,
    /// A bit for each time of the axis.
    present: Vec<u64>,
    /// Of the times with and without a value, those that are fewer.
    fewer: Fewer,
    /// Number among the symbols with gaps.
    pub(crate) number: usize,
}

/// Times of the axis, ascending, from which a symbol's presence follows.
pub(crate) enum Fewer {
    With(Vec<usize>),
    Without(Vec<usize>),
}

impl<'a> Aligned<'a> {
    /// Finds the axis and each symbol's places on it.
    pub(crate) fn new(symbols: &'a [Returns]) -> Self {
        let axis = axis(symbols);
        let mut rows: Vec<Row> = symbols.iter().map(|_| Row::default()).collect();
        let size = Size::of(axis.len() * symbols.len());
        parallel::for_each(size, rows.iter_mut().zip(symbols), |(row, returns)| *row = Row::new(returns, &axis));
        let gapped: Vec<usize> = (0..rows.len()).filter(|&symbol| rows[symbol].gaps.is_some()).collect();
        for (number, &symbol) in gapped.iter().enumerate() {
            if let Some(gaps) = &mut rows[symbol].gaps {
                gaps.number = number;
            }
        }
        Self { depth: axis.len(), rows, gapped }
    }

    /// Returns the values at some of the times: zero where there is none.
    pub(crate) fn values(&self, from: usize, to: usize) -> Panel {
        let mut panel = Panel::zeros(self.rows.len(), to - from);
        let size = Size::of((to - from) * self.rows.len());
        parallel::for_each(size, panel.strips_mut().zip(self.rows.chunks(STRIP)), |(strip, rows)| {
            for (start, times) in (from..).step_by(FILLED).zip(strip.chunks_mut(FILLED)) {
                for (lane, row) in rows.iter().enumerate() {
                    row.write(start, times, lane);
                }
            }
        });
        panel
    }

    /// Adds the sums of each strip at the fewer times of each symbol with gaps.
    pub(crate) fn add_fewer(&self, from: usize, panel: &Panel, fewer: &mut [Vec<[Lanes; 2]>]) {
        let gapped: Vec<&Gaps> = self.gapped.iter().filter_map(|&symbol| self.rows[symbol].gaps.as_ref()).collect();
        let size = Size::of(panel.depth() * gapped.len());
        parallel::for_each(size, fewer.iter_mut().enumerate(), |(strip, sums)| {
            for (gaps, sums) in gapped.iter().zip(sums) {
                gaps.add_fewer(from, panel.strip(strip), sums);
            }
        });
    }

    /// Counts the times at which both symbols have a value.
    pub(crate) fn common(&self, first: usize, second: usize) -> usize {
        let (first, second) = (&self.rows[first], &self.rows[second]);
        let (Some(left), Some(right)) = (&first.gaps, &second.gaps) else {
            return first.values.len().min(second.values.len());
        };
        left.present.iter().zip(&right.present).map(|(left, right)| (left & right).count_ones() as usize).sum()
    }
}

impl<'a> Row<'a> {
    fn new(returns: &'a Returns, axis: &[Millis]) -> Self {
        let values = &returns.values[..];
        // The axis has all times of the row, so a row of its length is the axis.
        let gaps = (values.len() < axis.len()).then(|| Gaps::new(&returns.open_times, axis));
        let shift = centre_of(values);
        Self { values, shift, squares: squares_of(values, shift), gaps }
    }

    /// Returns one by the length of the vector of deviations; not a number if the row is constant.
    pub(crate) fn length(&self) -> f64 {
        let side = Side { sum: 0.0, squares: self.squares, scale: self.squares };
        side.deviations(self.values.len()).map_or(f64::NAN, |deviations| 1.0 / deviations.sqrt())
    }

    /// Sets a lane at the times from `from` on that have a value.
    fn write(&self, from: usize, times: &mut [Lanes], lane: usize) {
        let Some(gaps) = &self.gaps else {
            for (lanes, value) in times.iter_mut().zip(&self.values[from..]) {
                lanes[lane] = value - self.shift;
            }
            return;
        };
        let start = gaps.places.partition_point(|place| *place < from);
        for (place, value) in gaps.places[start..].iter().zip(&self.values[start..]) {
            let Some(lanes) = times.get_mut(place - from) else { break };
            lanes[lane] = value - self.shift;
        }
    }
}

impl Gaps {
    /// Sums, and sums of squares, of the values of a strip at the times from `from` on that are the fewer here.
    pub(crate) fn add_fewer(&self, from: usize, strip: &[Lanes], [sums, squares]: &mut [Lanes; 2]) {
        let (Fewer::With(places) | Fewer::Without(places)) = &self.fewer;
        let start = places.partition_point(|place| *place < from);
        for place in &places[start..] {
            let Some(lanes) = strip.get(place - from) else { break };
            for ((sum, square), value) in sums.iter_mut().zip(squares.iter_mut()).zip(lanes) {
                *sum += value;
                *square += value * value;
            }
        }
    }

    /// The sums of a row at the times with a value here, from those at the fewer times.
    pub(crate) fn side(&self, row: &Row, sum: f64, squares: f64) -> Side {
        match self.fewer {
            Fewer::With(_) => Side { sum, squares, scale: squares },
            // The mean of the row is zero, and so its sum.
            Fewer::Without(_) => Side { sum: -sum, squares: row.squares - squares, scale: row.squares },
        }
    }

    fn new(open_times: &[Millis], axis: &[Millis]) -> Self {
        let mut places = Vec::with_capacity(open_times.len());
        let mut present = vec![0; axis.len().div_ceil(64)];
        let mut wanted = open_times.iter().peekable();
        for (place, time) in axis.iter().enumerate() {
            if wanted.next_if_eq(&time).is_some() {
                places.push(place);
                present[place / 64] |= 1 << (place % 64);
            }
        }
        let fewer = if 2 * places.len() <= axis.len() {
            Fewer::With(places.clone())
        } else {
            Fewer::Without((0..axis.len()).filter(|place| present[place / 64] >> (place % 64) & 1 == 0).collect())
        };
        Self { places, present, fewer, number: 0 }
    }
}

/// All times at which any symbol has a value.
fn axis(symbols: &[Returns]) -> Vec<Millis> {
    let extended = |axis: Vec<Millis>, returns: &Returns| {
        if has_all(&axis, &returns.open_times) { axis } else { merged(&axis, &returns.open_times) }
    };
    // A few usually have all the times there are; what others have beside is found on all processors.
    let (few, others) = symbols.split_at(symbols.len().min(STRIP));
    let axis = few.iter().fold(Vec::new(), extended);
    let mut lacking: Vec<Option<&Returns>> = vec![None; others.len()];
    let size = Size::of(axis.len() * others.len());
    parallel::for_each(size, lacking.iter_mut().zip(others), |(lacking, returns)| {
        *lacking = (!has_all(&axis, &returns.open_times)).then_some(returns);
    });
    lacking.into_iter().flatten().fold(axis, extended)
}

/// Whether ascending times are all on the axis.
fn has_all(axis: &[Millis], times: &[Millis]) -> bool {
    if axis == times {
        return true;
    }
    let mut places = axis.iter();
    times.iter().all(|time| places.any(|place| place == time))
}

/// Merges ascending times, each once.
fn merged(left: &[Millis], right: &[Millis]) -> Vec<Millis> {
    let mut all = Vec::with_capacity(left.len().max(right.len()));
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    loop {
        let next = match (left.peek(), right.peek()) {
            (Some(&&here), Some(&&there)) => here.min(there),
            (Some(&&time), None) | (None, Some(&&time)) => time,
            (None, None) => return all,
        };
        left.next_if_eq(&&next);
        right.next_if_eq(&&next);
        all.push(next);
    }
}
