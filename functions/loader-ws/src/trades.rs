//! The trades of one symbol: each once, in any order, and a gap for each break of their ids; pure.

use std::collections::{BTreeMap, VecDeque};

use streamforge_events::{Clocks, FeedInterrupted, GapState, Millis, SeriesKind, Symbol, Trade};
use streamforge_exchange::{
    continuity::{Arrival, Continuity, Gap},
    frame,
};

use crate::output::{Output, Question};

/// Trades that are remembered so that they can be compared with the exchange's own.
const REMEMBERED: usize = 64;

/// What is known of a symbol's trades.
#[derive(Debug)]
pub(crate) struct Trades {
    symbol: Symbol,
    ids: Continuity,
    /// When each open gap was found.
    gaps: BTreeMap<Gap, Millis>,
    /// When the last one was: whoever reads of two gaps goes by the later one.
    found: Millis,
    latest: VecDeque<Trade>,
    /// The one that the exchange was asked for, to be compared.
    asked: Option<Trade>,
    /// Up to this id what came was found to be what the exchange has.
    proven: Option<u64>,
}

impl Trades {
    /// Goes on after the last trade that was published, if there is one.
    pub(crate) fn new(symbol: Symbol, last: Option<u64>) -> Self {
        let ids = last.map_or_else(Continuity::default, Continuity::after);
        Self { symbol, ids, gaps: BTreeMap::new(), found: 0, latest: VecDeque::new(), asked: None, proven: last }
    }

    /// The trade up to which all are published: before the first gap.
    pub(crate) fn complete(&self) -> Option<u64> {
        let missing = self.ids.missing().next().map(|gap| gap.from.saturating_sub(1));
        missing.or(self.ids.last())
    }

    /// Takes a frame; `why` says what is most likely the reason if ids are missing before it.
    pub(crate) fn take(
        &mut self,
        trade: &frame::Trade,
        clocks: Clocks,
        why: &str,
        outputs: &mut Vec<Output>,
        questions: &mut Vec<Question>,
    ) {
        let arrival = self.ids.arrive(trade.id);
        if let Arrival::After(gap) = arrival {
            self.found = self.found.max(trade.event_time);
            self.gaps.insert(gap, self.found);
            outputs.push(self.told(gap, GapState::Open, why, self.found));
            questions.push(Question::Trades { symbol: self.symbol.clone(), from: gap.from, to: gap.to });
        }
        if matches!(arrival, Arrival::Known | Arrival::Early) {
            return;
        }
        // A price of nought marks what the exchange has invalidated; its id counts.
        if !trade.price.is_zero() && !trade.quantity.is_zero() {
            let row = row(trade);
            self.latest.push_back(row.clone());
            if self.latest.len() > REMEMBERED {
                self.latest.pop_front();
            }
            let read_at = trade.event_time;
            outputs.push(Output::Trade { symbol: self.symbol.clone(), row, clocks: Some(clocks), read_at });
        }
        if let Arrival::Filled(gap) = arrival {
            self.close(gap, GapState::Filled, "came late", outputs);
        }
    }

    /// Takes what the exchange has for ids from `from` to `to`, all of which it has been asked for.
    pub(crate) fn fill(&mut self, from: u64, to: u64, rows: &[Trade], read_at: Millis, outputs: &mut Vec<Output>) {
        let mut closed = Vec::new();
        for row in rows {
            let Ok(id) = u64::try_from(row.trade_id) else { continue };
            match self.ids.arrive(id) {
                Arrival::Known | Arrival::Early => continue,
                Arrival::Filled(gap) => closed.push((gap, GapState::Filled)),
                Arrival::Filling | Arrival::Next | Arrival::After(_) => {}
            }
            let (symbol, row) = (self.symbol.clone(), row.clone());
            outputs.push(Output::Trade { symbol, row, clocks: None, read_at });
        }
        // Ids that the exchange has no sound trade for do not come any more.
        let left: Vec<Gap> = self.ids.missing().filter(|gap| gap.from <= to && gap.to >= from).collect();
        for gap in left {
            for id in gap.from.max(from)..=gap.to.min(to) {
                if let Arrival::Filled(gap) = self.ids.arrive(id) {
                    closed.push((gap, GapState::Left));
                }
            }
        }
        for (gap, state) in closed {
            let why = match state {
                GapState::Left => "the exchange has no sound trade for some of these ids",
                _ => "asked for",
            };
            self.close(gap, state, why, outputs);
        }
    }

