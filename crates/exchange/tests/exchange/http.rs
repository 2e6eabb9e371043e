//! The simulator's HTTP behaviour: what is refused and how, bounds, defaults, weights, bans.

use serde_json::Value;
use streamforge_exchange::simulator::Clock;

use crate::server::{DAY, HOUR, MIDNIGHT, MINUTE, NOW, frozen, start};

#[tokio::test]
async fn mistakes_are_refused_in_the_exchanges_order_and_words() {
    let server = start(frozen("synthetic:42")).await;
    let lower = "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'.";
    let limit = "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.";
    let no_symbol = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.";
    let no_interval = "Mandatory parameter 'interval' was not sent, was empty/null, or malformed.";
    for (target, code, message) in [
        ("klines?fromId=1", -1102, no_symbol),
        ("klines?symbol=&interval=1h", -1102, no_symbol),
        ("klines?symbol=BNBUSDT", -1102, no_interval),
        (
            "klines?symbol=BNBUSDT&interval=1h&fromId=1",
            -1104,
            "Not all sent parameters were read; read '2' parameter(s) but was sent '3'.",
        ),
        ("time?symbol=BNBUSDT", -1101, "Too many parameters; expected '0' and received '1'."),
        ("klines?symbol=x&symbol=y", -1101, "Duplicate values for a parameter detected."),
        ("klines?symbol=BNBUSDT&interval=1h&limit=", -1105, "Parameter 'limit' was empty."),
        ("klines?symbol=bnbusdt&interval=1H", -1100, lower),
        ("klines?symbol=BNB%20USDT&interval=1h", -1100, lower),
        ("klines?symbol=NOSUCH&interval=1h&limit=abc", -1100, limit),
        ("klines?symbol=BNBUSDT&interval=1h&limit=-1", -1100, limit),
        ("klines?symbol=NOSUCH&interval=1H", -1120, "Invalid interval."),
        ("klines?symbol=NOSUCH&interval=2m", -1120, "Invalid interval."),
        ("klines?symbol=NOSUCH&interval=1h", -1121, "Invalid symbol."),
        ("klines?symbol=BNBUSDT&interval=1h&limit=0", -1130, "Data sent for parameter 'limit' is not valid."),
        ("klines?symbol=BNBUSDT&interval=1h&timeZone=15", -1130, "Data sent for parameter 'timeZone' is not valid."),
        ("aggTrades?symbol=BNBUSDT&fromId=1&startTime=1", -1128, "Combination of optional parameters invalid."),
        ("trades", -1102, no_symbol),
        ("trades?symbol=NOSUCH", -1121, "Invalid symbol."),
        (
            "depth?symbol=BNBUSDT&symbolStatus=BREAK",
            -1220,
            "The symbol's status does not match the requested symbolStatus.",
        ),
        ("depth?symbol=BNBUSDT&symbolStatus=ASLEEP", -1122, "Invalid symbolStatus."),
        ("exchangeInfo?symbol=NOSUCH", -1121, "Invalid symbol."),
        ("exchangeInfo?symbol=A&symbols=%5B%22B%22%5D", -1128, "Combination of optional parameters invalid."),
        (
            "exchangeInfo?symbols=%5B%22BTCUSDT%22,%22BTCUSDT%22%5D",
            -1151,
            "Symbol is present multiple times in the list.",
        ),
    ] {
        let answer = server.get(target).await;
        let refusal: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(answer.status, 400, "{target}");
        assert_eq!((refusal["code"].as_i64(), refusal["msg"].as_str()), (Some(code), Some(message)), "{target}");
    }
}

