//! What the exchange trades, and how much it lets a client ask.

use serde::Deserialize;
use streamforge_events::{Millis, Symbol};

use super::{
    Answered, Client, encoded,
    request::{Call, LARGEST_ANSWER},
    rows::{self, Flaw},
    sound,
};
use crate::Error;

/// The exchange's code for a symbol that it does not know.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/errors#-1121-bad_symbol>
const UNKNOWN_SYMBOL: i64 = -1121;

/// Answer of `exchangeInfo`, as far as loading needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExchangeInfo {
    /// The exchange's time.
    pub server_time: Millis,
    /// Request weight allowed for each minute and address, if the exchange says so.
    pub weight_limit: Option<u32>,
    /// The symbols asked for, or all.
    pub symbols: Vec<SymbolInfo>,
}

/// A traded pair.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SymbolInfo {
    /// Name of the pair.
    pub symbol: Symbol,
    /// `TRADING`, `END_OF_DAY`, `HALT`, `BREAK` (also of a delisted symbol) or `CANCEL_ONLY`.
    pub status: String,
    /// What is bought and sold.
    pub base_asset: String,
    /// What it is paid with.
    pub quote_asset: String,
    /// Digits behind the point of base volumes; not 8 for all.
    pub base_asset_precision: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawInfo {
    server_time: i64,
    #[serde(default)]
    rate_limits: Vec<RateLimit>,
    symbols: Vec<SymbolInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RateLimit {
    #[serde(rename = "rateLimitType")]
    kind: String,
    interval: String,
    interval_num: u32,
    limit: u32,
}

impl Client {
    /// Reads `exchangeInfo` of `symbols`, or of all for an empty list, and obeys the limits found there from now on.
    ///
    /// # Errors
    /// [`Error::Refused`] with code -1121 if one of the symbols is unknown, or any other [`Error`] of a request.
    pub async fn exchange_info(&self, symbols: &[Symbol]) -> Result<ExchangeInfo, Error> {
        let call = info_call(symbols);
        let raw: RawInfo = self.get(&call, read).await?;
        let weight_limit = raw.rate_limits.iter().find_map(|limit| {
            let minute = limit.interval == "MINUTE" && limit.interval_num == 1;
            (limit.kind == "REQUEST_WEIGHT" && minute).then_some(limit.limit)
        });
        if let Some(limit) = weight_limit {
            self.shared.gate.set_limit(limit);
        }
        Ok(ExchangeInfo { server_time: rows::millis(raw.server_time), weight_limit, symbols: raw.symbols })
    }

    /// Reads the same as it came, and names the symbols that the exchange does not know.
    ///
    /// # Errors
    /// [`Error::Refused`] with the unknown symbols, or any other [`Error`] of a request.
    pub async fn exchange_info_as_it_came(&self, symbols: &[Symbol]) -> Result<Answered<()>, Error> {
        let call = info_call(symbols);
        let text = |body: &[u8]| read(body).map(|_| String::from_utf8_lossy(body).into_owned());
        match self.get(&call, text).await {
            Ok(text) => Ok(Answered { url: self.url(&call), value: (), text }),
            Err(Error::Refused { request, status, code: code @ UNKNOWN_SYMBOL, message }) => {
                let known = self.exchange_info(&[]).await?.symbols;
                let unknown = symbols.iter().filter(|symbol| known.iter().all(|known| known.symbol != **symbol));
                let unknown: Vec<&str> = unknown.map(Symbol::as_str).collect();
                let message = format!("{message} ({})", unknown.join(", "));
                Err(Error::Refused { request, status, code, message })
            }
            Err(error) => Err(error),
        }
    }
}

fn info_call(symbols: &[Symbol]) -> Call {
    let query = match symbols {
        [] => String::new(),
        [symbol] => format!("symbol={}&", encoded(symbol)),
        _ => {
            let names: Vec<_> = symbols.iter().map(|symbol| format!("%22{}%22", encoded(symbol))).collect();
            format!("symbols=%5B{}%5D&", names.join(","))
        }
    };
    Call { target: format!("exchangeInfo?{query}showPermissionSets=false"), weight: 20, largest: LARGEST_ANSWER }
}

fn read(body: &[u8]) -> Result<RawInfo, Flaw> {
    let raw: RawInfo = rows::read(body, "the exchange's rules")?;
    sound::time("server time", rows::millis(raw.server_time)).map(|()| raw)
}
