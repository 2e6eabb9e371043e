//! The book of a recording is printed as the exchange's own best bid and ask say it was.

use serde_json::{Value, json};

use crate::{recording::recordings, support::Running};

fn book(folder: &str, symbol: &str, at: u64) -> Value {
    let at = at.to_string();
    let printed = Running::start(&["book", "--replay", folder, "--symbol", symbol, "--at", &at]).wait().succeeded();
    serde_json::from_str(&printed).unwrap()
}

#[test]
fn the_book_of_a_recording_is_printed_after_an_update() {
    let Some(folder) = recordings("ws_captures/hftbacktest_spot") else { return };
    let folder = folder.display().to_string();
    // The first file ends with these best levels, and the second begins with the update that brought them.
    let shown = book(&folder, "BTCUSDT", 50_093_421_612);
    assert_eq!(shown["last_update_id"], 50_093_421_612_u64);
    assert_eq!(shown["bids"][0], json!(["61685.99000000", "1.25869000"]));
    assert_eq!(shown["asks"][0], json!(["61686.00000000", "2.44807000"]));
    assert!(shown["broken"].is_null());
    assert!(shown["bids"].as_array().unwrap().len() > 500);

    let other = Running::start(&["book", "--replay", &folder, "--symbol", "ETHUSDT"]).wait();
    assert_eq!(other.code, Some(1));
    assert!(other.stderr.contains("its differences are of BTCUSDT"), "{other:?}");
}
