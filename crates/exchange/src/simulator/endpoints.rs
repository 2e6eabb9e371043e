//! The endpoints: which parameters each knows, what it costs, and its answer.

use streamforge_events::{Interval, Kline, Millis};

use super::{
    exchange_info,
    fault_engine::Draws,
    market::{Calendar, Selection, TradeSelection},
    parameters::{Known, Parameters},
    refusal::Refusal,
    server::State,
    wire::{self, TimeUnit},
};

/// A thousandth of how far away the rows of a foreign page are at least.
const FOREIGN_TIME: Millis = 30 * 86_400;
const FOREIGN_IDS: i64 = 10;

/// An endpoint of `/api/v3/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Ping,
    Time,
    ExchangeInfo,
    Depth,
    Trades,
    HistoricalTrades,
    AggTrades,
    Klines,
}

/// One request, as far as its answer depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) parameters: &'a Parameters,
    pub(super) unit: TimeUnit,
    pub(super) now: Millis,
    /// Draws for the faults of its rows; none if the whole answer fails.
    pub(super) draws: Option<Draws>,
}

impl Endpoint {
    /// The endpoint at the end of a path.
    pub(super) fn parse(path: &str) -> Option<Self> {
        Some(match path.strip_prefix("/api/v3/")? {
            "ping" => Self::Ping,
            "time" => Self::Time,
            "exchangeInfo" => Self::ExchangeInfo,
            "depth" => Self::Depth,
            "trades" => Self::Trades,
            "historicalTrades" => Self::HistoricalTrades,
            "aggTrades" => Self::AggTrades,
            // What the exchange changes for charts is not documented.
            "klines" | "uiKlines" => Self::Klines,
            _ => return None,
        })
    }

    /// What a request costs, whatever becomes of it.
    pub(super) fn weight(self, parameters: &Parameters) -> u32 {
        match self {
            Self::Ping | Self::Time => 1,
            Self::ExchangeInfo => 20,
            Self::Depth => match parameters.number("limit").unwrap_or(100) {
                0..=100 => 5,
                101..=500 => 25,
                501..=1_000 => 50,
                _ => 250,
            },
            Self::Trades | Self::HistoricalTrades => 25,
            Self::AggTrades => 4,
            Self::Klines => 2,
        }
    }

    fn known(self) -> Known {
        match self {
            Self::Ping | Self::Time => (&[], &[]),
            Self::ExchangeInfo => (&[], &["symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"]),
            Self::Depth => (&["symbol"], &["limit", "symbolStatus"]),
            Self::Trades => (&["symbol"], &["limit"]),
            Self::HistoricalTrades => (&["symbol"], &["limit", "fromId"]),
            Self::AggTrades => (&["symbol"], &["fromId", "startTime", "endTime", "limit"]),
            Self::Klines => (&["symbol", "interval"], &["startTime", "endTime", "timeZone", "limit"]),
        }
    }

