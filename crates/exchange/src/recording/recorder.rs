//! The loop that records: frames of a feed, snapshots where books need one, and marks.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    time::Duration,
};

use streamforge_events::{StreamKind, Symbol};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    Mark, Rotation,
    chain::{Chain, Step},
    files::Files,
    names,
};
use crate::{
    Client, Error,
    client::Answered,
    continuity::{Arrival, Continuity},
    frame::{Frame, Reader},
    stream::{self, Feed, FeedConfig, FeedEvent, MOST_STREAMS},
};

/// How often what came is appended to the files.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// A snapshot that failed, or did not reach behind the break, is asked for again after so long.
const AGAIN: Duration = Duration::from_secs(1);
/// Snapshots that are asked for at once.
const AT_ONCE: usize = 4;

/// What is to be recorded, and with what.
#[derive(Debug)]
pub struct Recorder {
    client: Client,
    feed: FeedConfig,
    streams: HashMap<String, Recorded>,
    levels: usize,
    files: Files,
    summary: Summary,
    reader: Reader,
    /// Books that wait for a snapshot, and since when they may be asked for.
    wanted: Vec<(Instant, Symbol)>,
}

/// What a recording came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Frames by stream; a stream that never said anything has none.
    pub frames: BTreeMap<String, u64>,
    /// What came and is no frame of these streams.
    pub foreign: u64,
    /// Breaks of ids, of trades and of books.
    pub gaps: u64,
    /// How often there was no connection any more.
    pub interruptions: u64,
    /// Frames that were dropped because they came too fast.
    pub dropped: u64,
    /// Snapshots of books.
    pub snapshots: u64,
    /// Bytes that were written, packed.
    pub bytes: u64,
    /// Files that were begun.
    pub files: u64,
}

/// A stream, and what its ids say.
#[derive(Debug)]
struct Recorded {
    symbol: Symbol,
    ids: Ids,
}

#[derive(Debug)]
enum Ids {
    Trades(Continuity),
    Book(Chain),
    None,
}

impl Recorder {
    /// Prepares to record streams of these symbols into a folder, which is new, empty, or holds an earlier recording.
    ///
    /// `exchange` is the URL that `client` asks.
    ///
    /// # Errors
    /// [`Error::Configuration`] for no streams or too many, [`Error::Refused`] naming the symbols that the exchange does
    /// not know, [`Error::Folder`] or [`Error::Write`] for a folder that cannot be written.
    pub async fn new(
        client: Client,
        exchange: &str,
        symbols: &[Symbol],
        kinds: &[StreamKind],
        folder: &Path,
        rotation: Rotation,
    ) -> Result<Self, Error> {
        let mut streams = HashMap::new();
        for symbol in symbols {
            for kind in kinds {
                let ids = match kind {
                    StreamKind::Trades => Ids::Trades(Continuity::default()),
                    StreamKind::OrderBook => Ids::Book(Chain::default()),
                    StreamKind::Klines(_) => Ids::None,
                };
                streams.insert(stream::name(symbol, *kind), Recorded { symbol: symbol.clone(), ids });
            }
        }
        if streams.is_empty() || streams.len() > MOST_STREAMS {
            let reason = format!("{} streams are to be recorded; from 1 to {MOST_STREAMS} are possible", streams.len());
            return Err(Error::Configuration { base_url: exchange.to_owned(), reason });
        }
        let info = client.exchange_info_as_it_came(symbols).await?;
        let mut files = Files::open(folder, rotation)?;
        let mut names: Vec<String> = streams.keys().cloned().collect();
        names.sort();
        let begun = Mark::Begun { exchange: exchange.to_owned(), streams: names.clone() };
        files.add(names::OF_ALL, stream::wall(), "", &begun.frame())?;
        let head = format!("{} -> ", info.url);
        files.add(names::OF_ALL, stream::wall(), &head, &in_one_line(&info.text))?;
        files.flush()?;
        let books = streams.values().filter(|recorded| matches!(recorded.ids, Ids::Book(_))).count();
        let frames = names.iter().map(|name| (name.clone(), 0)).collect();
        Ok(Self {
            client,
            feed: FeedConfig::new(stream::stream_url(exchange), names),
            streams,
            levels: crate::client::snapshot_levels(books),
            files,
            summary: Summary { frames, ..Summary::default() },
            reader: Reader::default(),
            wanted: Vec::new(),
        })
    }

