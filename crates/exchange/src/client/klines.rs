//! Complete windows of klines out of pages that may be short, empty, repeated or out of order.

use std::collections::{BTreeMap, BTreeSet};

use streamforge_events::{Interval, Kline, Millis, Symbol, TimeRange};

use super::{
    Client, Page, encoded,
    request::{Call, LARGEST_PAGE},
    rows, sound,
};
use crate::Error;

/// The most bars of one page.
const PAGE: u64 = 1_000;

/// How often the exchange has to show that a window is empty; an answer that shows nothing does not count.
const DOUBTS: u32 = 2;

/// Answers in a row that bring nothing new before the exchange is given up.
const MOST_STALLS: u32 = 16;

impl Client {
    /// Reads all closed bars of `symbol` that open in `range`, which may hold 1,000 at most and may lie in the future.
    ///
    /// A bar that is still open at server time is left out, whether it opened on time or not. An empty answer is
    /// believed only when the exchange has shown twice that the bars around it lie before and after the window, and a
    /// gap before a page only when it has shown the two bars around it.
    ///
    /// # Errors
    /// [`Error::Window`] for a longer range, [`Error::Refused`] with the exchange's words, such as for an unknown
    /// symbol, or any other [`Error`] of a request.
    pub async fn klines_window(
        &self,
        symbol: &Symbol,
        interval: Interval,
        range: TimeRange,
    ) -> Result<Page<Kline>, Error> {
        let bars = interval.opens_in(range);
        if bars > PAGE {
            return Err(Error::Window { symbol: symbol.clone(), bars, limit: PAGE });
        }
        self.greet(symbol).await?;
        let mut window = Window::new(interval, range, self.time().await?);
        let (mut stalls, mut emptiness) = (0, 0);
        while let Some(cursor) = window.cursor() {
            let page = self.klines(symbol, interval, Some(cursor), Some(range.to() - 1), PAGE).await?;
            // A closed bar is either one that was asked for, which is progress, or proof that this is another page.
            let was_empty = page.iter().all(|kline| window.is_open(kline));
            if self.goes_on(symbol, &window, &page).await? && window.take(page) {
                (stalls, emptiness) = (0, 0);
                continue;
            }
            let next = self.klines(symbol, interval, Some(cursor), None, 1).await?;
            let next_open = next.iter().map(|kline| kline.open_time).min();
            let nothing_left = was_empty && next_open.is_none_or(|open| open >= range.to()) && {
                let newest = self.klines(symbol, interval, None, next_open.map(|open| open - 1), 1).await?;
                newest.iter().all(|kline| kline.open_time < cursor || window.is_open(kline))
            };
            if self.goes_on(symbol, &window, &next).await? && window.take(next) {
                (stalls, emptiness) = (0, 0);
                continue;
            }
            emptiness += u32::from(nothing_left);
            stalls += 1;
            if emptiness >= DOUBTS {
                break;
            }
            if stalls >= MOST_STALLS {
                return Err(Error::Malformed {
                    request: format!("klines of {symbol} {interval} from {cursor}"),
                    expected: "bars at or after the time asked for".to_owned(),
                    found: "only others, again and again".to_owned(),
                });
            }
        }
        Ok(window.finish())
    }

    /// Whether a page begins at the cursor, or else with the bar that follows the one before the cursor: a later
    /// beginning is more likely another page.
    async fn goes_on(&self, symbol: &Symbol, window: &Window, page: &[Kline]) -> Result<bool, Error> {
        let Some(first) = window.leap(page) else { return Ok(true) };
        let before = self.klines(symbol, window.interval, None, Some(first - 1), 1).await?;
        let (start, expected) = match before.iter().map(|kline| kline.open_time).max() {
            Some(before) if before >= window.cursor => return Ok(false),
            Some(before) => (before, vec![before, first]),
            // The symbol's own first bar.
            None => (0, vec![first]),
        };
        let shown = self.klines(symbol, window.interval, Some(start), None, expected.len() as u64).await?;
        let shown: BTreeSet<Millis> = shown.iter().map(|kline| kline.open_time).collect();
        Ok(shown.into_iter().eq(expected))
    }

    async fn klines(
        &self,
        symbol: &Symbol,
        interval: Interval,
        start: Option<Millis>,
        end: Option<Millis>,
        limit: u64,
    ) -> Result<Vec<Kline>, Error> {
        let bound = |name: &str, time: Option<Millis>| time.map_or(String::new(), |time| format!("&{name}={time}"));
        let (symbol, start, end) = (encoded(symbol), bound("startTime", start), bound("endTime", end));
        let target = format!("klines?symbol={symbol}&interval={interval}{start}{end}&limit={limit}");
        let call = Call { target, weight: 2, largest: LARGEST_PAGE };
        self.get(&call, |body| sound::klines(interval, rows::read_klines(body)?)).await
    }
}

/// What is known of a window so far: pure, so that every order of pages can be tried.
#[derive(Debug)]
struct Window {
    interval: Interval,
    range: TimeRange,
    read_at: Millis,
    bars: BTreeMap<Millis, Kline>,
    /// Open time of the first bar that is known to be open.
    open_bar: Option<Millis>,
    cursor: Millis,
}

impl Window {
    fn new(interval: Interval, range: TimeRange, read_at: Millis) -> Self {
        let cursor = interval.align_up(range.from());
        Self { interval, range, read_at, bars: BTreeMap::new(), open_bar: None, cursor }
    }

