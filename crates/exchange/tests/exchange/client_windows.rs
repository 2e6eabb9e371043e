//! What the client makes of a sound exchange: windows, the open bar, ids, and the exchange's own words.

use streamforge_events::{Interval, Kline, Symbol, TimeRange, Trade};
use streamforge_exchange::{Client, ClientConfig, Error, Page, simulator::Clock};

use crate::server::{DAY, HOUR, MIDNIGHT, MINUTE, NOW, frozen, running, start};

pub(crate) fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

pub(crate) fn range(from: i64, to: i64) -> TimeRange {
    TimeRange::new(from, to).unwrap()
}

fn opens(page: &Page<Kline>) -> Vec<i64> {
    page.rows.iter().map(|kline| kline.open_time).collect()
}

#[tokio::test]
async fn a_window_of_a_thousand_bars_comes_whole() {
    let server = start(frozen("synthetic:42")).await;
    let window = range(MIDNIGHT - 250 * HOUR, MIDNIGHT);
    let page = server.client().klines_window(&symbol("BTCUSDT"), Interval::M15, window).await.unwrap();
    assert_eq!((page.rows.len(), page.complete_until), (1_000, MIDNIGHT));
    assert!(opens(&page).windows(2).all(|pair| pair[0] + 15 * MINUTE == pair[1]));
    let target = format!("klines?symbol=BTCUSDT&interval=15m&startTime={}&limit=1", window.from());
    let row = server.rows(&target).await.remove(0);
    assert_eq!(row[5].as_str(), Some(page.rows[0].volume.to_string().as_str()), "to the last digit");
    let longer = range(MIDNIGHT - 251 * HOUR, MIDNIGHT);
    let error = server.client().klines_window(&symbol("BTCUSDT"), Interval::M15, longer).await.unwrap_err();
    assert!(matches!(error, Error::Window { bars: 1_004, .. }) && error.is_permanent());
}

#[tokio::test(start_paused = true)]
async fn the_open_bar_is_left_out() {
    let server = start(running("")).await;
    let client = server.client();
    for (interval, from, to, last, until) in [
        (Interval::M15, MIDNIGHT, MIDNIGHT + DAY, NOW - 450_000 - 15 * MINUTE, NOW - 450_000),
        (Interval::D1, MIDNIGHT - 9 * DAY, MIDNIGHT + DAY, MIDNIGHT - DAY, MIDNIGHT),
        (Interval::W1, MIDNIGHT - 40 * DAY, MIDNIGHT + DAY, MIDNIGHT - 12 * DAY, MIDNIGHT - 5 * DAY),
        (Interval::Mo1, MIDNIGHT - 100 * DAY, MIDNIGHT + 40 * DAY, MIDNIGHT - 31 * DAY, MIDNIGHT),
    ] {
        let page = client.klines_window(&symbol("ETHUSDT"), interval, range(from, to)).await.unwrap();
        assert_eq!((opens(&page).last(), page.complete_until), (Some(&last), until), "{interval}");
    }
    let future = client.klines_window(&symbol("ETHUSDT"), Interval::H1, range(NOW + DAY, NOW + 2 * DAY)).await.unwrap();
    assert_eq!((future.rows.len(), future.complete_until), (0, NOW + DAY));
}

#[tokio::test(start_paused = true)]
async fn the_server_decides_what_time_it_is() {
    // Its clock is years behind this machine's anyway; minutes decide which bar of a quarter is the open one.
    for skew in [0, -20 * MINUTE, -7 * MINUTE, 3 * MINUTE, 8 * MINUTE, 45 * MINUTE] {
        let server = start(running(&format!("open:1,skew:{skew}"))).await;
        let window = range(MIDNIGHT, MIDNIGHT + DAY);
        let page = server.client().klines_window(&symbol("BTCUSDT"), Interval::M15, window).await.unwrap();
        let until = Interval::M15.align_down(NOW + skew);
        assert_eq!((page.complete_until, opens(&page).last()), (until, Some(&(until - 15 * MINUTE))), "{skew}");
        assert!(page.rows.iter().all(|kline| kline.close_time < NOW + skew), "{skew}");
    }
}