    /// A trade that came and was not compared yet, if there is one.
    pub(crate) fn unproven(&mut self) -> Option<Question> {
        let latest = self.latest.back()?;
        let id = u64::try_from(latest.trade_id).ok()?;
        if self.proven == Some(id) {
            return None;
        }
        // In a burst many more come until the exchange has answered.
        self.asked = Some(latest.clone());
        Some(Question::Proof { symbol: self.symbol.clone(), id })
    }

    /// Compares a trade with what came under its id; answers the first id that cannot be trusted if they differ.
    pub(crate) fn prove(&mut self, theirs: &Trade) -> Option<u64> {
        let asked = self.asked.take();
        let ours = self.latest.iter().chain(&asked).find(|ours| ours.trade_id == theirs.trade_id)?;
        let id = u64::try_from(theirs.trade_id).ok()?;
        if ours == theirs {
            self.proven = Some(id);
            return None;
        }
        Some(self.proven.map_or_else(|| id.saturating_sub(REMEMBERED as u64), |proven| proven + 1))
    }

    /// Forgets everything from `from` on, which came under ids that are not the exchange's.
    pub(crate) fn distrust(&mut self, from: u64, now: Millis, outputs: &mut Vec<Output>) {
        // What is missing before has to come as well.
        let from = self.ids.missing().next().map_or(from, |gap| gap.from.min(from));
        let last = self.ids.last().unwrap_or(from);
        let gap = Gap { from, to: last.max(from) };
        let why = "the ids are not those of the exchange: a frame was swallowed and the ids repaired";
        self.found = self.found.max(now);
        outputs.push(self.told(gap, GapState::Open, why, self.found));
        self.ids = Continuity::after(from.saturating_sub(1));
        self.gaps.clear();
        self.latest.clear();
        self.asked = None;
    }

    fn close(&mut self, gap: Gap, state: GapState, why: &str, outputs: &mut Vec<Output>) {
        let since = self.gaps.remove(&gap).unwrap_or_default();
        outputs.push(self.told(gap, state, why, since));
    }

    fn told(&self, gap: Gap, state: GapState, why: &str, since: Millis) -> Output {
        let (symbol, stream) = (self.symbol.clone(), SeriesKind::Trades.stream());
        Output::Gap(FeedInterrupted { symbol, stream, from: gap.from, to: gap.to, state, why: why.to_owned(), since })
    }
}

