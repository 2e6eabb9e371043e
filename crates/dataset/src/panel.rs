//! The bars of many symbols on one grid of open times, with holes where there are none.

use std::{collections::BTreeSet, ops::Range};

use streamforge_events::{Interval, KlineColumns, Millis, Symbol, TimeRange};

use crate::{Error, returns::Series};

/// More cells than this are a mistake in a time rather than a market: fifty symbols of minutes over ten years.
const MOST_CELLS: u64 = 300_000_000;

/// The stored bars of one symbol, ascending by open time.
///
/// # Shape
/// All columns have the same length.
///
/// # Units
/// Times in UTC milliseconds, prices in the quote asset, volumes in the base asset unless named `quote`.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the columns bear the names of the kline's fields")]
pub struct SymbolBars {
    pub symbol: Symbol,
    pub open_time: Vec<Millis>,
    pub high: Vec<f64>,
    pub low: Vec<f64>,
    pub close: Vec<f64>,
    pub volume: Vec<f64>,
    pub quote_volume: Vec<f64>,
    pub taker_buy_volume: Vec<f64>,
}

impl SymbolBars {
    /// The bars that stored klines are.
    #[must_use]
    pub fn of(symbol: Symbol, klines: KlineColumns) -> Self {
        Self {
            symbol,
            open_time: klines.open_time,
            high: klines.high,
            low: klines.low,
            close: klines.close,
            volume: klines.volume,
            quote_volume: klines.quote_asset_volume,
            taker_buy_volume: klines.taker_buy_base_asset_volume,
        }
    }
}

/// Bars of symbols from the first to the last open time; any of them may be missing, at the ends or between.
#[derive(Clone, Debug)]
pub struct Panel {
    interval: Interval,
    times: Vec<Millis>,
    symbols: Vec<Symbol>,
    bars: Vec<Bars>,
}

/// One symbol's columns over the grid; a missing bar is NaN in all of them.
#[derive(Clone, Debug)]
pub(crate) struct Bars {
    pub(crate) high: Vec<f64>,
    pub(crate) low: Vec<f64>,
    pub(crate) close: Vec<f64>,
    pub(crate) volume: Vec<f64>,
    pub(crate) quote_volume: Vec<f64>,
    pub(crate) taker_buy_volume: Vec<f64>,
}

impl Panel {
    /// Aligns bars; a bar whose close is not a positive number counts as missing.
    ///
    /// # Errors
    /// [`Error::Bars`] if a symbol comes twice, its columns differ in length, its times do not ascend or lie off the
    /// grid (as those of `3d`, which each symbol anchors elsewhere, may); [`Error::NoBars`] and [`Error::TooLarge`] for
    /// what makes no grid.
    pub fn new(interval: Interval, symbols: Vec<SymbolBars>) -> Result<Self, Error> {
        let mut names = BTreeSet::new();
        for bars in &symbols {
            if !names.insert(&bars.symbol) {
                return Err(fail(bars, "the symbol is there twice"));
            }
            check(bars)?;
        }
        let times = grid(interval, &symbols)?;
        let bars = symbols.iter().map(|bars| aligned(bars, &times)).collect::<Result<_, Error>>()?;
        Ok(Self { interval, times, symbols: symbols.into_iter().map(|bars| bars.symbol).collect(), bars })
    }

    /// Length of a bar.
    #[must_use]
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// Open times of all bars, whether or not a symbol has one there.
    #[must_use]
    pub fn times(&self) -> &[Millis] {
        &self.times
    }

    /// The symbols, in the order in which they were given.
    #[must_use]
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// Whether a symbol has a bar in a row.
    #[must_use]
    pub fn is_present(&self, row: usize, symbol: usize) -> bool {
        self.close(row, symbol).is_some()
    }

    /// The close of a symbol in a row, if it has a bar there.
    #[must_use]
    pub fn close(&self, row: usize, symbol: usize) -> Option<f64> {
        let close = *self.bars.get(symbol)?.close.get(row)?;
        (!close.is_nan()).then_some(close)
    }

    /// Log returns of one symbol, bar by bar; NaN where there is none.
    #[must_use]
    pub fn returns(&self, symbol: usize) -> Vec<f64> {
        self.bars.get(symbol).map_or_else(Vec::new, |bars| Series::of(bars).returns)
    }

    /// The same symbols over some of the rows; rows beyond the end are left out.
    #[must_use]
    pub fn slice(&self, rows: Range<usize>) -> Self {
        let end = rows.end.min(self.times.len());
        let rows = rows.start.min(end)..end;
        Self {
            interval: self.interval,
            times: self.times[rows.clone()].to_vec(),
            symbols: self.symbols.clone(),
            bars: self.bars.iter().map(|bars| bars.map(|column| column[rows.clone()].to_vec())).collect(),
        }
    }

    /// The last rows, all of them if there are fewer.
    #[must_use]
    pub fn tail(&self, rows: usize) -> Self {
        self.slice(self.times.len().saturating_sub(rows)..self.times.len())
    }

    /// The same grid with rows of another order: what tests of leakage need.
    ///
    /// Row `i` holds the bars of row `order[i]`; where `order` is too short or names no row, bars are missing.
    #[must_use]
    pub fn reordered(&self, order: &[usize]) -> Self {
        let moved = |column: &[f64]| -> Vec<f64> {
            let value = |row| order.get(row).and_then(|from| column.get(*from)).copied().unwrap_or(f64::NAN);
            (0..column.len()).map(value).collect()
        };
        Self { bars: self.bars.iter().map(|bars| bars.map(moved)).collect(), ..self.clone() }
    }

    pub(crate) fn bars(&self) -> &[Bars] {
        &self.bars
    }
}

