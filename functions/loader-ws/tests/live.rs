//! The loader against a market with failures: what it publishes is what the exchange has, and each gap is told of.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use loader_ws::{Assignment, Checkpoint, Kind, Listening, Parcel};
use streamforge_events::{
    DepthBatch, Event, EventType, FeedInterrupted, GapState, Interval, Kline, KlineBatch, Symbol, TimeRange, Trade,
    TradeBatch, data, event_type,
};
use streamforge_exchange::{
    Client, ClientConfig,
    book::Side,
    simulator::{Clock, Counters, SimulatorConfig, Source, serve},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

/// 2024-06-01T12:07:30Z.
const NOW: i64 = 1_717_243_650_000;
const MARKET: &str = "synthetic:42,symbols=40,pace=5";
const SPEED: f64 = 20.0;
const PATIENCE: Duration = Duration::from_mins(4);

struct Server {
    url: String,
    counters: Arc<Counters>,
    _stop: oneshot::Sender<()>,
}

async fn start(clock: Clock, faults: &str) -> Server {
    let mut config = SimulatorConfig::new(Source::parse(MARKET).unwrap());
    config.clock = clock;
    config.weight_limit = None;
    config.faults = faults.parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let counters = Arc::clone(&config.counters);
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve(listener, config, async move {
        let _ = stopped.await;
    }));
    Server { url, counters, _stop: stop }
}

fn client(server: &Server) -> Client {
    let mut config = ClientConfig::new(&server.url);
    config.backoff = Duration::from_millis(10);
    config.clock_trust = Duration::ZERO;
    Client::new(config).unwrap()
}

fn assignment(symbols: &[&str], kinds: &[Kind]) -> Assignment {
    Assignment { symbols: symbols.iter().map(|symbol| symbol.parse().unwrap()).collect(), kinds: kinds.to_vec() }
}

fn listening(server: &Server, assignment: Assignment, checkpoint: Checkpoint) -> Listening {
    let url = server.url.replacen("http", "ws", 1);
    let mut listening = Listening::new(client(server), &url, assignment, checkpoint);
    listening.feed.shortest_pause = Duration::from_millis(10);
    listening.feed.longest_pause = Duration::from_millis(200);
    listening.feed.silence = Duration::from_secs(2);
    listening.feed.read_timeout = Duration::from_secs(3);
    listening.audit_round = Duration::from_secs(1);
    listening
}

/// All that was published, as a store would hold it.
#[derive(Default)]
struct Published {
    trades: BTreeMap<(Symbol, i64), (i64, Trade)>,
    bars: BTreeMap<(Symbol, i64), (i64, Kline)>,
    /// Books by symbol: last update, bids and asks by price.
    books: BTreeMap<Symbol, (u64, [BTreeMap<String, String>; 2])>,
    gaps: Vec<FeedInterrupted>,
    filled: usize,
    ids: BTreeSet<String>,
    checkpoint: Checkpoint,
}

impl Published {
    fn take(&mut self, parcel: Parcel) {
        for event in parcel.events {
            self.event(&event);
        }
        self.checkpoint = parcel.checkpoint;
    }

    fn event(&mut self, event: &Event) {
        use streamforge_events::AttributesReader as _;
        self.filled += usize::from(event.extension("filled").is_some());
        self.ids.insert(event.id().to_owned());
        match event_type(event).unwrap() {
            EventType::TradesLoaded => {
                let batch: TradeBatch = data(event).unwrap();
                assert!(batch.clocks.is_empty() || batch.clocks.len() == batch.rows.len());
                for row in batch.rows {
                    let held = self.trades.entry((batch.symbol.clone(), row.trade_id)).or_insert((0, row.clone()));
                    if batch.read_at >= held.0 {
                        *held = (batch.read_at, row);
                    }
                }
            }
            EventType::KlinesLoaded => {
                let batch: KlineBatch = data(event).unwrap();
                for row in batch.rows {
                    self.bars.insert((batch.symbol.clone(), row.open_time), (batch.read_at, row));
                }
            }
            EventType::DepthUpdated => self.depth(data(event).unwrap()),
            EventType::FeedInterrupted => self.gaps.push(data(event).unwrap()),
            other => panic!("{other}"),
        }
    }