#[tokio::test]
async fn paths_that_do_not_exist_are_answered_with_nothing() {
    let server = start(frozen("synthetic:42")).await;
    for target in ["candles", "klines/", "../v1/klines"] {
        let answer = server.get(target).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{target}");
    }
    assert_eq!(server.get("ping").await.body, "{}");
    assert_eq!(server.get("time").await.body, format!(r#"{{"serverTime":{NOW}}}"#));
}

#[tokio::test]
async fn klines_are_selected_by_open_time_with_both_bounds_inclusive() {
    let server = start(frozen("synthetic:42")).await;
    let page = async |query: String| server.opens(&format!("klines?symbol=BTCUSDT&{query}")).await;
    let (from, to) = (MIDNIGHT, MIDNIGHT + 10_000);
    assert_eq!(page(format!("interval=1s&startTime={from}&endTime={to}")).await.len(), 11);
    assert_eq!(page(format!("interval=1s&startTime={from}&endTime={from}")).await, [from]);
    assert_eq!(
        page(format!("interval=15m&startTime={}&limit=2", from + 1)).await,
        [from + 15 * MINUTE, from + 30 * MINUTE]
    );
    assert_eq!(page(format!("interval=15m&endTime={}&limit=2", from + 1)).await, [from - 15 * MINUTE, from]);
    assert_eq!(page("interval=15m&limit=1".to_owned()).await, [MIDNIGHT + 12 * HOUR], "the last bar is the open one");
    assert_eq!(page("interval=15m".to_owned()).await.len(), 500);
    assert_eq!(page("interval=15m&limit=1500".to_owned()).await.len(), 1_000);
    assert_eq!(page(format!("interval=15m&startTime={to}&endTime={from}")).await, [0; 0]);
    assert_eq!(page("interval=1d&startTime=0&limit=1".to_owned()).await, [1_502_928_000_000]);
    assert_eq!(page("interval=1d&startTime=0&endTime=1500000000000".to_owned()).await, [0; 0]);
    assert_eq!(page(format!("interval=1d&startTime={}", NOW + DAY)).await, [0; 0]);
    let microseconds = page(format!("interval=15m&startTime={}&endTime={}", from * 1_000, from * 1_000)).await;
    assert_eq!(microseconds, [from]);
    assert_eq!(page("interval=1d&timeZone=8&limit=1".to_owned()).await, [MIDNIGHT - 8 * HOUR]);
    assert_eq!(page("interval=1w&limit=1".to_owned()).await, [MIDNIGHT - 5 * DAY]);
    assert_eq!(page("interval=1M&limit=2".to_owned()).await, [MIDNIGHT - 31 * DAY, MIDNIGHT]);
    let alike = ["klines", "uiKlines"].map(|name| format!("{name}?symbol=ETHUSDT&interval=5m&limit=3"));
    assert_eq!(server.get(&alike[0]).await.body, server.get(&alike[1]).await.body);
}

#[tokio::test]
async fn times_come_in_microseconds_on_demand() {
    let server = start(frozen("synthetic:42")).await;
    let target = format!("klines?symbol=BTCUSDT&interval=1m&startTime={MIDNIGHT}&limit=1");
    let answer = server.get_with(&target, &[("X-MBX-TIME-UNIT", "microsecond")]).await;
    let rows: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(rows[0][0], MIDNIGHT * 1_000);
    assert_eq!(rows[0][6], (MIDNIGHT + MINUTE) * 1_000 - 1);
    let answer = server.get_with(&target, &[("X-MBX-TIME-UNIT", "NANOSECOND")]).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("-1194"), "{}", answer.body);
}

#[tokio::test]
async fn each_endpoint_has_its_weight() {
    for (target, weight) in [
        ("ping", 1),
        ("time", 1),
        ("exchangeInfo", 20),
        ("klines?symbol=BTCUSDT&interval=1h&limit=1", 2),
        ("uiKlines?symbol=BTCUSDT&interval=1h&limit=1", 2),
        ("klines", 2),
        ("aggTrades?symbol=BTCUSDT&limit=1", 4),
        ("trades?symbol=BTCUSDT&limit=1", 25),
        ("historicalTrades?symbol=BTCUSDT&limit=1", 25),
        ("depth?symbol=BTCUSDT", 5),
        ("depth?symbol=BTCUSDT&limit=100", 5),
        ("depth?symbol=BTCUSDT&limit=101", 25),
        ("depth?symbol=BTCUSDT&limit=501", 50),
        ("depth?symbol=BTCUSDT&limit=1001", 250),
    ] {
        let server = start(frozen("synthetic:42")).await;
        assert_eq!(server.get(target).await.weight, Some(weight.to_string()), "{target}");
    }
}

#[tokio::test]
async fn too_much_weight_is_refused_and_then_banned() {
    let mut config = frozen("synthetic:42");
    config.weight_limit = Some(40);
    let server = start(config).await;
    for _ in 0..2 {
        assert_eq!(server.get("exchangeInfo").await.status, 200);
    }
    for _ in 0..5 {
        let answer = server.get("ping").await;
        assert_eq!((answer.status, answer.retry_after), (429, Some(30)));
        assert!(answer.body.contains("-1003") && answer.body.contains("current limit is 40"), "{}", answer.body);
    }
    let answer = server.get("ping").await;
    assert_eq!((answer.status, answer.retry_after), (418, Some(120)));
    assert!(answer.body.contains(&format!("IP banned until {}", NOW + 120_000)), "{}", answer.body);
    assert_eq!((server.counters.too_many(), server.counters.banned()), (5, 1));
    assert_eq!((server.counters.requests(), server.counters.heaviest_minute()), (8, 46));
}

#[tokio::test]
async fn exchange_info_lists_what_is_asked_for() {
    let server = start(frozen("synthetic:42")).await;
    let ask = async |query: &str| -> Value {
        serde_json::from_str(&server.get(&format!("exchangeInfo{query}")).await.body).unwrap()
    };
    let all = ask("").await;
    assert_eq!(all["symbols"].as_array().unwrap().len(), 33);
    assert_eq!(all["rateLimits"][0]["limit"], 6_000);
    let two = ask("?symbols=%5B%22SHIBUSDT%22,%22BTCUSDT%22%5D&showPermissionSets=false").await;
    assert_eq!(two["symbols"][0]["baseAssetPrecision"], 2);
    assert_eq!(two["symbols"][1]["filters"][0]["tickSize"], "0.01000000");
    assert_eq!(two["symbols"].as_array().unwrap().len(), 2);
    assert_eq!(ask("?symbolStatus=BREAK").await["symbols"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn the_book_has_as_many_levels_as_asked_for_in_order() {
    let server = start(frozen("synthetic:42")).await;
    for (limit, levels) in [("", 100), ("&limit=7", 7), ("&limit=9999", 5_000)] {
        let answer = server.get(&format!("depth?symbol=BTCUSDT{limit}")).await;
        let book: Value = serde_json::from_str(&answer.body).unwrap();
        let prices = |side: &str| -> Vec<f64> {
            let levels = book[side].as_array().unwrap().iter();
            levels.map(|level| level[0].as_str().unwrap().parse().unwrap()).collect()
        };
        let (bids, asks) = (prices("bids"), prices("asks"));
        assert_eq!((bids.len(), asks.len()), (levels, levels));
        assert!(bids.is_sorted_by(|one, next| one > next) && asks.is_sorted_by(|one, next| one < next));
        assert!(bids[0] < asks[0]);
    }
}

#[tokio::test]
async fn a_clock_that_is_not_frozen_runs() {
    let mut config = frozen("synthetic:42");
    config.clock = Clock::Real;
    let server = start(config).await;
    let answer: Value = serde_json::from_str(&server.get("time").await.body).unwrap();
    assert!(answer["serverTime"].as_i64().unwrap() > NOW);
}
