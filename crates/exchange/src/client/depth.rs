//! Snapshots of order books.

use streamforge_events::Symbol;

use super::{
    Answered, Client, encoded,
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
        let call = self.depth_call(symbol, limit).await?;
        self.get(&call, |body| read(body, limit)).await
    }

    /// Reads the same, and answers the last update with the text as it came.
    ///
    /// # Errors
    /// As [`Client::depth`].
    pub async fn depth_as_it_came(&self, symbol: &Symbol, limit: usize) -> Result<Answered<u64>, Error> {
        let call = self.depth_call(symbol, limit).await?;
        let answered =
            |body: &[u8]| Ok((read(body, limit)?.last_update_id, String::from_utf8_lossy(body).into_owned()));
        let (value, text) = self.get(&call, answered).await?;
        Ok(Answered { url: self.url(&call), value, text })
    }

    async fn depth_call(&self, symbol: &Symbol, limit: usize) -> Result<Call, Error> {
        self.greet(symbol).await?;
        let weight = match limit {
            0..=100 => 5,
            101..=500 => 25,
            501..=1_000 => 50,
            _ => 250,
        };
        let target = format!("depth?symbol={}&limit={limit}", encoded(symbol));
        Ok(Call { target, weight, largest: LARGEST_ANSWER })
    }
}

/// Levels of a snapshot: many books have to do with smaller ones, as the exchange's budget is one.
#[must_use]
pub fn snapshot_levels(books: usize) -> usize {
    match books {
        0..=10 => 5_000,
        11..=60 => 1_000,
        61..=200 => 500,
        _ => 100,
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