    /// First open time that is not settled yet, if a closed bar can still be found at or after it.
    fn cursor(&self) -> Option<Millis> {
        let settled = self.cursor >= self.range.to()
            || self.open_bar.is_some()
            || self.interval.next_open(self.cursor) > self.read_at;
        (!settled).then_some(self.cursor)
    }

    /// Where a page begins that leaves out what lies between the cursor and its first bar.
    fn leap(&self, page: &[Kline]) -> Option<Millis> {
        let first = page.iter().map(|kline| kline.open_time).min()?;
        (self.cursor < first && self.range.contains(first)).then_some(first)
    }

    /// Takes the bars of a page, in any order, and says whether it went beyond the cursor.
    fn take(&mut self, page: Vec<Kline>) -> bool {
        let before = self.cursor;
        for kline in page {
            let open = kline.open_time;
            if !self.range.contains(open) {
                continue;
            }
            if self.is_open(&kline) {
                self.open_bar = Some(self.open_bar.map_or(open, |known| known.min(open)));
                self.bars.remove(&open);
                continue;
            }
            self.cursor = self.cursor.max(self.interval.next_open(open));
            self.bars.insert(open, kline);
        }
        self.cursor > before || self.open_bar.is_some()
    }

    /// Whether a bar may still change; one that an outage has cut closes early, but is restated until its time is over.
    fn is_open(&self, kline: &Kline) -> bool {
        kline.close_time >= self.read_at || self.interval.next_open(kline.open_time) > self.read_at
    }

    fn finish(self) -> Page<Kline> {
        let still_open = self.open_bar.unwrap_or_else(|| match self.interval {
            // Its calendar is the symbol's own, so any of the last three days may have opened it.
            Interval::D3 => self.interval.previous_open(self.read_at),
            interval => interval.align_down(self.read_at),
        });
        let complete_until = still_open.clamp(self.range.from(), self.range.to());
        let rows = self.bars.into_values().filter(|kline| kline.open_time < complete_until).collect();
        Page { rows, read_at: self.read_at, complete_until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Millis = 60_000;

    fn bar(minute: Millis, volume: &str) -> Kline {
        let price = "1.00".parse().unwrap();
        Kline {
            open_time: minute * MINUTE,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: volume.parse().unwrap(),
            close_time: (minute + 1) * MINUTE - 1,
            quote_asset_volume: price,
            number_of_trades: 1,
            taker_buy_base_asset_volume: price,
            taker_buy_quote_asset_volume: price,
        }
    }

    fn window(from: Millis, to: Millis, read_at: Millis) -> Window {
        let range = TimeRange::new(from * MINUTE, to * MINUTE).unwrap();
        Window::new(Interval::M1, range, read_at)
    }

    fn minutes(page: &Page<Kline>) -> Vec<Millis> {
        page.rows.iter().map(|kline| kline.open_time / MINUTE).collect()
    }

    #[test]
    fn pages_in_any_order_make_one_window() {
        let mut window = window(10, 15, 100 * MINUTE);
        assert!(window.take(vec![bar(12, "1"), bar(9, "1"), bar(10, "1"), bar(11, "1")]));
        assert_eq!(window.cursor(), Some(13 * MINUTE));
        assert!(!window.take(vec![bar(10, "1"), bar(11, "1")]), "a repeated page is no progress");
        assert!(window.take(vec![bar(14, "1"), bar(14, "1"), bar(15, "1")]));
        assert_eq!(window.cursor(), None);
        let page = window.finish();
        assert_eq!((minutes(&page), page.complete_until), (vec![10, 11, 12, 14], 15 * MINUTE));
    }

    #[test]
    fn the_newest_reading_of_a_bar_wins() {
        let mut window = window(10, 12, 100 * MINUTE);
        window.take(vec![bar(10, "1")]);
        window.take(vec![bar(10, "2"), bar(11, "1")]);
        assert_eq!(window.finish().rows[0].volume.to_string(), "2");
    }

    #[test]
    fn the_open_bar_ends_the_window() {
        for (read_at, rows, until) in [
            (13 * MINUTE, vec![10, 11, 12], 13), // 12:59.999 is over, 13 is open
            (13 * MINUTE - 1, vec![10, 11], 12),
            (10 * MINUTE, vec![], 10),
            (5 * MINUTE, vec![], 10),
        ] {
            let mut window = window(10, 20, read_at);
            window.take((10..=13).map(|minute| bar(minute, "1")).collect());
            let page = window.finish();
            assert_eq!((minutes(&page), page.complete_until), (rows, until * MINUTE), "{read_at}");
        }
    }

    #[test]
    fn a_bar_cut_by_an_outage_is_open_until_its_time_is_over() {
        let cut = Kline { close_time: 12 * MINUTE + 20, ..bar(12, "0") };
        for (read_at, expected) in [(13 * MINUTE - 1, 0), (13 * MINUTE, 1)] {
            let mut window = window(12, 20, read_at);
            window.take(vec![cut.clone()]);
            assert_eq!(window.finish().rows.len(), expected);
        }
    }

    #[test]
    fn without_any_bar_the_window_is_complete_up_to_the_bar_of_now() {
        let page = window(10, 20, 15 * MINUTE + 7).finish();
        assert_eq!(page.complete_until, 15 * MINUTE);
        let range = TimeRange::new(0, 30 * 86_400_000).unwrap();
        let page = Window::new(Interval::D3, range, 10 * 86_400_000).finish();
        assert_eq!(page.complete_until, 7 * 86_400_000);
    }
}
