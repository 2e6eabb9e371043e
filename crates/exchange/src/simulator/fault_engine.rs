//! Imitates the chosen failures, request by request, from the seed alone.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use streamforge_events::{Decimal, Kline, Millis};

use super::{
    absurd,
    faults::Faults,
    market::AggTrade,
    synthetic::hash::{mix, unit},
};

/// Further answers that fail after the first of a burst.
const BURST: u64 = 2;

/// Purposes of draws, so that none is used twice.
const ERROR: u64 = 1;
const HTML: u64 = 2;
const CUT: u64 = 3;
const SLOW: u64 = 4;
const EMPTY: u64 = 5;
const REPEATED: u64 = 6;
const SHORT: u64 = 7;
const SHUFFLED: u64 = 8;
const LENGTH: u64 = 9;
const KIND: u64 = 10;
const RESTATED: u64 = 11;
const POISONED: u64 = 12;
const REFUSED: u64 = 13;
const BANNED: u64 = 14;
const HUGE: u64 = 15;
const DUPLICATED: u64 = 16;
const FOREIGN: u64 = 17;
const ABSURD: u64 = 18;
const OPEN: u64 = 19;

/// The faults, and what they have to remember.
#[derive(Debug)]
pub(super) struct FaultEngine {
    pub(super) faults: Faults,
    requests: AtomicU64,
    connections: AtomicU64,
    /// Failures of streams that are left.
    pub(super) stream_failures: Arc<AtomicU64>,
    burst: AtomicU64,
    pages: Mutex<HashMap<String, Page>>,
    /// Requests for symbols that are going to vanish.
    asked: Mutex<HashMap<String, u64>>,
}

#[derive(Debug, Default)]
struct Page {
    rows: Vec<String>,
    was_replaced: bool,
}

/// A failure of a whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Html { status: u16 },
    Code { status: u16, code: i64, message: &'static str },
    Cut,
    Huge,
    Slow,
}

/// A refusal of a request that would have been within the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Penalty {
    /// HTTP 429.
    Refused,
    /// HTTP 418.
    Banned,
}

/// Draws for one request: the same request number and seed give the same ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draws(u64);

impl Draws {
    fn meets(self, purpose: u64, share: f64) -> bool {
        share > 0.0 && unit(mix(self.0, purpose)) < share
    }
}

impl FaultEngine {
    pub(super) fn new(faults: Faults) -> Self {
        Self {
            stream_failures: Arc::new(AtomicU64::new(faults.ws_most.unwrap_or(u64::MAX))),
            faults,
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            burst: AtomicU64::new(0),
            pages: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    /// Number of a new connection for streams.
    pub(super) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Relaxed)
    }

    pub(super) fn draws(&self) -> Draws {
        Draws(mix(self.faults.seed, self.requests.fetch_add(1, Relaxed)))
    }

    /// The refusal that the request meets though its weight is within the limit, if any.
    pub(super) fn penalty(&self, draws: Draws) -> Option<Penalty> {
        let refused = draws.meets(REFUSED, self.faults.refuse).then_some(Penalty::Refused);
        refused.or_else(|| draws.meets(BANNED, self.faults.ban).then_some(Penalty::Banned))
    }

    /// Whether a symbol has not vanished yet.
    pub(super) fn is_listed(&self, symbol: &str) -> bool {
        let Some(vanishing) = self.faults.vanish.iter().find(|vanishing| vanishing.symbol == symbol) else {
            return true;
        };
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get(symbol).copied().unwrap_or_default() < vanishing.after
    }

    /// Counts a request for the rows of a symbol that is listed.
    pub(super) fn count_asked(&self, symbol: &str) {
        if !self.faults.vanish.is_empty() {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            *asked.entry(symbol.to_owned()).or_default() += 1;
        }
    }

    /// How far away the rows lie that are served instead, if so, in thousandths: before or after, from 1 to 4 whole.
    pub(super) fn foreign(&self, draws: Option<Draws>) -> Option<i64> {
        let draws = draws.filter(|draws| draws.meets(FOREIGN, self.faults.foreign))?;
        let far = i64::try_from(mix(draws.0, KIND) % 6_000).unwrap_or(0) - 3_000;
        Some(if far < 0 { far - 1_000 } else { far + 1_000 })
    }

    /// Whether the bar of now ends the page.
    pub(super) fn ends_open(&self, draws: Option<Draws>) -> bool {
        draws.is_some_and(|draws| draws.meets(OPEN, self.faults.open))
    }