    /// Records until `stop` is ready.
    ///
    /// # Errors
    /// [`Error::Write`] for a disk that is full; what was written before stays.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<Summary, Error> {
        let mut feed = Feed::start(self.feed.clone());
        let mut asked: JoinSet<(Symbol, Result<Answered<u64>, Error>)> = JoinSet::new();
        let mut flushes = interval(FLUSH_EVERY);
        flushes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(stop);
        loop {
            let now = Instant::now();
            while asked.len() < AT_ONCE
                && let Some(place) = self.wanted.iter().position(|(due, _)| *due <= now)
            {
                let (_, symbol) = self.wanted.swap_remove(place);
                let (client, levels) = (self.client.clone(), self.levels);
                asked.spawn(async move {
                    let answer = client.depth_as_it_came(&symbol, levels).await;
                    (symbol, answer)
                });
            }
            let next = self.wanted.iter().map(|(due, _)| *due).min().filter(|_| asked.len() < AT_ONCE);
            tokio::select! {
                () = &mut stop => break,
                Some(event) = feed.next() => self.note(event)?,
                Some(answered) = asked.join_next() => match answered {
                    Ok((symbol, answer)) => self.answered(symbol, answer)?,
                    Err(error) => tracing::error!(%error, "a snapshot was not answered"),
                },
                () = sleep_until(next.unwrap_or(now)), if next.is_some() => {}
                _ = flushes.tick() => self.files.flush()?,
            }
        }
        self.mark(&Mark::Ended)?;
        self.files.close()?;
        Ok(Summary { bytes: self.files.bytes, files: self.files.count, ..self.summary })
    }

    fn note(&mut self, event: FeedEvent) -> Result<(), Error> {
        match event {
            FeedEvent::Frame { receipt, text } => self.frame(receipt.wall, &text),
            FeedEvent::Connected => self.mark(&Mark::Connected),
            FeedEvent::Disconnected { reason } => {
                tracing::warn!(reason, "the recording is interrupted");
                self.summary.interruptions += 1;
                self.mark(&Mark::Interrupted { reason })
            }
            FeedEvent::Overrun { frames } => {
                tracing::warn!(frames, "frames were dropped: the disk or the processor is too slow");
                self.summary.dropped += frames;
                self.mark(&Mark::Overrun { frames })
            }
            FeedEvent::Silent { stream, .. } => {
                tracing::warn!(stream, "a stream is silent");
                self.mark(&Mark::Silent { stream })
            }
            // Who records a recording has all of it now.
            FeedEvent::Over => Ok(()),
        }
    }

    fn frame(&mut self, received: i64, text: &str) -> Result<(), Error> {
        let name = stream::stream_name(text).filter(|_| !text.contains('\n'));
        let Some((name, recorded)) = name.and_then(|name| Some((name, self.streams.get_mut(name)?))) else {
            return self.foreign(received, text);
        };
        let Ok(read) = self.reader.read(text, None) else {
            return self.foreign(received, text);
        };
        let missing = match (&mut recorded.ids, read) {
            (Ids::Trades(ids), Frame::AggTrade { trade, .. }) => match ids.arrive(trade.id) {
                Arrival::After(gap) => Some((gap.from, gap.to)),
                _ => None,
            },
            (Ids::Book(chain), Frame::Depth { difference, .. }) => {
                let step = chain.difference(difference.first, difference.last);
                self.reader.reuse(difference);
                if step != Step::Nothing {
                    self.wanted.push((Instant::now(), recorded.symbol.clone()));
                }
                if let Step::Broken { from, to } = step { Some((from, to)) } else { None }
            }
            _ => None,
        };
        self.files.add(&recorded.symbol.to_lower(), received, "", text)?;
        if let Some(count) = self.summary.frames.get_mut(name) {
            *count += 1;
        }
        if let Some((from, to)) = missing {
            self.summary.gaps += 1;
            self.mark(&Mark::Missing { stream: name.to_owned(), from, to })?;
        }
        Ok(())
    }

    fn foreign(&mut self, received: i64, text: &str) -> Result<(), Error> {
        self.summary.foreign += 1;
        self.files.add(names::OF_ALL, received, "", &Mark::Foreign { text: text.to_owned() }.frame())
    }

    fn answered(&mut self, symbol: Symbol, answer: Result<Answered<u64>, Error>) -> Result<(), Error> {
        match answer {
            Ok(snapshot) => {
                self.summary.snapshots += 1;
                self.files.add(&symbol.to_lower(), stream::wall(), "", &in_one_line(&snapshot.text))?;
                let recorded = self.streams.get(&stream::name(&symbol, StreamKind::OrderBook));
                let fits = recorded.is_none_or(|recorded| match &recorded.ids {
                    Ids::Book(chain) => chain.takes(snapshot.value),
                    Ids::Trades(_) | Ids::None => true,
                });
                if fits {
                    return Ok(());
                }
            }
            Err(error) => tracing::warn!(%error, "a snapshot is asked for again"),
        }
        self.wanted.push((Instant::now() + AGAIN, symbol));
        Ok(())
    }

    fn mark(&mut self, mark: &Mark) -> Result<(), Error> {
        self.files.add(names::OF_ALL, stream::wall(), "", &mark.frame())
    }
}

/// Between the values of JSON, a line break is as good as a space; inside of texts there is none.
fn in_one_line(json: &str) -> String {
    json.replace(['\n', '\r'], " ")
}
