//! The stored bars that predictions of a range are made from.

use futures::future::try_join_all;
use streamforge_dataset::{Card, Panel, SymbolBars};
use streamforge_events::{FeedInterrupted, Interval, Millis, SeriesId, SeriesKind, Symbol, TimeRange};
use streamforge_store::{Store, read_declared};

use crate::Error;

/// The bars that predictions are made from, and what was told of those that are missing.
pub(crate) struct History {
    pub(crate) panel: Panel,
    /// By symbol, in the order of the panel.
    pub(crate) gaps: Vec<Vec<FeedInterrupted>>,
}

/// Reads the bars of a range and as many before it as the model depends on; none if nothing is stored.
///
/// # Errors
/// A failure of the store, or bars that make no panel.
pub(crate) async fn history(store: &dyn Store, card: &Card, range: TimeRange) -> Result<Option<History>, Error> {
    let first = bars_before(card.interval, card.interval.align_down(range.from()), card.look_back());
    let whole = TimeRange::new(first.max(0), range.to())?;
    // The store decides how many of them it reads at once.
    let symbols = try_join_all(card.symbols.iter().map(|symbol| bars(store, symbol, card.interval, whole))).await?;
    if symbols.iter().all(|bars| bars.open_time.is_empty()) {
        return Ok(None);
    }
    let number = |time: Millis| u64::try_from(time).unwrap_or(0);
    let numbers = Some((number(whole.from()), number(whole.to())));
    let reads = card
        .symbols
        .iter()
        .map(async |symbol| Ok::<_, Error>(read_declared(store, &series(symbol, card.interval), numbers).await?));
    let gaps = try_join_all(reads).await?;
    Ok(Some(History { panel: Panel::new(card.interval, symbols)?, gaps }))
}

/// The symbols that have a bar which opens at this time.
///
/// # Errors
/// A failure of the store.
pub(crate) async fn with_bar<'symbol>(
    store: &dyn Store,
    symbols: &'symbol [Symbol],
    interval: Interval,
    open_time: Millis,
) -> Result<Vec<&'symbol Symbol>, Error> {
    let range = TimeRange::new(open_time, open_time + 1)?;
    let reads = symbols.iter().map(async |symbol| {
        let found = store.read_closes(&series(symbol, interval), range).await?;
        Ok::<_, Error>((!found.open_time.is_empty()).then_some(symbol))
    });
    Ok(try_join_all(reads).await?.into_iter().flatten().collect())
}

async fn bars(store: &dyn Store, symbol: &Symbol, interval: Interval, range: TimeRange) -> Result<SymbolBars, Error> {
    let columns = store.read_columns(&series(symbol, interval), range).await?;
    Ok(SymbolBars::of(symbol.clone(), columns))
}

fn series(symbol: &Symbol, interval: Interval) -> SeriesId {
    SeriesId { symbol: symbol.clone(), kind: SeriesKind::Klines(interval) }
}

fn bars_before(interval: Interval, open: Millis, bars: usize) -> Millis {
    (0..bars).fold(open, |open, _| interval.previous_open(open))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_counted_back_by_the_calendar() {
        assert_eq!(bars_before(Interval::M15, 9_000_000, 3), 9_000_000 - 3 * 900_000);
        let day = 86_400_000;
        assert_eq!(bars_before(Interval::Mo1, 59 * day, 2), 0);
    }
}
