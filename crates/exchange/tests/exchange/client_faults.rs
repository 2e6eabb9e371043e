//! The same rows come out of an exchange that fails as out of one that does not.

use streamforge_events::{Interval, Kline, Trade, rfc3339};
use streamforge_exchange::{Client, ClientConfig, Error};

use crate::{
    client_windows::{range, symbol},
    server::{DAY, HOUR, MIDNIGHT, MINUTE, running, start},
};

/// Three neighbouring windows and the trades of a quarter of an hour.
async fn load(client: &Client) -> (Vec<Kline>, Vec<Trade>) {
    let bitcoin = symbol("BTCUSDT");
    let mut klines = Vec::new();
    for number in 0..3 {
        let from = MIDNIGHT - 3 * DAY + number * 6 * HOUR;
        let page = client.klines_window(&bitcoin, Interval::M5, range(from, from + 6 * HOUR)).await.unwrap();
        assert_eq!(page.complete_until, from + 6 * HOUR);
        klines.extend(page.rows);
    }
    let window = range(MIDNIGHT - DAY, MIDNIGHT - DAY + 15 * MINUTE);
    let first = client.first_agg_trade(&bitcoin, window).await.unwrap().unwrap();
    let mut trades = Vec::new();
    for number in 0..3 {
        let page = client.agg_trades(&bitcoin, first + number * 50, 50).await.unwrap();
        assert!(page.is_full);
        trades.extend(page.rows);
    }
    (klines, trades)
}

