//! Questions to the exchange, asked a few at a time, and what their answers mean.

use std::collections::{HashSet, VecDeque};

use streamforge_events::{Kline, Millis, TimeRange, Trade};
use streamforge_exchange::{Client, Error, Page, book::Snapshot, snapshot_levels};
use tokio::task::JoinSet;

use crate::{desk::Desk, output::Question};

/// Questions that are under way at once; the client keeps them within the exchange's budget.
const AT_ONCE: usize = 4;
/// Ids of one page of trades, and bars of one of klines.
const PAGE: u64 = 1_000;

/// An answer to a question.
pub(crate) enum Answer {
    Trades { rows: Vec<Trade>, read_at: Millis },
    Bars(Page<Kline>),
    Snapshot(Snapshot),
    Proof(Option<Trade>),
}

/// What an answer brings about beside what the desk does with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    /// Something has to be asked in a while: the exchange cannot say it yet.
    Later(Question),
    /// The ids of this connection are not to be trusted: it has to be replaced.
    Distrust,
}

/// Questions that wait, and those under way.
pub(crate) struct Answers {
    client: Client,
    waiting: VecDeque<Question>,
    known: HashSet<Question>,
    asked: JoinSet<(Question, Result<Answer, Error>)>,
    /// Levels of a snapshot.
    levels: usize,
}

impl Answers {
    /// `books` is how many books there are.
    pub(crate) fn new(client: Client, books: usize) -> Self {
        let levels = snapshot_levels(books);
        Self { client, waiting: VecDeque::new(), known: HashSet::new(), asked: JoinSet::new(), levels }
    }

    /// Takes questions; those that are asked already are not asked twice.
    pub(crate) fn ask(&mut self, questions: Vec<Question>) {
        for question in questions {
            for part in parts(question) {
                if self.known.insert(part.clone()) {
                    self.waiting.push_back(part);
                }
            }
        }
        while self.asked.len() < AT_ONCE
            && let Some(question) = self.waiting.pop_front()
        {
            let (client, levels) = (self.client.clone(), self.levels);
            self.asked.spawn(async move {
                let answer = answer(&client, &question, levels).await;
                (question, answer)
            });
        }
    }

    /// The next answer; waits for ever where nothing is asked.
    pub(crate) async fn next(&mut self) -> (Question, Result<Answer, Error>) {
        loop {
            match self.asked.join_next().await {
                Some(Ok((question, answer))) => {
                    self.known.remove(&question);
                    return (question, answer);
                }
                // Nothing in it panics; a question that is lost is asked again with the next gap.
                Some(Err(error)) => tracing::error!(%error, "a question to the exchange was not answered"),
                None => std::future::pending().await,
            }
        }
    }
}

/// Hands an answer to the desk; a question that failed for now is to be asked again.
pub(crate) fn take(desk: &mut Desk, question: &Question, answer: Answer) -> Effect {
    match (question, answer) {
        (Question::Trades { symbol, from, to }, Answer::Trades { rows, read_at }) => {
            if let Some((trades, outputs, _)) = desk.trades(symbol) {
                trades.fill(*from, *to, &rows, read_at, outputs);
            }
        }
        (Question::Bars { symbol, interval, from, to }, Answer::Bars(page)) => {
            if let Some((bars, outputs)) = desk.bars(symbol, *interval)
                && let Some(later) = bars.fill((*from, *to), page.rows, page.read_at, page.complete_until, outputs)
            {
                return Effect::Later(later);
            }
        }
        (Question::Snapshot { symbol }, Answer::Snapshot(snapshot)) => {
            if let Some((book, outputs, questions, now)) = desk.book(symbol) {
                book.snapshot(&snapshot, now, outputs, questions);
            }
        }
        (Question::Proof { symbol, .. }, Answer::Proof(Some(theirs))) => {
            if let Some((trades, outputs, now)) = desk.trades(symbol)
                && let Some(from) = trades.prove(&theirs)
            {
                trades.distrust(from, now, outputs);
                return Effect::Distrust;
            }
        }
        _ => {}
    }
    Effect::Nothing
}

/// A long gap as questions of one page each.
fn parts(question: Question) -> Vec<Question> {
    match question {
        Question::Trades { symbol, from, to } => {
            let starts =
                std::iter::successors(Some(from), |start| start.checked_add(PAGE)).take_while(|start| *start <= to);
            let part = |from: u64| Question::Trades { symbol: symbol.clone(), from, to: to.min(from + PAGE - 1) };
            // A gap that no history could fill is not asked for to its end.
            starts.take(100_000).map(part).collect()
        }
        other => vec![other],
    }
}

async fn answer(client: &Client, question: &Question, levels: usize) -> Result<Answer, Error> {
    match question {
        Question::Trades { symbol, from, to } => {
            let first = i64::try_from(*from).unwrap_or(i64::MAX);
            let count = u32::try_from(to - from + 1).unwrap_or(u32::MAX);
            let page = client.agg_trades(symbol, first, count).await?;
            Ok(Answer::Trades { rows: page.rows, read_at: page.read_at })
        }
        Question::Bars { symbol, interval, from, to } => {
            let most = interval.advance(*from, u32::try_from(PAGE).unwrap_or(u32::MAX));
            let range = TimeRange::new(*from, (*to).min(most))
                .map_err(|error| Error::Source { place: format!("bars of {symbol}"), reason: error.to_string() })?;
            Ok(Answer::Bars(client.klines_window(symbol, *interval, range).await?))
        }
        Question::Snapshot { symbol } => Ok(Answer::Snapshot(client.depth(symbol, levels).await?)),
        Question::Proof { symbol, id } => {
            let page = client.agg_trades(symbol, i64::try_from(*id).unwrap_or(i64::MAX), 1).await?;
            Ok(Answer::Proof(page.rows.into_iter().next()))
        }
    }
}
