//! Snapshots of order books.

use streamforge_events::Symbol;

use super::{
    Client, encoded,
    request::{Call, LARGEST_ANSWER},
    rows::Flaw,
};
use crate::{
    Error,
    book::Snapshot,
    frame::{Frame, frame},
};

impl Client {
    /// Reads the best levels of a symbol's book, `limit` of each side at most; 5,000 are the most.
    ///
    /// # Errors
    /// [`Error::Refused`] with the exchange's words, or any other [`Error`] of a request.
    ///
    /// # Source
    /// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints#order-book>
    pub async fn depth(&self, symbol: &Symbol, limit: usize) -> Result<Snapshot, Error> {
        self.greet(symbol).await?;
        let weight = match limit {
            0..=100 => 5,
            101..=500 => 25,
            501..=1_000 => 50,
            _ => 250,
        };
        let target = format!("depth?symbol={}&limit={limit}", encoded(symbol));
        let call = Call { target, weight, largest: LARGEST_ANSWER };
        self.get(&call, |body| read(body, limit)).await
    }
}

fn read(body: &[u8], limit: usize) -> Result<Snapshot, Flaw> {
    let expected = "a snapshot of an order book";
    let text = std::str::from_utf8(body).map_err(|error| Flaw::new(expected, &error.to_string()))?;
    match frame(text, Some(limit)) {
        Ok(Frame::Snapshot(snapshot)) => Ok(snapshot),
        Ok(_) => Err(Flaw::new(expected, "something else")),
        Err(error) => Err(Flaw::new(expected, &error.to_string())),
    }
}