    /// Keeps a book by the differences alone, as any reader of the topic would.
    fn depth(&mut self, batch: DepthBatch) {
        let key = |price: &str| format!("{price:0>24}");
        if let Some(snapshot) = batch.snapshot {
            let side = |levels: Vec<_>| -> BTreeMap<String, String> {
                let text = |(price, quantity): (streamforge_events::Decimal, streamforge_events::Decimal)| {
                    (key(&price.to_string()), quantity.to_string())
                };
                levels.into_iter().map(text).collect()
            };
            let book = (snapshot.last_update_id, [side(snapshot.bids), side(snapshot.asks)]);
            self.books.insert(batch.symbol.clone(), book);
        }
        let book = self.books.get_mut(&batch.symbol).expect("a snapshot comes first");
        for update in batch.updates {
            assert!(
                update.first <= book.0 + 1 && update.last > book.0,
                "{} {} after {}",
                update.first,
                update.last,
                book.0
            );
            for (side, levels) in [(0, update.bids), (1, update.asks)] {
                for (price, quantity) in levels {
                    let price = key(&price.to_string());
                    if quantity.is_zero() {
                        book.1[side].remove(&price);
                    } else {
                        book.1[side].insert(price, quantity.to_string());
                    }
                }
            }
            book.0 = update.last;
        }
    }

    fn open(&self) -> Vec<&FeedInterrupted> {
        // A later process may close it as a part of a longer one, and a long one is closed in parts.
        let is_closed = |gap: &FeedInterrupted, number: u64| {
            self.gaps.iter().any(|other| {
                other.state != GapState::Open
                    && (&other.symbol, &other.stream) == (&gap.symbol, &gap.stream)
                    && (other.from..=other.to).contains(&number)
            })
        };
        let is_closed = |gap: &FeedInterrupted| is_closed(gap, gap.from) && is_closed(gap, gap.to);
        self.gaps.iter().filter(|gap| gap.state == GapState::Open && gap.to > 0 && !is_closed(gap)).collect()
    }

    /// Compares all trades between the first and the last one with a calm exchange's.
    async fn are_trades_complete(&self, symbols: &[&str]) {
        let calm = start(Clock::Frozen(NOW + 86_400_000), "").await;
        let client = client(&calm);
        for symbol in symbols {
            let symbol: Symbol = symbol.parse().unwrap();
            let own: Vec<&Trade> =
                self.trades.iter().filter(|((other, _), _)| *other == symbol).map(|(_, (_, row))| row).collect();
            let (first, last) = (own[0].trade_id, own[own.len() - 1].trade_id);
            let (mut truth, mut next) = (Vec::new(), first);
            while next <= last {
                let page = client.agg_trades(&symbol, next, 1_000).await.unwrap();
                next = page.next_id;
                truth.extend(page.rows);
            }
            truth.retain(|row| row.trade_id <= last);
            let held: BTreeSet<i64> = own.iter().map(|row| row.trade_id).collect();
            let lacks: Vec<i64> = truth.iter().map(|row| row.trade_id).filter(|id| !held.contains(id)).collect();
            let gaps: Vec<_> = self.gaps.iter().filter(|gap| gap.symbol == symbol && gap.stream == "trades").collect();
            assert!(lacks.is_empty(), "{symbol} lacks {lacks:?}: {gaps:#?}");
            for (own, truth) in own.into_iter().zip(&truth) {
                assert_eq!(own, truth, "{symbol}");
            }
        }
    }

    async fn are_bars_complete(&self, symbols: &[&str]) {
        let calm = start(Clock::Frozen(NOW + 86_400_000), "").await;
        let client = client(&calm);
        for symbol in symbols {
            let symbol: Symbol = symbol.parse().unwrap();
            let own: Vec<&Kline> =
                self.bars.iter().filter(|((other, _), _)| *other == symbol).map(|(_, (_, row))| row).collect();
            let range = TimeRange::new(own[0].open_time, own[own.len() - 1].open_time + 1).unwrap();
            let truth = client.klines_window(&symbol, Interval::M1, range).await.unwrap().rows;
            assert!(own.into_iter().eq(&truth), "{symbol}");
        }
    }

    /// Compares the best levels with the exchange's book after the same update.
    async fn are_books_right(&self, symbols: &[&str]) {
        for symbol in symbols {
            let symbol: Symbol = symbol.parse().unwrap();
            let (last, [bids, asks]) = &self.books[&symbol];
            let calm = start(Clock::Frozen(i64::try_from(*last).unwrap() * 100), "").await;
            let truth = client(&calm).depth(&symbol, 50).await.unwrap();
            assert_eq!(truth.last_update_id, *last);
            let text = |level: &streamforge_exchange::book::Level| {
                (format!("{:0>24}", level.price.decimal().to_string()), level.quantity.to_string())
            };
            let own = |levels: Vec<(&String, &String)>| -> Vec<(String, String)> {
                levels.into_iter().take(50).map(|(price, quantity)| (price.clone(), quantity.clone())).collect()
            };
            assert_eq!(
                own(bids.iter().rev().collect()),
                truth.bids.iter().map(text).collect::<Vec<_>>(),
                "{symbol} {:?}",
                Side::Bid
            );
            assert_eq!(own(asks.iter().collect()), truth.asks.iter().map(text).collect::<Vec<_>>(), "{symbol}");
        }
    }
}