impl Bars {
    fn map(&self, change: impl Fn(&[f64]) -> Vec<f64>) -> Self {
        Self {
            high: change(&self.high),
            low: change(&self.low),
            close: change(&self.close),
            volume: change(&self.volume),
            quote_volume: change(&self.quote_volume),
            taker_buy_volume: change(&self.taker_buy_volume),
        }
    }
}

fn fail(bars: &SymbolBars, reason: &str) -> Error {
    Error::Bars { symbol: bars.symbol.to_string(), reason: reason.to_owned() }
}

fn check(bars: &SymbolBars) -> Result<(), Error> {
    let columns = [&bars.high, &bars.low, &bars.close, &bars.volume, &bars.quote_volume, &bars.taker_buy_volume];
    if columns.iter().any(|column| column.len() != bars.open_time.len()) {
        return Err(fail(bars, "its columns differ in length"));
    }
    if bars.open_time.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(fail(bars, "its open times do not ascend"));
    }
    Ok(())
}

/// All open times from the first to the last bar of any symbol.
fn grid(interval: Interval, symbols: &[SymbolBars]) -> Result<Vec<Millis>, Error> {
    let first = symbols.iter().filter_map(|bars| bars.open_time.first()).min().ok_or(Error::NoBars)?;
    let last = symbols.iter().filter_map(|bars| bars.open_time.last()).max().ok_or(Error::NoBars)?;
    let rows = TimeRange::new(*first, last + 1).map_or(u64::MAX, |range| interval.opens_in(range));
    if rows.saturating_mul(symbols.len() as u64) > MOST_CELLS {
        return Err(Error::TooLarge { rows, symbols: symbols.len() });
    }
    let times = std::iter::successors(Some(interval.align_down(*first)), |open| Some(interval.next_open(*open)));
    Ok(times.take_while(|open| open <= last).collect())
}

fn aligned(bars: &SymbolBars, times: &[Millis]) -> Result<Bars, Error> {
    let mut rows = Vec::with_capacity(bars.open_time.len());
    let mut row = 0;
    for time in &bars.open_time {
        row += times[row..].partition_point(|open| open < time);
        if times.get(row) != Some(time) {
            return Err(fail(bars, &format!("no bar opens at {time}")));
        }
        rows.push(row);
    }
    let column = |values: &[f64]| {
        let mut column = vec![f64::NAN; times.len()];
        for ((row, value), close) in rows.iter().zip(values).zip(&bars.close) {
            if close.is_finite() && *close > 0.0 {
                column[*row] = *value;
            }
        }
        column
    };
    Ok(Bars {
        high: column(&bars.high),
        low: column(&bars.low),
        close: column(&bars.close),
        volume: column(&bars.volume),
        quote_volume: column(&bars.quote_volume),
        taker_buy_volume: column(&bars.taker_buy_volume),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Millis = 60_000;

    fn bars(symbol: &str, open_time: &[Millis]) -> SymbolBars {
        let column = vec![1.0; open_time.len()];
        SymbolBars {
            symbol: symbol.parse().unwrap(),
            open_time: open_time.to_vec(),
            high: column.clone(),
            low: column.clone(),
            close: column.clone(),
            volume: column.clone(),
            quote_volume: column.clone(),
            taker_buy_volume: column,
        }
    }

    #[test]
    fn symbols_appear_vanish_and_pause_on_one_grid() {
        let early = bars("AAAUSDT", &[0, MINUTE]);
        let mut late = bars("BBBUSDT", &[MINUTE, 3 * MINUTE, 4 * MINUTE]);
        late.close[2] = 0.0;
        let panel = Panel::new(Interval::M1, vec![early, late]).unwrap();
        assert_eq!(panel.times(), [0, MINUTE, 2 * MINUTE, 3 * MINUTE, 4 * MINUTE]);
        let present = |symbol| (0..5).map(|row| panel.is_present(row, symbol)).collect::<Vec<_>>();
        assert_eq!(present(0), [true, true, false, false, false]);
        assert_eq!(present(1), [false, true, false, true, false]);
        assert_eq!(panel.tail(2).times(), [3 * MINUTE, 4 * MINUTE]);
        assert!(panel.tail(2).is_present(0, 1) && !panel.is_present(9, 9));
    }

    #[test]
    fn a_month_follows_its_calendar() {
        let day = 86_400_000;
        let panel = Panel::new(Interval::Mo1, vec![bars("AAAUSDT", &[0, 59 * day])]).unwrap();
        assert_eq!(panel.times(), [0, 31 * day, 59 * day]);
    }

    #[test]
    fn bars_that_make_no_grid_are_refused() {
        let refused = |symbols: Vec<SymbolBars>| Panel::new(Interval::M1, symbols).unwrap_err().to_string();
        let mut uneven = bars("AAAUSDT", &[0]);
        uneven.low.clear();
        for (symbols, word) in [
            (vec![], "at least one bar"),
            (vec![bars("AAAUSDT", &[])], "at least one bar"),
            (vec![bars("AAAUSDT", &[0]), bars("AAAUSDT", &[0])], "twice"),
            (vec![bars("AAAUSDT", &[MINUTE, 0])], "ascend"),
            (vec![bars("AAAUSDT", &[0, 0])], "ascend"),
            (vec![bars("AAAUSDT", &[0, 90_000])], "opens at 90000"),
            (vec![bars("AAAUSDT", &[30_000])], "opens at 30000"),
            (vec![uneven], "length"),
            (vec![bars("AAAUSDT", &[0, 253_402_300_740_000])], "too large"),
        ] {
            let error = refused(symbols);
            assert!(error.contains(word), "{error}");
        }
    }
}
