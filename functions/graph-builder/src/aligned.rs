//! Returns of many symbols on one axis of time, with what each of them lacks there.

use streamforge_events::Millis;

use crate::{
    parallel::{self, Size},
    product::{Lanes, Panel, STRIP},
    returns::{Returns, centre_of},
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
    /// Absent where each time of the axis has a value.
    pub(crate) gaps: Option<Gaps>,
}

/// Where the values of a symbol stand that has not one for each time.
pub(crate) struct Gaps {
    /// Place on the axis of each value, ascending.
    places: Vec<usize>,
    /// A bit for each time of the axis.
    present: Vec<u64>,
    /// Number among the symbols with gaps.
    pub(crate) number: usize,
}

impl<'a> Aligned<'a> {
    /// Finds the axis and each symbol's places on it.
    pub(crate) fn new(symbols: &'a [Returns]) -> Self {
        let mut axis: Vec<Millis> = Vec::new();
        for returns in symbols {
            if returns.open_times != axis && !has_all(&axis, &returns.open_times) {
                axis = merged(&axis, &returns.open_times);
            }
        }
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
        panel(&self.rows.iter().collect::<Vec<_>>(), from, to, |row, value| value - row.shift)
    }

    /// Returns, for the symbols with gaps, one where there is a value and zero where there is none.
    pub(crate) fn masks(&self, from: usize, to: usize) -> Panel {
        let rows: Vec<&Row> = self.gapped.iter().map(|&symbol| &self.rows[symbol]).collect();
        panel(&rows, from, to, |_, _| 1.0)
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
        Self { values, shift: centre_of(values), gaps }
    }

    /// Sets a lane at the times from `from` on that have a value.
    fn write(&self, from: usize, times: &mut [Lanes], lane: usize, value_of: impl Fn(&Self, f64) -> f64) {
        let Some(gaps) = &self.gaps else {
            for (lanes, value) in times.iter_mut().zip(&self.values[from..]) {
                lanes[lane] = value_of(self, *value);
            }
            return;
        };
        let start = gaps.places.partition_point(|place| *place < from);
        for (place, value) in gaps.places[start..].iter().zip(&self.values[start..]) {
            let Some(lanes) = times.get_mut(place - from) else { break };
            lanes[lane] = value_of(self, *value);
        }
    }
}

impl Gaps {
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
        Self { places, present, number: 0 }
    }
}

fn panel(rows: &[&Row], from: usize, to: usize, value_of: impl Fn(&Row, f64) -> f64 + Sync) -> Panel {
    let mut panel = Panel::zeros(rows.len(), to - from);
    let size = Size::of((to - from) * rows.len());
    parallel::for_each(size, panel.strips_mut().zip(rows.chunks(STRIP)), |(strip, rows)| {
        for (start, times) in (from..).step_by(FILLED).zip(strip.chunks_mut(FILLED)) {
            for (lane, row) in rows.iter().enumerate() {
                row.write(start, times, lane, &value_of);
            }
        }
    });
    panel
}

/// Whether ascending times are all on the axis.
fn has_all(axis: &[Millis], times: &[Millis]) -> bool {
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
