//! What was published, put together as any reader of the topic would, and held against a calm exchange.

use std::collections::{BTreeMap, BTreeSet};

use loader_ws::{Checkpoint, Parcel};
use streamforge_events::{
    DepthBatch, Event, EventType, FeedInterrupted, GapState, Interval, Kline, KlineBatch, Symbol, TimeRange, Trade,
    TradeBatch, data, event_type,
};
use streamforge_exchange::{book::Side, simulator::Clock};

use crate::exchange::{NOW, client, start};

/// All that was published, as a store would hold it.
#[derive(Default)]
pub(crate) struct Published {
    pub(crate) trades: BTreeMap<(Symbol, i64), (i64, Trade)>,
    pub(crate) bars: BTreeMap<(Symbol, i64), (i64, Kline)>,
    /// Books by symbol: last update, bids and asks by price.
    pub(crate) books: BTreeMap<Symbol, (u64, [BTreeMap<String, String>; 2])>,
    pub(crate) gaps: Vec<FeedInterrupted>,
    pub(crate) filled: usize,
    pub(crate) ids: BTreeSet<String>,
    pub(crate) checkpoint: Checkpoint,
}

impl Published {
    pub(crate) fn take(&mut self, parcel: Parcel) {
        for event in parcel.events {
            self.event(&event);
        }
        self.checkpoint = parcel.checkpoint;
    }

    pub(crate) fn event(&mut self, event: &Event) {
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

    pub(crate) fn open(&self) -> Vec<&FeedInterrupted> {
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
    pub(crate) async fn are_trades_complete(&self, symbols: &[&str]) {
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

    pub(crate) async fn are_bars_complete(&self, symbols: &[&str]) {
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
    pub(crate) async fn are_books_right(&self, symbols: &[&str]) {
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
