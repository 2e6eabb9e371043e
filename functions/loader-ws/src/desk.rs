//! All streams of a task: every frame finds its symbol, and what is missing is told of; pure.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use streamforge_events::{Clocks, GapState, Interval, Millis, Symbol};
use streamforge_exchange::{
    frame::{Frame, Reader},
    stream::Receipt,
};

use crate::{
    assignment::{Assignment, Kind},
    bars::Bars,
    books::BookDesk,
    output::{Output, Question},
    trades::Trades,
};

/// Why ids are missing if nothing is known of it.
const SWALLOWED: &str = "the exchange did not send them";

/// Up to where everything is published: what a later process goes on from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Last trade by symbol.
    pub trades: BTreeMap<Symbol, u64>,
    /// Open time of the last bar by symbol and interval.
    pub bars: BTreeMap<Symbol, BTreeMap<Interval, Millis>>,
    /// Last update of the book by symbol.
    pub books: BTreeMap<Symbol, u64>,
}

/// What a feed did, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Frames.
    pub frames: u64,
    /// Frames that are none of the exchange's, or of no symbol that was asked for.
    pub refused: u64,
    /// Gaps that were told of.
    pub gaps: u64,
    /// Gaps that were filled, whole or in parts.
    pub filled: u64,
    /// Gaps of which something stays missing.
    pub left: u64,
}

/// The streams of one task.
pub struct Desk {
    symbols: HashMap<String, SymbolDesk>,
    reader: Reader,
    /// What is most likely the reason of the next gap.
    why: String,
    /// The latest time that the exchange has told.
    now: Millis,
    tally: Tally,
    outputs: Vec<Output>,
    questions: Vec<Question>,
}

struct SymbolDesk {
    trades: Option<Trades>,
    bars: BTreeMap<Interval, Bars>,
    book: Option<BookDesk>,
}

impl Desk {
    /// Begins to listen where an earlier process left off.
    #[must_use]
    pub fn new(assignment: &Assignment, checkpoint: &Checkpoint) -> Self {
        let desk = |symbol: &Symbol| {
            let wants = |kind: Kind| assignment.kinds.contains(&kind);
            let intervals = assignment.kinds.iter().filter_map(|kind| match kind {
                Kind::Klines(interval) => Some(*interval),
                Kind::Trades | Kind::Depth => None,
            });
            let bars = intervals.map(|interval| {
                let last = checkpoint.bars.get(symbol).and_then(|bars| bars.get(&interval));
                (interval, Bars::new(symbol.clone(), interval, last.copied()))
            });
            let last = checkpoint.trades.get(symbol).copied();
            SymbolDesk {
                trades: wants(Kind::Trades).then(|| Trades::new(symbol.clone(), last)),
                bars: bars.collect(),
                book: wants(Kind::Depth).then(|| BookDesk::new(symbol.clone(), checkpoint.books.get(symbol).copied())),
            }
        };
        let symbols = assignment.symbols.iter().map(|symbol| (symbol.to_string(), desk(symbol))).collect();
        Self {
            symbols,
            reader: Reader::default(),
            why: "the loader was not there".to_owned(),
            now: 0,
            tally: Tally::default(),
            outputs: Vec::new(),
            questions: Vec::new(),
        }
    }

    /// Remembers why ids may be missing from now on.
    pub fn suspect(&mut self, why: impl Into<String>) {
        self.why = why.into();
    }

    /// Takes a frame of the feed.
    pub fn frame(&mut self, text: &str, receipt: Receipt) {
        self.tally.frames += 1;
        let clocks = |event_time| Clocks { event_time, received: receipt.wall, received_steady: receipt.steady };
        let (outputs, questions) = (&mut self.outputs, &mut self.questions);
        let why = &self.why;
        let event_time = match self.reader.read(text, None) {
            Ok(Frame::AggTrade { symbol, trade }) => {
                let Some(trades) = self.symbols.get_mut(&*symbol).and_then(|desk| desk.trades.as_mut()) else {
                    self.tally.refused += 1;
                    return;
                };
                trades.take(&trade, clocks(trade.event_time), why, outputs, questions);
                trade.event_time
            }
            Ok(Frame::Kline { symbol, event_time, interval, kline, is_closed }) => {
                let bars = self.symbols.get_mut(&*symbol).and_then(|desk| desk.bars.get_mut(&interval));
                match bars {
                    Some(bars) if is_closed => bars.take(&kline, clocks(event_time), why, outputs, questions),
                    Some(_) => {}
                    None => {
                        self.tally.refused += 1;
                        return;
                    }
                }
                event_time
            }
            Ok(Frame::Depth { symbol, event_time, difference }) => {
                let Some(book) = self.symbols.get_mut(&*symbol).and_then(|desk| desk.book.as_mut()) else {
                    self.tally.refused += 1;
                    return;
                };
                book.take(&difference, clocks(event_time), why, outputs, questions);
                self.reader.reuse(difference);
                event_time
            }
            Ok(Frame::SnapshotOf { symbol, snapshot }) => {
                let now = self.now;
                if let Some(book) = self.symbols.get_mut(&symbol).and_then(|desk| desk.book.as_mut()) {
                    book.snapshot(&snapshot, now, outputs, questions);
                }
                now
            }
            Ok(_) | Err(_) => {
                self.tally.refused += 1;
                return;
            }
        };
        self.now = self.now.max(event_time);
    }