#[tokio::test(start_paused = true)]
async fn rows_are_those_of_a_calm_exchange() {
    let calm = load(&start(running("")).await.client()).await;
    assert_eq!((calm.0.len(), calm.1.len()), (216, 150));
    for faults in [
        "html:0.3",
        "error:0.15",
        "cut:0.3",
        "short:1",
        "empty:0.6",
        "repeat:0.6",
        "shuffle:1",
        "duplicate:1",
        "foreign:0.4",
        "absurd:0.1",
        "huge:0.1",
        "open:1",
        "refuse:0.2",
        "ban:0.2",
        "microseconds:1",
        "html:0.05,error:0.03,cut:0.05,short:0.3,empty:0.2,repeat:0.2,shuffle:0.3",
        "duplicate:0.3,foreign:0.2,absurd:0.05,huge:0.02,open:0.3,refuse:0.1,ban:0.1,short:0.3,empty:0.2,repeat:0.2",
    ] {
        for seed in 1..=3 {
            let server = start(running(&format!("{faults},seed:{seed}"))).await;
            assert!(load(&server.client()).await == calm, "{faults} with seed {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_a_later_window_leaves_no_gap() {
    let day = MIDNIGHT - 3 * DAY;
    let bitcoin = symbol("BTCUSDT");
    let outage = format!("outage:{}/{}", rfc3339(day - HOUR), rfc3339(day + 2 * HOUR));
    for (outage, missing) in [("seed:0", 0), (outage.as_str(), 24)] {
        for seed in 0..8 {
            let server = start(running(&format!("{outage},repeat:0.4,empty:0.1,seed:{seed}"))).await;
            let client = server.client();
            for (hours, missing) in [(4, 0), (2, 0), (0, missing)] {
                let window = range(day + hours * HOUR, day + (hours + 6) * HOUR);
                let page = client.klines_window(&bitcoin, Interval::M5, window).await.unwrap();
                assert_eq!(page.rows.len(), 72 - missing, "{outage} with seed {seed}, {hours} hours after midnight");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn late_answers_are_asked_for_again() {
    let calm = load(&start(running("")).await.client()).await;
    let server = start(running("slow:0.2")).await;
    let client = Client::new(ClientConfig::new(&server.url)).unwrap();
    assert!(load(&client).await == calm);
    assert!(server.counters.faults() > 0);
}

#[tokio::test(start_paused = true)]
async fn steady_failures_end_with_the_exchanges_words() {
    let window = range(MIDNIGHT, MIDNIGHT + HOUR);
    for (faults, words, permanent) in [
        ("geo:1", "restricted location", true),
        ("vanish:BTCUSDT", "code -1121: Invalid symbol.", true),
        ("error:1", "HTTP 50", false),
        ("cut:1", "connection to the exchange failed", false),
        ("html:1,seed:1", "", false),
        ("absurd:1", "something else than", true),
        ("huge:1", "is larger than 1048576 bytes", true),
        ("refuse:1", "asks this address to wait", false),
        ("ban:1", "asks this address to wait", false),
        ("foreign:1", "only others, again and again", true),
    ] {
        let server = start(running(faults)).await;
        let error = server.client().klines_window(&symbol("BTCUSDT"), Interval::M1, window).await.unwrap_err();
        assert!(error.to_string().contains(words), "{faults}: {error:?}");
        assert!(words.is_empty() || error.is_permanent() == permanent, "{faults}");
        assert!(server.counters.requests() < 60, "{faults}: {} requests", server.counters.requests());
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_page_for_ever_ends_the_load() {
    let server = start(running("stuck:1")).await;
    let client = server.client();
    let bitcoin = symbol("BTCUSDT");
    let first = range(MIDNIGHT - DAY, MIDNIGHT - DAY + HOUR);
    assert_eq!(client.klines_window(&bitcoin, Interval::M5, first).await.unwrap().rows.len(), 12);
    let next = range(first.to(), first.to() + HOUR);
    let error = client.klines_window(&bitcoin, Interval::M5, next).await.unwrap_err();
    assert!(error.is_permanent() && error.to_string().contains("again and again"), "{error}");
    assert_eq!(client.agg_trades(&bitcoin, 10_000, 100).await.unwrap().rows.len(), 100);
    let error = client.agg_trades(&bitcoin, 10_100, 100).await.unwrap_err();
    assert!(error.is_permanent() && error.to_string().contains("again and again"), "{error}");
    let error = client.first_agg_trade(&bitcoin, first).await.unwrap_err();
    assert!(error.is_permanent() && error.to_string().contains("again and again"), "{error}");
    assert!(server.counters.requests() < 120, "{}", server.counters.requests());
}

#[tokio::test(start_paused = true)]
async fn the_rows_of_another_window_are_never_taken() {
    let calm = load(&start(running("")).await.client()).await;
    for seed in 0..10 {
        // An empty page beside a foreign one is the worst: it seems to say that nothing is there.
        let server = start(running(&format!("foreign:0.4,empty:0.4,seed:{seed}"))).await;
        assert!(load(&server.client()).await == calm, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_another_question_is_no_first_trade() {
    let window = range(MIDNIGHT - DAY, MIDNIGHT - DAY + HOUR);
    let bitcoin = symbol("BTCUSDT");
    let first = start(running("")).await.client().first_agg_trade(&bitcoin, window).await.unwrap();
    for seed in 0..10 {
        let server = start(running(&format!("repeat:0.3,short:0.2,seed:{seed}"))).await;
        let client = server.client();
        for _ in 0..3 {
            let found = client.first_agg_trade(&bitcoin, window).await.unwrap();
            assert_eq!(found, first, "seed {seed}");
            // These are of the range too, and may come again instead of the first.
            client.agg_trades(&bitcoin, first.unwrap() + 50, 100).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn absurd_rows_never_come_out_of_a_client() {
    let window = range(MIDNIGHT - DAY, MIDNIGHT);
    let calm = start(running("")).await.client().klines_window(&symbol("BTCUSDT"), Interval::M5, window).await.unwrap();
    let mut refused = 0;
    for seed in 0..20 {
        let server = start(running(&format!("absurd:0.6,short:0.5,seed:{seed}"))).await;
        match server.client().klines_window(&symbol("BTCUSDT"), Interval::M5, window).await {
            Ok(page) => assert_eq!(page.rows, calm.rows, "seed {seed}"),
            Err(error) => {
                assert!(matches!(error, Error::Malformed { .. }), "{error}");
                refused += 1;
            }
        }
        match server.client().agg_trades(&symbol("BTCUSDT"), 10_000, 100).await {
            Ok(page) => assert_eq!(page.rows.len(), 100, "seed {seed}"),
            Err(error) => assert!(matches!(error, Error::Malformed { .. }), "{error}"),
        }
    }
    assert!((1..20).contains(&refused), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_symbol_that_vanishes_keeps_what_was_read_and_ends_with_its_code() {
    let server = start(running("vanish:ETHUSDT@2")).await;
    let client = server.client();
    let window = |number: i64| range(MIDNIGHT - (number + 1) * HOUR, MIDNIGHT - number * HOUR);
    for number in 0..2 {
        let page = client.klines_window(&symbol("ETHUSDT"), Interval::M1, window(number)).await.unwrap();
        assert_eq!(page.rows.len(), 60);
    }
    let before = server.counters.requests();
    let error = client.klines_window(&symbol("ETHUSDT"), Interval::M1, window(2)).await.unwrap_err();
    assert!(matches!(error, Error::Refused { code: -1121, .. }) && error.is_permanent(), "{error}");
    assert_eq!(server.counters.requests(), before + 1, "asked once");
    let page = client.klines_window(&symbol("BTCUSDT"), Interval::M1, window(2)).await.unwrap();
    assert_eq!(page.rows.len(), 60, "the others are still there");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_a_fact_and_never_filled() {
    let outage = "outage:2024-05-31T12:39:41Z/2024-05-31T14:00:00Z";
    let server = start(running(outage)).await;
    let client = server.client();
    let noon = MIDNIGHT - 12 * HOUR;
    let page =
        client.klines_window(&symbol("SOLUSDT"), Interval::H1, range(noon - HOUR, noon + 4 * HOUR)).await.unwrap();
    let opens: Vec<i64> = page.rows.iter().map(|kline| (kline.open_time - noon) / HOUR).collect();
    assert_eq!((opens, page.complete_until), (vec![-1, 0, 2, 3], noon + 4 * HOUR));
    assert_eq!(page.rows[1].close_time, noon + 39 * MINUTE + 41_000);
    let inside = range(noon + HOUR, noon + 2 * HOUR);
    let page = client.klines_window(&symbol("SOLUSDT"), Interval::M5, inside).await.unwrap();
    assert_eq!((page.rows.len(), page.complete_until), (0, noon + 2 * HOUR), "a window inside the outage is empty");
    // The bar of now at the end of each page is no reason to look for more.
    let server = start(running(&format!("{outage},open:1"))).await;
    let page = server.client().klines_window(&symbol("SOLUSDT"), Interval::M5, inside).await.unwrap();
    assert_eq!((page.rows.len(), page.complete_until), (0, noon + 2 * HOUR), "a window inside the outage is empty");
}

#[tokio::test(start_paused = true)]
async fn a_restated_bar_is_what_was_read_last() {
    let window = range(MIDNIGHT - DAY, MIDNIGHT);
    let read = async |faults: &str| {
        let server = start(running(faults)).await;
        server.client().klines_window(&symbol("BTCUSDT"), Interval::H1, window).await.unwrap().rows
    };
    let (before, after) = (read("").await, read("restate:1").await);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(
            (before.open, before.high, before.low, before.close),
            (after.open, after.high, after.low, after.close)
        );
        assert!(before.volume < after.volume && before.number_of_trades < after.number_of_trades);
    }
}

#[tokio::test(start_paused = true)]
async fn poisoned_trades_are_left_out_and_counted() {
    let bitcoin = symbol("BTCUSDT");
    let server = start(running("poison:0.2,seed:5")).await;
    let page = server.client().agg_trades(&bitcoin, 10_000, 500).await.unwrap();
    assert!((50..200).contains(&page.poisoned), "{}", page.poisoned);
    assert_eq!((page.rows.len() as u64 + page.poisoned, page.next_id, page.is_full), (500, 10_500, true));
    assert!(page.rows.iter().all(|trade| !trade.price.is_zero()));
}

#[tokio::test]
async fn an_exchange_that_is_not_there_is_a_failed_connection() {
    let mut config = ClientConfig::new("http://127.0.0.1:1");
    config.attempts = 1;
    let error = Client::new(config).unwrap().time().await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }) && !error.is_permanent());
}