/// Listens until `is_enough`, then as long as a gap is open.
async fn listen(
    server: &Server,
    assignment: &Assignment,
    published: &mut Published,
    mut is_enough: impl FnMut(&Published) -> bool,
    mends: bool,
) {
    let listening = listening(server, assignment.clone(), published.checkpoint.clone());
    let (sender, mut parcels) = mpsc::channel(4);
    let task = tokio::spawn(listening.run(sender));
    let begun = Instant::now();
    while !is_enough(published) || mends && !published.open().is_empty() {
        assert!(begun.elapsed() < PATIENCE, "{} gaps, open {:?}", published.gaps.len(), published.open());
        let parcel = timeout(PATIENCE, parcels.recv()).await.unwrap().unwrap();
        published.take(parcel);
    }
    task.abort();
    let _ = task.await;
}

const SYMBOLS: [&str; 4] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "X35USDT"];
const KINDS: [Kind; 3] = [Kind::Trades, Kind::Klines(Interval::M1), Kind::Depth];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calm_market_has_no_gaps() {
    let server = start(Clock::StartingAt(NOW, SPEED), "").await;
    let mut published = Published::default();
    let enough = |published: &Published| published.bars.len() > 20 && published.books.len() == SYMBOLS.len();
    listen(&server, &assignment(&SYMBOLS, &KINDS), &mut published, enough, true).await;
    assert_eq!(published.gaps, []);
    published.are_trades_complete(&SYMBOLS).await;
    published.are_bars_complete(&SYMBOLS).await;
    published.are_books_right(&SYMBOLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_told_and_mended() {
    let faults = "ws-drop:0.002,ws-repeat:0.002,ws-swap:0.002,ws-cut:0.0005,ws-half:0.0003,ws-close:0.0003,\
                  ws-garbage:0.001,ws-burst:0.0002,ws-silence:0.0001,ws-html:0.2,short:0.1,error:0.05,ws-most:80,seed:3";
    let server = start(Clock::StartingAt(NOW, SPEED), faults).await;
    let mut published = Published::default();
    let counters = Arc::clone(&server.counters);
    let enough = |published: &Published| {
        counters.faults() >= 80 && published.bars.len() > 30 && published.books.len() == SYMBOLS.len()
    };
    listen(&server, &assignment(&SYMBOLS, &KINDS), &mut published, enough, true).await;
    assert!(published.gaps.len() > 10 && published.filled > 0, "{} {}", published.gaps.len(), published.filled);
    assert!(published.gaps.iter().all(|gap| !gap.why.is_empty()));
    published.are_trades_complete(&SYMBOLS).await;
    published.are_bars_complete(&SYMBOLS).await;
    published.are_books_right(&SYMBOLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_after_a_kill_goes_on_where_it_was() {
    let server = start(Clock::StartingAt(NOW, SPEED), "ws-drop:0.002,ws-cut:0.0005,ws-most:60").await;
    let mut published = Published::default();
    let assignment = assignment(&SYMBOLS, &KINDS);
    for life in 1..=5 {
        let (trades, bars) = (published.trades.len(), published.bars.len());
        let enough = |published: &Published| published.trades.len() > trades + 100 && published.bars.len() >= bars + 6;
        // In the middle of whatever it does, but for the last one.
        listen(&server, &assignment, &mut published, enough, life == 5).await;
    }
    published.are_trades_complete(&SYMBOLS).await;
    published.are_bars_complete(&SYMBOLS).await;
    published.are_books_right(&SYMBOLS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn losses_that_no_id_shows_are_found() {
    let server = start(Clock::StartingAt(NOW, SPEED), "ws-forge:0.003").await;
    let mut published = Published::default();
    let found = |published: &Published, stream: &str| {
        published.gaps.iter().any(|gap| gap.stream == stream && gap.why.contains("swallowed"))
    };
    let enough = |published: &Published| found(published, "trades") && found(published, "depth");
    listen(&server, &assignment(&SYMBOLS, &KINDS), &mut published, enough, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_does_not_exist_is_told_of() {
    let server = start(Clock::StartingAt(NOW, SPEED), "").await;
    let mut published = Published::default();
    let is_told = |published: &Published| published.gaps.iter().any(|gap| gap.why.contains("may not exist"));
    let assignment = assignment(&["BTCUSDT", "NOBODYUSDT"], &[Kind::Trades]);
    listen(&server, &assignment, &mut published, is_told, false).await;
    assert!(!published.trades.is_empty());
}
