//! How sound the bars are that each prediction is made from; pure.

use streamforge_dataset::Panel;
use streamforge_events::{FeedInterrupted, GapState, Health, Interval, Millis};
use streamforge_store::records_of;

use crate::history::History;

/// What is known of the bars of a range.
pub(crate) struct Soundness<'a> {
    history: &'a History,
    /// Bars that the model sees before one, and that one.
    window: usize,
    /// By symbol, how many bars there are before each row.
    before: Vec<Vec<u64>>,
    /// When it is looked at, if that is when the bars are new.
    now: Option<Millis>,
}

impl<'a> Soundness<'a> {
    pub(crate) fn new(history: &'a History, look_back: usize, now: Option<Millis>) -> Self {
        let panel = &history.panel;
        let before = (0..panel.symbols().len()).map(|symbol| present_before(panel, symbol)).collect();
        Self { history, window: look_back + 1, before, now }
    }

    /// The health of what the model sees of each symbol after the bar in this row.
    pub(crate) fn after(&self, row: usize) -> Vec<Health> {
        let interval = self.history.panel.interval();
        let open_time = self.history.panel.times()[row];
        let first = (1..self.window).fold(open_time, |open, _| interval.previous_open(open));
        let seen = (row + 1).saturating_sub(self.window)..row + 1;
        let needed = self.window as u64;
        let found: Vec<Health> = (self.before.iter().zip(&self.history.gaps))
            .map(|(before, gaps)| {
                let present = before[seen.end] - before[seen.start];
                let (filled, open_gaps) = told(gaps, interval, first, open_time);
                Health { filled: filled.min(present), open_gaps, ..Health::of(needed, present) }
            })
            .collect();
        let lacking = found.iter().filter(|health| health.missing() > 0).count() as u64;
        let age = self.now.map(|now| now.saturating_sub(interval.next_open(open_time)).max(0));
        let bar = interval.next_open(open_time).saturating_sub(open_time);
        let whole = |health: Health| {
            let others = lacking - u64::from(health.missing() > 0);
            Health { lacking: others, age, ..health }.graded(Some(bar))
        };
        found.into_iter().map(whole).collect()
    }
}

fn present_before(panel: &Panel, symbol: usize) -> Vec<u64> {
    let mut count = 0;
    let mut before = vec![0];
    for row in 0..panel.times().len() {
        count += u64::from(panel.is_present(row, symbol));
        before.push(count);
    }
    before
}

/// Bars from the first to the last that were filled afterwards, and how many gaps there are open.
fn told(gaps: &[FeedInterrupted], interval: Interval, first: Millis, last: Millis) -> (u64, u64) {
    let (first, last) = (u64::try_from(first).unwrap_or(0), u64::try_from(last).unwrap_or(0));
    let from = gaps.partition_point(|gap| gap.to < first);
    let (mut filled, mut open) = (0, 0);
    for gap in gaps[from..].iter().take_while(|gap| gap.from <= last) {
        match gap.state {
            GapState::Open => open += 1,
            GapState::Left => {}
            GapState::Filled => {
                let seen = FeedInterrupted { from: gap.from.max(first), to: gap.to.min(last), ..gap.clone() };
                filled += records_of(streamforge_events::SeriesKind::Klines(interval), &seen);
            }
        }
    }
    (filled, open)
}

#[cfg(test)]
mod tests {
    use streamforge_dataset::SymbolBars;
    use streamforge_events::{Grade, KlineColumns, Symbol};

    use super::*;

    const MINUTE: Millis = 60_000;

    /// Bars of these minutes.
    fn bars(name: &str, minutes: &[Millis]) -> SymbolBars {
        let price = vec![1.0; minutes.len()];
        let klines = KlineColumns {
            open_time: minutes.iter().map(|minute| minute * MINUTE).collect(),
            open: price.clone(),
            high: price.clone(),
            low: price.clone(),
            close: price.clone(),
            volume: price.clone(),
            close_time: minutes.iter().map(|minute| (minute + 1) * MINUTE - 1).collect(),
            quote_asset_volume: price.clone(),
            number_of_trades: vec![1; minutes.len()],
            taker_buy_base_asset_volume: price.clone(),
            taker_buy_quote_asset_volume: price,
        };
        SymbolBars::of(name.parse::<Symbol>().unwrap(), klines)
    }

    fn gap(from: u64, to: u64, state: GapState) -> FeedInterrupted {
        let (symbol, stream, why) = ("A".parse().unwrap(), "klines_1m".to_owned(), String::new());
        FeedInterrupted { symbol, stream, from: from * 60_000, to: to * 60_000, state, why, since: 1 }
    }

    #[test]
    fn each_symbol_is_judged_by_its_own_window_and_told_of_the_others() {
        let all: Vec<Millis> = (10..30).collect();
        let holed: Vec<Millis> = all.iter().copied().filter(|minute| *minute != 20).collect();
        let panel = Panel::new(Interval::M1, vec![bars("A", &all), bars("B", &holed)]).unwrap();
        let gaps = vec![
            vec![gap(11, 12, GapState::Filled), gap(17, 18, GapState::Filled), gap(23, 24, GapState::Open)],
            vec![gap(20, 20, GapState::Left)],
        ];
        let history = History { panel, gaps };
        let now = |minute: Millis| Some(minute * MINUTE + 500);
        let at = |minute: usize, now| Soundness::new(&history, 4, now).after(minute - 10);
        // Five bars from 18 to 22: one of A was filled, one of B is missing.
        let [a, b] = at(22, now(23))[..] else { panic!() };
        assert_eq!((a.needed, a.present, a.filled, a.open_gaps, a.lacking, a.age), (5, 5, 1, 0, 1, Some(500)));
        assert_eq!((b.needed, b.present, b.filled, b.lacking, b.grade), (5, 4, 0, 0, Grade::Poor));
        assert_eq!(a.grade, Grade::Degraded);
        // From 25 on nothing is wrong; from 24 on the open gap is seen.
        let [a, b] = at(29, now(30))[..] else { panic!() };
        assert_eq!((a.grade, b.grade, a.filled + a.open_gaps), (Grade::Good, Grade::Good, 0));
        assert_eq!((at(28, None)[0].open_gaps, at(28, None)[0].age), (1, None));
        // Too early: three of five bars are before all that is known.
        assert_eq!((at(11, None)[0].present, at(11, None)[0].filled), (2, 1));
        // Told late.
        assert_eq!(at(29, now(32))[1].grade, Grade::Degraded);
        assert_eq!(at(29, now(41))[1].grade, Grade::Poor);
        assert_eq!(at(29, now(2))[1].age, Some(0), "a clock that is behind");
    }
}
