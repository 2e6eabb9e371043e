//! The symbols of the computed market: well-known names at plausible prices.

use streamforge_events::Millis;

use crate::simulator::market::Listing;

const DAY: Millis = 86_400_000;

/// How one symbol trades.
#[derive(Debug)]
pub(super) struct Coin {
    pub(super) base_asset: String,
    /// The price around which the market moves.
    pub(super) price: f64,
    pub(super) price_digits: u32,
    pub(super) quantity_digits: u32,
    /// Day of the first trade, counted from the epoch.
    pub(super) first_day: i64,
    /// Response to the market's moves.
    pub(super) beta: f64,
    /// Group that shares a factor of its own.
    pub(super) sector: u64,
    /// Standard deviation of its own moves over a day.
    pub(super) own_volatility: f64,
    /// Mean distance of two aggregate trades.
    pub(super) spacing: Millis,
    /// Mean value of an aggregate trade in USDT.
    pub(super) turnover: f64,
}

impl Coin {
    /// Time from which it is traded.
    pub(super) fn listed(&self) -> Millis {
        self.first_day * DAY
    }

    /// Digits of its volumes; the exchange has 8 for nearly all.
    pub(super) fn volume_digits(&self) -> u32 {
        if self.base_asset == "SHIB" { 2 } else { 8 }
    }

    pub(super) fn listing(&self) -> Listing {
        Listing {
            symbol: format!("{}USDT", self.base_asset),
            base_asset: self.base_asset.clone(),
            quote_asset: "USDT".to_owned(),
            base_asset_precision: self.volume_digits(),
            price_digits: self.price_digits,
            quantity_digits: self.quantity_digits,
        }
    }
}

type Row = (&'static str, f64, u32, u32, i64, f64, u64, f64, Millis, f64);

/// Name, price, price digits, quantity digits, first day, beta, sector, own volatility, spacing in s, turnover.
///
/// Price and quantity digits add up to 8 at most, so that a quote volume of 8 digits is exact, as on the exchange.
#[rustfmt::skip]
const ROWS: [Row; 33] = [
    ("BTC",      64_000.0,      2, 5, 17_395, 0.85, 0, 0.006,  10, 48_000.0),
    ("ETH",       3_100.0,      2, 4, 17_395, 1.05, 0, 0.011,  10, 21_000.0),
    ("BNB",         580.0,      2, 3, 17_476, 0.85, 1, 0.012,  10,  9_000.0),
    ("SOL",         150.0,      2, 3, 18_485, 1.25, 2, 0.017,  10, 14_000.0),
    ("XRP",           0.6,      4, 0, 17_655, 0.95, 3, 0.018,  10, 12_000.0),
    ("ADA",           0.45,     4, 1, 17_638, 1.15, 2, 0.014,  10,   700.0),
    ("DOGE",          0.14,     5, 0, 18_082, 1.25, 4, 0.018,  10, 1_500.0),
    ("AVAX",         32.0,      2, 2, 18_527, 1.25, 2, 0.015,  10,   600.0),
    ("LINK",         15.0,      2, 2, 17_912, 1.20, 5, 0.014,  10,   500.0),
    ("DOT",           6.5,      3, 2, 18_492, 1.15, 2, 0.012,  10,   450.0),
    ("TRX",           0.13,     4, 1, 17_693, 0.55, 3, 0.012,  20,   400.0),
    ("LTC",          80.0,      2, 3, 17_513, 0.95, 6, 0.014,  20,   450.0),
    ("BCH",         420.0,      1, 3, 18_228, 1.05, 6, 0.017,  20,   500.0),
    ("ETC",          25.0,      2, 2, 17_694, 1.15, 6, 0.015,  20,   300.0),
    ("XLM",           0.11,     4, 0, 17_682, 0.95, 3, 0.016,  20,   250.0),
    ("ATOM",          8.0,      3, 2, 18_015, 1.10, 2, 0.014,  20,   300.0),
    ("NEAR",          5.2,      3, 1, 18_549, 1.30, 2, 0.018,  20,   400.0),
    ("UNI",           8.0,      3, 2, 18_522, 1.20, 5, 0.017,  20,   350.0),
    ("AAVE",         95.0,      2, 3, 18_550, 1.20, 5, 0.017,  20,   300.0),
    ("FIL",           5.5,      3, 2, 18_550, 1.20, 7, 0.016,  20,   300.0),
    ("APT",           8.5,      2, 2, 19_284, 1.25, 2, 0.019,  20,   300.0),
    ("ARB",           0.9,      4, 1, 19_439, 1.30, 8, 0.017,  20,   350.0),
    ("OP",            2.2,      3, 2, 19_144, 1.35, 8, 0.018,  20,   350.0),
    ("SUI",           1.2,      4, 1, 19_480, 1.35, 2, 0.021,  20,   500.0),
    ("INJ",          24.0,      2, 2, 18_556, 1.35, 5, 0.020,  20,   300.0),
    ("FET",           1.4,      4, 0, 17_955, 1.35, 7, 0.024,  20,   350.0),
    ("GRT",           0.2,      4, 0, 18_613, 1.30, 7, 0.019,  20,   200.0),
    ("SAND",          0.4,      4, 0, 18_488, 1.25, 4, 0.018,  30,   200.0),
    ("CRV",           0.45,     3, 1, 18_488, 1.25, 5, 0.022,  30,   200.0),
    ("ALGO",          0.17,     4, 0, 18_068, 1.10, 3, 0.015,  30,   150.0),
    ("SHIB",          0.000_02, 8, 0, 18_757, 1.20, 4, 0.019,  10,   900.0),
    ("PEPE",          0.000_01, 8, 0, 19_482, 1.45, 4, 0.028,  10, 1_200.0),
    ("币安人生",       0.15,     4, 1, 20_370, 1.10, 4, 0.045,  60,   120.0),
];

/// As many coins as are wanted: the well-known ones, then others that are like them but for their name and price.
///
/// `pace` is how many times as often they trade.
pub(super) fn coins(count: usize, pace: u32) -> Vec<Coin> {
    let rows = ROWS.into_iter().cycle().take(count).enumerate();
    rows.map(|(number, row)| coin(number, row, pace)).collect()
}

/// Day from which the others are traded: 2019-04-14.
const OLD: i64 = 18_000;

/// How many coins are well known.
pub(super) const KNOWN: usize = ROWS.len();

fn coin(number: usize, row: Row, pace: u32) -> Coin {
    let (name, price, price_digits, quantity_digits, first_day, beta, sector, own_volatility, spacing, turnover) = row;
    Coin {
        base_asset: if number < KNOWN { name.to_owned() } else { format!("X{number}") },
        price,
        price_digits,
        quantity_digits,
        // What nobody knows is as old as anybody may ask for.
        first_day: if number < KNOWN { first_day } else { OLD },
        beta,
        sector,
        own_volatility,
        spacing: (spacing * 1_000 / Millis::from(pace.max(1))).max(1),
        turnover,
    }
}
