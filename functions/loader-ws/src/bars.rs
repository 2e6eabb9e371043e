//! The bars of one symbol and interval: each closed one once, and a gap for each that did not come; pure.

use std::collections::BTreeMap;

use streamforge_events::{Clocks, FeedInterrupted, GapState, Interval, Kline, Millis, SeriesKind, Symbol};

use crate::output::{Output, Question};

/// A bar that did not come so long after its end is asked for.
const GRACE: Millis = 5_000;

/// What is known of a series of bars.
#[derive(Debug)]
pub(crate) struct Bars {
    symbol: Symbol,
    interval: Interval,
    /// Open time of the next bar that has to come; none before the first.
    next: Option<Millis>,
    /// Open gaps: after the last open time, and when it was found, by the first one.
    gaps: BTreeMap<Millis, (Millis, Millis)>,
}

impl Bars {
    /// Goes on after the last bar that was published, if there is one.
    pub(crate) fn new(symbol: Symbol, interval: Interval, last: Option<Millis>) -> Self {
        Self { symbol, interval, next: last.map(|last| interval.next_open(last)), gaps: BTreeMap::new() }
    }

    /// The bar up to which all are published: before the first gap.
    pub(crate) fn complete(&self) -> Option<Millis> {
        let next = self.gaps.keys().next().copied().or(self.next)?;
        Some(self.interval.previous_open(next))
    }

    /// Takes a bar that is closed.
    pub(crate) fn take(
        &mut self,
        bar: &Kline,
        clocks: Clocks,
        why: &str,
        outputs: &mut Vec<Output>,
        questions: &mut Vec<Question>,
    ) {
        let open = bar.open_time;
        let next = *self.next.get_or_insert(open);
        if open > next {
            self.miss(next, open, why, clocks.event_time, outputs, questions);
        }
        let is_late = open < next;
        if is_late && !self.gaps.iter().any(|(from, (to, _))| (*from..*to).contains(&open)) {
            return;
        }
        let (symbol, interval) = (self.symbol.clone(), self.interval);
        let read_at = clocks.event_time;
        outputs.push(Output::Bar { symbol, interval, row: bar.clone(), clocks: Some(clocks), read_at });
        if !is_late {
            self.next = Some(self.interval.next_open(open));
        }
    }

    /// Asks for bars that should have come by now, which is the exchange's time.
    pub(crate) fn tick(&mut self, now: Millis, outputs: &mut Vec<Output>, questions: &mut Vec<Question>) {
        let Some(next) = self.next else { return };
        let to = self.interval.align_down(now - GRACE);
        if to > next {
            self.miss(next, to, "no frame said that the bar is closed", now, outputs, questions);
            self.next = Some(to);
        }
    }

    /// Takes what the exchange has from `from` to `to`, exclusive; `until` is how far that is final. Answers what has to
    /// be asked again later.
    pub(crate) fn fill(
        &mut self,
        (from, to): (Millis, Millis),
        rows: Vec<Kline>,
        read_at: Millis,
        until: Millis,
        outputs: &mut Vec<Output>,
    ) -> Option<Question> {
        let (end, since) = self.gaps.remove(&from)?;
        let end = end.min(to);
        let until = until.clamp(from, end);
        let (symbol, interval) = (self.symbol.clone(), self.interval);
        let mut found = 0_u64;
        for row in rows {
            if (from..until).contains(&row.open_time) {
                found += 1;
                outputs.push(Output::Bar { symbol: symbol.clone(), interval, row, clocks: None, read_at });
            }
        }
        if until > from {
            let missing = interval.missing_between(interval.previous_open(from), until).saturating_sub(found);
            let (state, why) = match missing {
                0 => (GapState::Filled, "asked for"),
                _ => (GapState::Left, "the exchange has no bar for some of these times"),
            };
            outputs.push(self.told(from, until, state, why, since));
        }
        (until < end).then(|| {
            self.gaps.insert(until, (end, since));
            Question::Bars { symbol, interval, from: until, to: end }
        })
    }

    fn miss(
        &mut self,
        from: Millis,
        to: Millis,
        why: &str,
        now: Millis,
        outputs: &mut Vec<Output>,
        questions: &mut Vec<Question>,
    ) {
        self.gaps.insert(from, (to, now));
        outputs.push(self.told(from, to, GapState::Open, why, now));
        questions.push(Question::Bars { symbol: self.symbol.clone(), interval: self.interval, from, to });
    }