    /// The failure that the whole answer meets, if any.
    pub(super) fn failure(&self, draws: Draws) -> Option<Failure> {
        let faults = &self.faults;
        let choose = |count: u64| mix(draws.0, KIND) % count;
        let in_burst = self.burst.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        if in_burst || draws.meets(ERROR, faults.error) {
            if !in_burst {
                self.burst.store(BURST, Relaxed);
            }
            let (status, code, message) = match choose(4) {
                0 => (500, -1000, "An unknown error occurred while processing the request."),
                1 => (502, -1001, "Internal error; unable to process your request. Please try again."),
                2 => (504, -1007, "Timeout waiting for response from backend server."),
                _ => (
                    503,
                    -1008,
                    "Server is currently overloaded with other requests. Please try again in a few minutes.",
                ),
            };
            return Some(Failure::Code { status, code, message });
        }
        if draws.meets(HTML, faults.html) {
            let status = [200, 403, 404, 502][usize::try_from(choose(4)).unwrap_or(0)];
            return Some(Failure::Html { status });
        }
        if draws.meets(CUT, faults.cut) {
            return Some(Failure::Cut);
        }
        if draws.meets(HUGE, faults.huge) {
            return Some(Failure::Huge);
        }
        draws.meets(SLOW, faults.slow).then_some(Failure::Slow)
    }

    /// Spoils a page of the series `key`.
    pub(super) fn spoil(&self, draws: Option<Draws>, key: &str, mut rows: Vec<String>) -> Vec<String> {
        let Some(draws) = draws else { return rows };
        let faults = &self.faults;
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let page = pages.entry(key.to_owned()).or_default();
        if faults.stuck {
            if page.rows.is_empty() {
                page.rows = rows;
            }
            return page.rows.clone();
        }
        if !page.was_replaced && draws.meets(EMPTY, faults.empty) {
            page.was_replaced = true;
            return Vec::new();
        }
        if !page.was_replaced && draws.meets(REPEATED, faults.repeat) {
            page.was_replaced = true;
            return page.rows.clone();
        }
        page.was_replaced = false;
        if faults.repeat > 0.0 {
            page.rows.clone_from(&rows);
        }
        if rows.len() > 1 && draws.meets(SHORT, faults.short) {
            let kept = mix(draws.0, LENGTH) % (rows.len() as u64 - 1) + 1;
            rows.truncate(usize::try_from(kept).unwrap_or(1));
        }
        if draws.meets(DUPLICATED, faults.duplicate) {
            rows = rows.iter().flat_map(|row| [row.clone(), row.clone()]).collect();
        }
        if draws.meets(SHUFFLED, faults.shuffle) {
            rows.reverse();
        }
        if draws.meets(ABSURD, faults.absurd) {
            absurd::spoil(&mut rows, mix(draws.0, KIND));
        }
        rows
    }

    /// Cuts out the outage and restates bars.
    pub(super) fn alter_klines(&self, klines: &mut Vec<Kline>, ends: impl Fn(&Kline) -> Millis) {
        if let Some(outage) = self.faults.outage {
            klines.retain(|kline| kline.open_time < outage.from() || ends(kline) > outage.to());
            for kline in klines.iter_mut() {
                if kline.open_time < outage.from() && outage.from() < ends(kline) && ends(kline) <= outage.to() {
                    kline.close_time = outage.from();
                }
            }
        }
        if self.faults.restate > 0.0 {
            for kline in klines.iter_mut() {
                if unit(mix(mix(self.faults.seed, RESTATED), kline.open_time.unsigned_abs())) < self.faults.restate {
                    restate(kline);
                }
            }
        }
    }

    /// Poisons aggregate trades.
    pub(super) fn alter_trades(&self, trades: &mut [AggTrade]) {
        for trade in trades.iter_mut() {
            let meets = unit(mix(mix(self.faults.seed, POISONED), trade.id.unsigned_abs())) < self.faults.poison;
            if self.faults.poison > 0.0 && meets {
                (trade.price, trade.quantity) = (Decimal::ZERO, Decimal::ZERO);
                (trade.first_id, trade.last_id) = (-1, -1);
            }
        }
    }
}

/// Adds a hundredth, as the exchange added trades to days of 2021; open, high, low and close stay.
fn restate(kline: &mut Kline) {
    for amount in [
        &mut kline.volume,
        &mut kline.quote_asset_volume,
        &mut kline.taker_buy_base_asset_volume,
        &mut kline.taker_buy_quote_asset_volume,
    ] {
        let more = amount.mantissa() + amount.mantissa() / 100;
        *amount = Decimal::from_parts(more, amount.scale()).unwrap_or(*amount);
    }
    kline.number_of_trades += kline.number_of_trades / 100 + 1;
}
