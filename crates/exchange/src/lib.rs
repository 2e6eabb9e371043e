//! The exchange, from both sides: a client of Binance's REST market data, and a simulator of its server.
//!
//! [`Client`] is all that a loader needs: it keeps the weight budget, retries what can be retried and hands out
//! complete windows of rows. [`simulator`] serves the same interface over HTTP, from a market that it computes or
//! from recorded files, with the real exchange's failures at a switch.

pub mod book;
pub mod capture;
mod client;
pub mod continuity;
mod error;
pub mod frame;
pub mod recording;
pub mod simulator;
pub mod stream;

pub use client::{
    Answered, Client, ClientConfig, ExchangeInfo, Page, SymbolInfo, TradePage, read_klines, snapshot_levels,
};
pub use error::Error;
