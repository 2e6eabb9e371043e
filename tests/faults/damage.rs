//! A store whose file is damaged: the start is refused with words, a repair keeps what is whole, and the same request
//! run again loads what is lost.

use std::fs;

use fastrand::Rng;
use serde_json::Value;

use crate::{
    outcome::{exchange, request},
    support::Folder,
};

const PAGE: usize = 8192;
const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];

#[test]
fn what_a_damaged_store_has_lost_is_loaded_again() {
    let (folder, exchange) = (Folder::new(), exchange());
    let request = request(&folder);
    folder.run(&request, exchange.url());
    let klines = SYMBOLS.map(|symbol| folder.candles(symbol, "1m"));
    let store = folder.path("data/store.db");
    let seed =
        std::env::var("STREAMFORGE_SEED").map_or_else(|_| fastrand::u64(..1 << 32), |seed| seed.parse().unwrap());
    let mut random = Rng::with_seed(seed);
    let harms: [fn(&mut Vec<u8>, &mut Rng); 3] =
        [|bytes, random| noise(bytes, random), half, |bytes, random| no_beginning(bytes, random)];
    for damage in harms {
        let mut bytes = fs::read(&store).unwrap();
        damage(&mut bytes, &mut random);
        fs::write(&store, &bytes).unwrap();
        let round = format!("STREAMFORGE_SEED={seed}: {} bytes left", bytes.len());
        eprintln!("{round}");

        let refused = folder.command(&["run", &request, "--exchange", exchange.url()]);
        assert_eq!(refused.code, Some(1), "{round}: {refused:?}");
        for words in ["store.db", "streamforge repair"] {
            assert!(refused.stderr.contains(words), "{round}: no `{words}`: {refused:?}");
        }
        let repaired = folder.json(&["repair"]);
        assert_eq!(repaired["log"], Value::Null, "{round}: the log is whole");
        let damaged = repaired["store"]["damaged"].as_str().unwrap();
        assert!(fs::read(damaged).unwrap() == bytes, "{round}: the damaged file is not kept");

        let report = folder.json(&["run", &request, "--again", "--exchange", exchange.url()]);
        for symbol in SYMBOLS {
            assert_eq!(report["coverage"][symbol]["gaps"], Value::Array(Vec::new()), "{round}");
        }
        assert!(SYMBOLS.map(|symbol| folder.candles(symbol, "1m")) == klines, "{round}: the klines differ");
        assert_eq!(folder.json(&["repair"])["store"], Value::Null, "{round}: a repaired store is whole");
    }
}

/// Some pages behind the first one are overwritten; of a store of klines nearly all pages hold some.
fn noise(bytes: &mut [u8], random: &mut Rng) {
    for _ in 0..20 {
        let page = random.usize(1..bytes.len() / PAGE);
        bytes[page * PAGE..(page + 1) * PAGE].fill_with(|| random.u8(..));
    }
}

fn half(bytes: &mut Vec<u8>, random: &mut Rng) {
    bytes.truncate(bytes.len() / 2 + random.usize(..PAGE));
}

fn no_beginning(bytes: &mut [u8], random: &mut Rng) {
    bytes[..PAGE].fill_with(|| random.u8(..));
}