    fn told(&self, from: Millis, to: Millis, state: GapState, why: &str, since: Millis) -> Output {
        let number = |time: Millis| u64::try_from(time).unwrap_or_default();
        Output::Gap(FeedInterrupted {
            symbol: self.symbol.clone(),
            stream: SeriesKind::Klines(self.interval).stream(),
            from: number(from),
            to: number(self.interval.previous_open(to)),
            state,
            why: why.to_owned(),
            since,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Millis = 60_000;

    fn bar(minute: Millis) -> Kline {
        let price = "1".parse().unwrap();
        Kline {
            open_time: minute * MINUTE,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: price,
            close_time: (minute + 1) * MINUTE - 1,
            quote_asset_volume: price,
            number_of_trades: 1,
            taker_buy_base_asset_volume: price,
            taker_buy_quote_asset_volume: price,
        }
    }

    struct Try {
        bars: Bars,
        outputs: Vec<Output>,
        questions: Vec<Question>,
    }

    impl Try {
        fn after(last: Option<Millis>) -> Self {
            let bars = Bars::new("BTCUSDT".parse().unwrap(), Interval::M1, last.map(|last| last * MINUTE));
            Self { bars, outputs: Vec::new(), questions: Vec::new() }
        }

        fn take(&mut self, minute: Millis) {
            let clocks = Clocks { event_time: (minute + 1) * MINUTE, received: 0, received_steady: 0 };
            self.bars.take(&bar(minute), clocks, "broken", &mut self.outputs, &mut self.questions);
        }

        fn fill(&mut self, minutes: &[Millis], from: Millis, to: Millis, until: Millis) {
            let rows = minutes.iter().map(|minute| bar(*minute)).collect();
            let (range, until) = ((from * MINUTE, to * MINUTE), until * MINUTE);
            let later = self.bars.fill(range, rows, 0, until, &mut self.outputs);
            self.questions.extend(later);
        }

        /// Minutes of bars, and gaps with their states.
        fn told(&mut self) -> (Vec<Millis>, Vec<(u64, u64, GapState)>) {
            let (mut minutes, mut gaps) = (Vec::new(), Vec::new());
            for output in self.outputs.drain(..) {
                match output {
                    Output::Bar { row, .. } => minutes.push(row.open_time / MINUTE),
                    Output::Gap(gap) => gaps.push((gap.from / 60_000, gap.to / 60_000, gap.state)),
                    _ => {}
                }
            }
            (minutes, gaps)
        }
    }

    #[test]
    fn bars_that_were_passed_over_are_asked_for() {
        let mut one = Try::after(Some(9));
        one.take(10);
        one.take(10);
        one.take(13);
        assert_eq!(one.told(), (vec![10, 13], vec![(11, 12, GapState::Open)]));
        assert_eq!((one.questions.len(), one.bars.complete()), (1, Some(10 * MINUTE)));
        one.fill(&[11, 12, 13], 11, 13, 13);
        assert_eq!(one.told(), (vec![11, 12], vec![(11, 12, GapState::Filled)]));
        assert_eq!(one.bars.complete(), Some(13 * MINUTE));
    }

    #[test]
    fn a_bar_that_nobody_closes_is_asked_for_after_a_while() {
        let mut one = Try::after(None);
        one.bars.tick(100 * MINUTE, &mut one.outputs, &mut one.questions);
        one.take(10);
        one.bars.tick(12 * MINUTE + GRACE - 1, &mut one.outputs, &mut one.questions);
        assert_eq!(one.told(), (vec![10], vec![]));
        one.bars.tick(12 * MINUTE + GRACE, &mut one.outputs, &mut one.questions);
        assert_eq!(one.told(), (vec![], vec![(11, 11, GapState::Open)]));
        one.fill(&[], 11, 12, 11);
        assert_eq!((one.told().1.len(), one.questions.len()), (0, 2), "not final yet, and asked for again");
        one.fill(&[], 11, 12, 12);
        assert_eq!(one.told(), (vec![], vec![(11, 11, GapState::Left)]));
        one.take(12);
        assert_eq!(one.told(), (vec![12], vec![]));
    }
}