#[tokio::test]
async fn a_window_before_the_listing_is_empty_and_complete() {
    let server = start(frozen("synthetic:42")).await;
    let window = range(1_400_000_000_000, 1_400_003_600_000);
    let page = server.client().klines_window(&symbol("BTCUSDT"), Interval::M1, window).await.unwrap();
    assert_eq!((page.rows.len(), page.complete_until), (0, window.to()));
}

#[tokio::test]
async fn unicode_symbols_travel() {
    let mut config = frozen("synthetic:42");
    config.clock = Clock::Frozen(1_780_000_000_000);
    let server = start(config).await;
    let client = server.client();
    let name = symbol("币安人生USDT");
    let window = range(1_770_000_000_000, 1_770_003_600_000);
    let page = client.klines_window(&name, Interval::M1, window).await.unwrap();
    assert_eq!(page.rows.len(), 60);
    let page = client.klines_window(&name, Interval::S1, range(window.from(), window.from() + MINUTE)).await.unwrap();
    let flat = page.rows.iter().find(|kline| kline.number_of_trades == 0).unwrap();
    assert_eq!((flat.open, flat.volume.to_string()), (flat.close, "0.00000000".to_owned()));
    let info = client.exchange_info(&[name.clone(), symbol("BTCUSDT")]).await.unwrap();
    assert_eq!((info.symbols[0].symbol.clone(), info.weight_limit), (name, Some(6_000)));
}

#[tokio::test]
async fn trades_are_read_by_blocks_of_ids() {
    let server = start(frozen("synthetic:42")).await;
    let client = server.client();
    let bitcoin = symbol("BTCUSDT");
    let first = client.first_agg_trade(&bitcoin, range(MIDNIGHT, MIDNIGHT + DAY)).await.unwrap().unwrap();
    let mut trades: Vec<Trade> = Vec::new();
    let mut next = first;
    while trades.last().is_none_or(|trade| trade.timestamp < MIDNIGHT + 6 * HOUR) {
        let page = client.agg_trades(&bitcoin, next, 1_000).await.unwrap();
        assert!(page.is_full && page.poisoned == 0);
        assert_eq!(page.next_id, next + 1_000);
        next = page.next_id;
        trades.extend(page.rows);
    }
    assert!(trades.iter().zip(first..).all(|(trade, id)| trade.trade_id == id));
    let last = client.first_agg_trade(&bitcoin, range(NOW + 1, NOW + DAY)).await.unwrap();
    assert_eq!(last, None);
    let end = server.rows("aggTrades?symbol=BTCUSDT&limit=1").await[0]["a"].as_i64().unwrap();
    let page = client.agg_trades(&bitcoin, end - 4, 1_000).await.unwrap();
    assert_eq!((page.rows.len(), page.next_id, page.is_full), (5, end + 1, false));
    let page = client.agg_trades(&bitcoin, end + 1, 1_000).await.unwrap();
    assert_eq!((page.rows.len(), page.next_id), (0, end + 1));
}

#[tokio::test]
async fn refusals_keep_the_exchanges_words_and_are_not_repeated() {
    let server = start(frozen("synthetic:42")).await;
    let window = range(MIDNIGHT, MIDNIGHT + HOUR);
    let error = server.client().klines_window(&symbol("NOSUCH"), Interval::M1, window).await.unwrap_err();
    assert!(error.is_permanent());
    assert!(error.to_string().contains("refused klines?symbol=NOSUCH"), "{error}");
    assert!(error.to_string().contains("HTTP 400, code -1121: Invalid symbol."), "{error}");
    assert_eq!(server.counters.requests(), 5, "three for the time, one for the limits, one refused");
}

#[tokio::test]
async fn base_urls_are_checked_before_anything_is_sent() {
    for (url, sound) in [
        ("https://data-api.binance.vision", true),
        ("http://127.0.0.1:1/", true),
        ("ftp://example.com", false),
        ("example.com", false),
        ("https://example.com/?a=b", false),
        ("", false),
    ] {
        assert_eq!(Client::new(ClientConfig::new(url)).is_ok(), sound, "{url}");
    }
}