    /// Looks for bars that should have come, and puts what came of books into batches.
    pub fn tick(&mut self) {
        for bars in self.symbols.values_mut().flat_map(|desk| desk.bars.values_mut()) {
            bars.tick(self.now, &mut self.outputs, &mut self.questions);
        }
        self.flush();
    }

    /// Puts what came of books into batches.
    pub fn flush(&mut self) {
        for book in self.symbols.values_mut().filter_map(|desk| desk.book.as_mut()) {
            book.flush(&mut self.outputs);
        }
    }

    /// What is to be published now.
    pub fn outputs(&mut self) -> Vec<Output> {
        for output in &self.outputs {
            match output {
                Output::Gap(gap) if gap.state == GapState::Open => self.tally.gaps += 1,
                Output::Gap(gap) if gap.state == GapState::Filled => self.tally.filled += 1,
                Output::Gap(_) => self.tally.left += 1,
                _ => {}
            }
        }
        std::mem::take(&mut self.outputs)
    }

    /// What is to be asked now.
    pub fn questions(&mut self) -> Vec<Question> {
        std::mem::take(&mut self.questions)
    }

    /// What has to be asked of a symbol so that silent losses are found.
    #[must_use]
    pub fn audit(&mut self, symbol: &Symbol) -> Vec<Question> {
        let Some(desk) = self.symbols.get_mut(symbol.as_str()) else { return Vec::new() };
        let proof = desk.trades.as_mut().and_then(Trades::unproven);
        let snapshot = desk.book.as_mut().and_then(BookDesk::unproven);
        proof.into_iter().chain(snapshot).collect()
    }

    /// Up to where everything has been handed out.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let mut checkpoint = Checkpoint::default();
        for (name, desk) in &self.symbols {
            let Ok(symbol) = name.parse::<Symbol>() else { continue };
            if let Some(last) = desk.trades.as_ref().and_then(Trades::complete) {
                checkpoint.trades.insert(symbol.clone(), last);
            }
            if let Some(last) = desk.book.as_ref().and_then(BookDesk::complete) {
                checkpoint.books.insert(symbol.clone(), last);
            }
            let bars = desk.bars.iter().filter_map(|(interval, bars)| Some((*interval, bars.complete()?)));
            checkpoint.bars.insert(symbol, bars.collect());
        }
        checkpoint
    }

    /// Puts something among what is to be published.
    pub(crate) fn tell(&mut self, output: Output) {
        self.outputs.push(output);
    }

    /// The latest time that the exchange has told.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.now
    }

    /// What came so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Whether every book that was asked for is up to date.
    #[must_use]
    pub fn synced_books(&self) -> usize {
        self.symbols.values().filter(|desk| desk.book.as_ref().is_some_and(|book| book.book().is_some())).count()
    }

    /// The trades of a symbol, with where to put what is to be done about them.
    pub(crate) fn trades(&mut self, symbol: &Symbol) -> Option<(&mut Trades, &mut Vec<Output>, Millis)> {
        let trades = self.symbols.get_mut(symbol.as_str())?.trades.as_mut()?;
        Some((trades, &mut self.outputs, self.now))
    }

    /// The bars of a symbol, likewise.
    pub(crate) fn bars(&mut self, symbol: &Symbol, interval: Interval) -> Option<(&mut Bars, &mut Vec<Output>)> {
        let bars = self.symbols.get_mut(symbol.as_str())?.bars.get_mut(&interval)?;
        Some((bars, &mut self.outputs))
    }

    /// The book of a symbol, likewise.
    pub(crate) fn book(
        &mut self,
        symbol: &Symbol,
    ) -> Option<(&mut BookDesk, &mut Vec<Output>, &mut Vec<Question>, Millis)> {
        let book = self.symbols.get_mut(symbol.as_str())?.book.as_mut()?;
        Some((book, &mut self.outputs, &mut self.questions, self.now))
    }

    /// Forgets the suspicion: a connection has stood for a while.
    pub fn calm(&mut self) {
        SWALLOWED.clone_into(&mut self.why);
    }
}
