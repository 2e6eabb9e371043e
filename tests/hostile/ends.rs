//! Failures that do not pass end the workflow, once, with words that name them, and after few requests.

use serde_json::json;

use crate::{
    support::{Exchange, Folder},
    workflow::{MINUTES, MINUTES_DAYS, SYMBOLS, assert_ended_once, klines, request},
};

/// More than a load of this size sends while it gives up.
const FEW: u64 = 200;

/// Runs the request to a bad end and returns what it says.
fn fail(folder: &Folder, request: &str, exchange: &Exchange) -> String {
    let ended = folder.command(&["run", request, "--exchange", exchange.url()]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let report = ended.last_json();
    assert_eq!(report["status"], "error");
    assert!(exchange.requests() < FEW, "{} requests", exchange.requests());
    report["error_message"].as_str().unwrap().to_owned()
}

#[test]
fn an_exchange_that_lies_for_ever_is_given_up() {
    for (faults, words, is_stored) in [
        ("stuck:1", "only others, again and again", true),
        ("absurd:1", "something else than", false),
        ("huge:1", "larger than 1048576 bytes", false),
        ("geo:1", "restricted location", false),
    ] {
        let (folder, exchange) = (Folder::new(), Exchange::hostile(faults));
        let message = fail(&folder, &request(&folder, "request.json", MINUTES_DAYS, &json!({})), &exchange);
        assert!(message.contains(words), "{faults}: {message}");
        assert_ended_once(&folder, 1);
        let export = folder.command(&["export", "candles", "--symbol", SYMBOLS[0], "--interval", "1m"]);
        assert!(is_stored || export.stderr.contains("not stored"), "{faults}: {export:?}");
    }
}

#[test]
fn a_symbol_that_vanishes_ends_the_workflow_and_loses_nothing() {
    let folder = Folder::new();
    let minutes = request(&folder, "request.json", MINUTES_DAYS, &json!({}));
    let exchange = Exchange::hostile("vanish:ETHUSDT@3");
    let message = fail(&folder, &minutes, &exchange);
    assert!(message.contains("symbol=ETHUSDT") && message.contains("-1121: Invalid symbol."), "{message}");
    assert_ended_once(&folder, 1);

    // What was loaded before is stored, at the latest by the next run, and the rest can be loaded.
    let calm = Exchange::hostile("");
    let report = folder.json(&["run", &minutes, "--again", "--exchange", calm.url()]);
    assert_eq!(report["status"], "finished");
    for symbol in SYMBOLS {
        assert_eq!(report["coverage"][symbol]["rows"], MINUTES);
        assert_eq!(report["coverage"][symbol]["gaps"], json!([]));
    }
    let other = Folder::new();
    other.run(&request(&other, "request.json", MINUTES_DAYS, &json!({})), calm.url());
    assert!(klines(&folder) == klines(&other));
    assert_ended_once(&folder, 2);
}