    /// Checks the request and answers it with JSON.
    pub(super) fn answer(self, state: &State, request: Request) -> Result<String, Refusal> {
        request.parameters.check(self.known())?;
        match self {
            Self::Ping => Ok("{}".to_owned()),
            Self::Time => {
                let time = request.unit.time(request.now);
                Ok(format!(r#"{{"serverTime":{time}}}"#))
            }
            Self::ExchangeInfo => exchange_info::answer(state, request.parameters, request.unit.time(request.now)),
            Self::Depth => depth(state, request),
            Self::Trades => trades(state, request, None),
            Self::HistoricalTrades => trades(state, request, request.parameters.number("fromId")),
            Self::AggTrades => agg_trades(state, request),
            Self::Klines => klines(state, request),
        }
    }
}

fn klines(state: &State, request: Request) -> Result<String, Refusal> {
    let parameters = request.parameters;
    let interval = parameters.interval()?;
    let symbol = symbol(state, parameters)?;
    let offset = parameters.time_zone()?;
    let mut selection = selection(parameters, parameters.limit(500, 1_000)?);
    if let Some(far) = state.faults.foreign(request.draws) {
        // A page with an end may come from before or after; a page without one cannot lie after its start.
        let shift = if selection.end.is_some() { far * FOREIGN_TIME } else { -FOREIGN_TIME };
        selection.start = selection.start.map(|start| start.saturating_add(shift));
        selection.end = selection.end.map(|end| end.saturating_add(shift));
    }
    let read = |selection| {
        let mut klines = state.market.klines(symbol, interval, offset, selection, request.now);
        state.faults.alter_klines(&mut klines, |kline| end(kline, interval, offset));
        klines
    };
    let mut klines = read(selection);
    if let Some(outage) = state.faults.faults.outage {
        // The limit counts bars that exist: what the outage took is made up for from its other side.
        let mut beyond = selection;
        match selection.start {
            Some(start) => {
                let calendar = Calendar { interval, offset, first_day: 0 };
                beyond.start = Some(calendar.align_down(outage.to()).max(start));
            }
            None => beyond.end = Some(selection.end.unwrap_or(Millis::MAX).min(outage.from() - 1)),
        }
        klines.extend(read(beyond));
        klines.sort_by_key(|kline| kline.open_time);
        klines.dedup_by_key(|kline| kline.open_time);
        let surplus = klines.len().saturating_sub(selection.limit);
        match selection.start {
            Some(_) => klines.truncate(selection.limit),
            None => drop(klines.drain(..surplus)),
        }
    }
    if state.faults.ends_open(request.draws) {
        let last = Selection { start: None, end: None, limit: 1 };
        klines.extend(state.market.klines(symbol, interval, offset, last, request.now));
    }
    let rows = klines.iter().map(|kline| wire::kline(kline, request.unit)).collect();
    let key = format!("klines {symbol} {interval}");
    Ok(wire::list(&state.faults.spoil(request.draws, &key, rows)))
}

fn agg_trades(state: &State, request: Request) -> Result<String, Refusal> {
    let parameters = request.parameters;
    let symbol = symbol(state, parameters)?;
    let limit = parameters.limit(500, 1_000)?;
    let times = selection(parameters, limit);
    let selection = match parameters.number("fromId") {
        Some(_) if times.start.is_some() || times.end.is_some() => {
            return Err(Refusal::combination());
        }
        Some(id) => {
            let shift = state.faults.foreign(request.draws).unwrap_or(0) * FOREIGN_IDS;
            TradeSelection::From(i64::try_from(id).unwrap_or(i64::MAX).saturating_add(shift).max(0))
        }
        None => TradeSelection::Times(times),
    };
    let mut trades = state.market.agg_trades(symbol, selection, limit, request.now);
    state.faults.alter_trades(&mut trades);
    let rows = trades.iter().map(|trade| wire::agg_trade(trade, request.unit)).collect();
    Ok(wire::list(&state.faults.spoil(request.draws, &format!("aggTrades {symbol}"), rows)))
}

fn trades(state: &State, request: Request, from: Option<u64>) -> Result<String, Refusal> {
    let symbol = symbol(state, request.parameters)?;
    let limit = request.parameters.limit(500, 1_000)?;
    let from = from.map(|id| i64::try_from(id).unwrap_or(i64::MAX));
    let trades = state.market.trades(symbol, from, limit, request.now);
    let rows: Vec<_> = trades.iter().map(|trade| wire::trade(trade, request.unit)).collect();
    Ok(wire::list(&rows))
}

fn depth(state: &State, request: Request) -> Result<String, Refusal> {
    let symbol = symbol(state, request.parameters)?;
    match request.parameters.get("symbolStatus") {
        None | Some("TRADING") => {}
        Some("HALT" | "BREAK") => return Err(Refusal::status_mismatch()),
        Some(_) => return Err(Refusal::invalid_symbol_status()),
    }
    let limit = request.parameters.limit(100, 5_000)?;
    Ok(state.market.book(symbol, limit, request.now))
}

fn symbol<'a>(state: &State, parameters: &'a Parameters) -> Result<&'a str, Refusal> {
    let symbol = parameters.get("symbol").unwrap_or_default();
    state.listing(symbol)?;
    state.faults.count_asked(symbol);
    Ok(symbol)
}

fn selection(parameters: &Parameters, limit: usize) -> Selection {
    Selection { start: parameters.time("startTime"), end: parameters.time("endTime"), limit }
}

/// The first instant after a bar.
fn end(kline: &Kline, interval: Interval, offset: Millis) -> Millis {
    Calendar { interval, offset, first_day: 0 }.next(kline.open_time)
}