fn row(trade: &frame::Trade) -> Trade {
    Trade {
        trade_id: i64::try_from(trade.id).unwrap_or(i64::MAX),
        price: trade.price,
        quantity: trade.quantity,
        timestamp: trade.trade_time,
        is_buyer_maker: trade.is_buyer_maker,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCKS: Clocks = Clocks { event_time: 1, received: 2, received_steady: 3 };

    fn trade(id: u64, price: &str) -> frame::Trade {
        let (price, quantity) = (price.parse().unwrap(), "1".parse().unwrap());
        frame::Trade { id, price, quantity, event_time: 7, trade_time: 7, is_buyer_maker: true }
    }

    fn take(trades: &mut Trades, id: u64) -> (Vec<Output>, Vec<Question>) {
        let (mut outputs, mut questions) = (Vec::new(), Vec::new());
        trades.take(&trade(id, "1"), CLOCKS, "broken", &mut outputs, &mut questions);
        (outputs, questions)
    }

    fn states(outputs: &[Output]) -> Vec<(u64, u64, GapState)> {
        let gap = |output: &Output| match output {
            Output::Gap(gap) => Some((gap.from, gap.to, gap.state)),
            _ => None,
        };
        outputs.iter().filter_map(gap).collect()
    }

    fn rows(outputs: &[Output]) -> Vec<i64> {
        let id = |output: &Output| match output {
            Output::Trade { row, .. } => Some(row.trade_id),
            _ => None,
        };
        outputs.iter().filter_map(id).collect()
    }

    #[test]
    fn a_gap_is_told_asked_for_filled_and_closed_once() {
        let mut trades = Trades::new("BTCUSDT".parse().unwrap(), Some(9));
        assert_eq!(take(&mut trades, 10).0.len(), 1);
        let (outputs, questions) = take(&mut trades, 14);
        assert_eq!((states(&outputs), rows(&outputs)), (vec![(11, 13, GapState::Open)], vec![14]));
        assert_eq!(questions, [Question::Trades { symbol: "BTCUSDT".parse().unwrap(), from: 11, to: 13 }]);
        assert_eq!(trades.complete(), Some(10));
        assert_eq!(take(&mut trades, 12).0.len(), 1, "one that comes late");
        let found: Vec<Trade> = [10, 11, 12, 13, 14].map(|id| row(&trade(id, "1"))).into();
        let mut outputs = Vec::new();
        trades.fill(11, 13, &found, 8, &mut outputs);
        assert_eq!((rows(&outputs), states(&outputs)), (vec![11, 13], vec![(11, 13, GapState::Filled)]));
        assert_eq!(trades.complete(), Some(14));
        assert_eq!(take(&mut trades, 13).0, [], "known");
    }

    #[test]
    fn what_the_exchange_has_not_is_left() {
        let mut trades = Trades::new("BTCUSDT".parse().unwrap(), Some(9));
        take(&mut trades, 13);
        let mut outputs = Vec::new();
        trades.fill(10, 12, &[row(&trade(11, "1"))], 8, &mut outputs);
        assert_eq!((rows(&outputs), states(&outputs)), (vec![11], vec![(10, 12, GapState::Left)]));
        assert_eq!(trades.complete(), Some(13));
    }

    #[test]
    fn an_invalidated_trade_counts_and_is_no_trade() {
        let mut trades = Trades::new("BTCUSDT".parse().unwrap(), Some(9));
        let (mut outputs, mut questions) = (Vec::new(), Vec::new());
        trades.take(&trade(10, "0"), CLOCKS, "", &mut outputs, &mut questions);
        assert_eq!((outputs, questions, trades.complete()), (Vec::new(), Vec::new(), Some(10)));
    }

    #[test]
    fn the_exchange_may_answer_after_a_burst() {
        let mut trades = Trades::new("BTCUSDT".parse().unwrap(), Some(9));
        take(&mut trades, 10);
        assert!(trades.unproven().is_some());
        for id in 0..10 * REMEMBERED as u64 {
            take(&mut trades, id + 11);
        }
        assert_eq!(trades.prove(&row(&trade(10, "2"))), Some(10));
    }

    #[test]
    fn ids_that_are_not_the_exchanges_are_found_and_come_again() {
        let mut trades = Trades::new("BTCUSDT".parse().unwrap(), Some(9));
        for id in 10..20 {
            take(&mut trades, id);
        }
        assert_eq!(trades.prove(&row(&trade(15, "1"))), None);
        assert_eq!(trades.prove(&row(&trade(19, "2"))), Some(16));
        let mut outputs = Vec::new();
        trades.distrust(16, 8, &mut outputs);
        assert_eq!(states(&outputs), [(16, 19, GapState::Open)]);
        outputs.extend(take(&mut trades, 21).0);
        assert_eq!(states(&outputs), [(16, 19, GapState::Open), (16, 20, GapState::Open)]);
        let since = |output: &Output| if let Output::Gap(gap) = output { gap.since } else { 8 };
        assert!(outputs.iter().all(|output| since(output) == 8), "the second one takes the first one's place");
    }
}
