//! What came after a bar, by the targets that a model was trained on, and what following a prediction would have brought.

use streamforge_events::{Interval, Millis, TimeRange};

use crate::{
    Definition, Direction, Error, Panel, SymbolBars, Targets, Windows, returns::Series, volatility_of_logarithm,
    window::sums,
};

/// Longest month, for intervals without a length.
const MONTH: i64 = 31 * 86_400_000;

/// What came over the horizon after a bar.
///
/// # Units
/// `volatility` is the root of the mean square of the log returns, per bar; `log_return` is their sum.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the type describes its fields")]
pub struct Realised {
    pub volatility: f64,
    pub direction: Direction,
    pub log_return: f64,
}

impl Realised {
    /// The bars that decide what came after bars that open from `first` to `last`; none if nobody can have stored them.
    #[must_use]
    pub fn needs(definition: &Definition, first: Millis, last: Millis) -> Option<TimeRange> {
        let length = definition.interval.millis().unwrap_or(MONTH);
        let span = |bars: usize| i64::try_from(bars).unwrap_or(i64::MAX).saturating_add(1).saturating_mul(length);
        let from = first.saturating_sub(span(definition.windows.middle)).max(0);
        let to = last.saturating_add(span(definition.horizon)).min(TimeRange::WIDEST.to());
        TimeRange::new(from, to).ok()
    }

    /// What came after each of these open times, by the bars of one symbol; none where a bar is missing.
    ///
    /// # Errors
    /// As of [`Panel::new`], but for bars that are not there at all.
    pub fn compute(
        bars: SymbolBars,
        definition: &Definition,
        open_times: &[Millis],
    ) -> Result<Vec<Option<Self>>, Error> {
        let panel = match Panel::new(definition.interval, vec![bars]) {
            Ok(panel) => panel,
            Err(Error::NoBars) => return Ok(vec![None; open_times.len()]),
            Err(error) => return Err(error),
        };
        let targets = Targets::compute(&panel, definition);
        let moves: Vec<f64> =
            panel.bars().iter().flat_map(|bars| sums(&Series::of(bars).returns, definition.horizon)).collect();
        let at = |open_time: &Millis| {
            let row = targets.times.binary_search(open_time).ok().filter(|row| targets.present[*row])?;
            Some(Self {
                volatility: volatility_of_logarithm(f64::from(targets.volatility[row])),
                direction: targets.direction[row],
                log_return: moves[row + definition.horizon],
            })
        };
        Ok(open_times.iter().map(at).collect())
    }

    /// What one would have gained on the capital by following a prediction: long where it says up, short where it says
    /// down, out of the market where it says sideways; without fees.
    #[must_use]
    pub fn gain(&self, predicted: Direction) -> f64 {
        match predicted {
            Direction::Up => self.log_return.exp_m1(),
            Direction::Sideways => 0.0,
            Direction::Down => -self.log_return.exp_m1(),
        }
    }
}

impl Direction {
    /// The direction as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Sideways => "sideways",
            Self::Up => "up",
        }
    }

    /// The likeliest of the three; where the market would be entered on a tie, it is not.
    #[must_use]
    pub fn likeliest([down, sideways, up]: [f64; 3]) -> Self {
        if up > down && up > sideways {
            Self::Up
        } else if down > up && down > sideways {
            Self::Down
        } else {
            Self::Sideways
        }
    }
}

impl Definition {
    /// The definition that targets are computed by where no card of the model says another.
    #[must_use]
    pub fn usual(interval: Interval, horizon: usize) -> Self {
        Self { interval, windows: Windows::of(interval), horizon, band: Self::BAND, features: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use streamforge_events::KlineColumns;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn bars(closes: &[(i64, f64)]) -> SymbolBars {
        let mut columns = KlineColumns::default();
        for (bar, close) in closes {
            columns.open_time.push(bar * HOUR);
            for column in [&mut columns.open, &mut columns.high, &mut columns.low, &mut columns.close] {
                column.push(*close);
            }
            for column in [
                &mut columns.volume,
                &mut columns.quote_asset_volume,
                &mut columns.taker_buy_base_asset_volume,
                &mut columns.taker_buy_quote_asset_volume,
            ] {
                column.push(0.0);
            }
        }
        SymbolBars::of("BTCUSDT".parse().unwrap(), columns)
    }

    #[test]
    fn returns_are_those_of_the_whole_horizon_and_none_spans_a_gap() {
        let definition = Definition::usual(Interval::H1, 2);
        // Rises by a tenth at each bar from the thirtieth on; the bar of hour 40 is missing.
        let close = |bar: i32| if bar < 30 { 1.0 + 0.01 * f64::from(bar % 2) } else { 1.1_f64.powi(bar - 29) };
        let there = (0..60).filter(|bar| *bar != 40);
        let closes: Vec<(i64, f64)> = there.map(|bar| (i64::from(bar), close(bar))).collect();
        let asked: Vec<Millis> = [3, 30, 37, 38, 39, 40, 58, 59].map(|bar| bar * HOUR).to_vec();
        let came = Realised::compute(bars(&closes), &definition, &asked).unwrap();
        let is_there: Vec<bool> = came.iter().map(Option::is_some).collect();
        assert_eq!(is_there, [false, true, true, false, false, false, false, false]);
        let found = came[1].unwrap();
        assert!((found.log_return - 2.0 * 1.1_f64.ln()).abs() < 1e-12, "{found:?}");
        assert!((found.volatility - 1.1_f64.ln()).abs() < 1e-6 && found.direction == Direction::Up, "{found:?}");
        let none = Realised::compute(bars(&[]), &definition, &asked).unwrap();
        assert_eq!(none, vec![None; asked.len()]);
    }

    #[test]
    fn a_prediction_is_followed_where_it_is_sure_of_a_direction() {
        let came = Realised { volatility: 0.1, direction: Direction::Up, log_return: 1.1_f64.ln() };
        let gains = Direction::ALL.map(|predicted| came.gain(predicted));
        assert!(
            (gains[0] + 0.1).abs() < 1e-12 && gains[1].abs() < 1e-12 && (gains[2] - 0.1).abs() < 1e-12,
            "{gains:?}"
        );
        for (probabilities, direction) in [
            ([0.2, 0.3, 0.5], Direction::Up),
            ([0.5, 0.3, 0.2], Direction::Down),
            ([0.4, 0.2, 0.4], Direction::Sideways),
            ([0.4, 0.4, 0.2], Direction::Sideways),
            ([0.2, 0.6, 0.2], Direction::Sideways),
        ] {
            assert_eq!(Direction::likeliest(probabilities), direction, "{probabilities:?}");
        }
    }

    #[test]
    fn needed_bars_reach_behind_the_first_and_beyond_the_last() {
        let definition = Definition::usual(Interval::H1, 2);
        let range = Realised::needs(&definition, 100 * HOUR, 200 * HOUR).unwrap();
        assert_eq!((range.from(), range.to()), (83 * HOUR, 203 * HOUR));
        assert_eq!(Realised::needs(&definition, 0, 0).unwrap().from(), 0);
    }
}
