//! `streamforge book`: an order book made of recorded frames, as it was after an update, for others to check.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::{Value, json};
use streamforge_events::Symbol;
use streamforge_exchange::{
    book::{Book, Broken, Follower, Progress, Reset, Side},
    capture::Capture,
    frame::{Frame, frame},
};

use super::{
    exit::{Failure, Outcome},
    output,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folder of recorded frames: differences, and the snapshots that they go on from.
    #[arg(long, value_name = "FOLDER")]
    replay: PathBuf,
    /// Whose book.
    #[arg(long, value_name = "SYMBOL")]
    symbol: Symbol,
    /// The last update to go through; the recording's last one where it is not given.
    #[arg(long, value_name = "UPDATE_ID")]
    at: Option<u64>,
}

pub(super) fn execute(arguments: &Arguments) -> Outcome {
    let mut replayed = Replayed::default();
    let place = arguments.replay.display();
    for recorded in Capture::open(&arguments.replay).map_err(|error| Failure::Configuration(error.to_string()))? {
        let recorded = recorded.map_err(|error| Failure::failed(&error))?;
        let limit = recorded.parameter("limit").and_then(|limit| limit.parse().ok());
        let read = frame(&recorded.json, limit)
            .map_err(|error| Failure::Failed(format!("{place}, received at {}: {error}", recorded.received)))?;
        let asked = recorded.symbol();
        if !replayed.go_on(&read, asked, arguments.symbol.as_str(), arguments.at.unwrap_or(u64::MAX)) {
            break;
        }
    }
    let shown = replayed.shown(arguments).map_err(Failure::Failed)?;
    Ok(output::value(&shown)?)
}

/// The book so far.
#[derive(Default)]
struct Replayed {
    follower: Follower,
    /// Why there is no book, where there was one.
    lost: Option<Reset>,
    /// Symbols of the recording.
    symbols: BTreeSet<String>,
}

impl Replayed {
    /// Takes a frame; says whether there is more to take.
    fn go_on(&mut self, read: &Frame<'_>, asked: Option<&str>, wanted: &str, at: u64) -> bool {
        let progress = match read {
            Frame::Depth { symbol, difference, .. } => {
                if !self.symbols.contains(&**symbol) {
                    self.symbols.insert(symbol.clone().into_owned());
                }
                if symbol != wanted {
                    return true;
                }
                if difference.last > at {
                    // A snapshot that comes later may still be early enough.
                    return self.follower.book().is_none();
                }
                self.follower.difference(difference)
            }
            Frame::Snapshot(snapshot) if asked.map_or_else(|| self.is_alone(wanted), |asked| asked == wanted) => {
                self.follower.snapshot(snapshot)
            }
            _ => return true,
        };
        match progress {
            Progress::Reset(reset) => self.lost = Some(reset),
            Progress::Applied => self.lost = None,
            Progress::Known | Progress::Waiting => {}
        }
        true
    }

    /// Whether a snapshot that does not say whose it is can only be of this symbol.
    fn is_alone(&self, wanted: &str) -> bool {
        self.symbols.iter().all(|symbol| symbol == wanted)
    }

    fn shown(&self, arguments: &Arguments) -> Result<Value, String> {
        let Arguments { replay, symbol, at } = arguments;
        let place = replay.display();
        let book = self.follower.book().filter(|_| self.symbols.contains(symbol.as_str()));
        let Some(book) = book else {
            if let Some(reset) = self.lost {
                return Err(format!("{place} has no snapshot of {symbol} to go on from after {}", words(reset)));
            }
            let there: Vec<&str> = self.symbols.iter().map(String::as_str).collect();
            let there = there.join(", ");
            return Err(format!("{place} has no book of {symbol}; its differences are of {there}"));
        };
        match at {
            Some(at) if book.last_update_id() > *at => {
                Err(format!("the book of {symbol} in {place} begins after update {at}, with {}", book.last_update_id()))
            }
            _ => Ok(shown(symbol, book)),
        }
    }
}

fn shown(symbol: &Symbol, book: &Book) -> Value {
    let levels = |side| -> Vec<Value> { book.depth(side).map(|level| json!([level.price, level.quantity])).collect() };
    let broken = book.broken().map(|broken| match broken {
        Broken::Crossed => "the best bid is not below the best ask",
        Broken::BeyondEdge(Side::Bid) => "the price has left the snapshot's window: better bids may be missing",
        Broken::BeyondEdge(Side::Ask) => "the price has left the snapshot's window: better asks may be missing",
    });
    json!({
        "symbol": symbol, "last_update_id": book.last_update_id(), "broken": broken,
        "bids": levels(Side::Bid), "asks": levels(Side::Ask),
    })
}

fn words(reset: Reset) -> String {
    match reset {
        Reset::Gap { from, to } => format!("updates {from} to {to}, which are missing"),
        Reset::StaleSnapshot { snapshot, first } => format!("a snapshot of update {snapshot}, older than {first}"),
        Reset::Disordered { first, last } => format!("a difference from {first} back to {last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(symbol: &str, first: u64, last: u64) -> String {
        format!(
            r#"{{"stream":"x@depth","data":{{"E":1,"s":"{symbol}","U":{first},"u":{last},"b":[["5","{last}"]],"a":[]}}}}"#
        )
    }

    fn replayed(frames: &[String], at: Option<u64>) -> Result<Value, String> {
        let mut replayed = Replayed::default();
        for json in frames {
            if !replayed.go_on(&frame(json, None).unwrap(), None, "BTCUSDT", at.unwrap_or(u64::MAX)) {
                break;
            }
        }
        replayed.shown(&Arguments { replay: "folder".into(), symbol: "BTCUSDT".parse().unwrap(), at })
    }

    fn frames() -> Vec<String> {
        let snapshot = r#"{"lastUpdateId":4,"bids":[["5.00000000","2"]],"asks":[["6","1"]]}"#.to_owned();
        vec![depth("BTCUSDT", 3, 4), snapshot, depth("ETHUSDT", 1, 9), depth("BTCUSDT", 5, 7), depth("BTCUSDT", 8, 9)]
    }

    #[test]
    fn the_book_is_printed_as_it_was_after_an_update() {
        for (at, update, quantity) in [(None, 9, "9"), (Some(9), 9, "9"), (Some(8), 7, "7"), (Some(4), 4, "2")] {
            let book = replayed(&frames(), at).unwrap();
            assert_eq!((&book["last_update_id"], &book["bids"]), (&json!(update), &json!([["5.00000000", quantity]])));
            assert_eq!(book["asks"], json!([["6.00000000", "1"]]));
            assert!(book["broken"].is_null());
        }
    }

    #[test]
    fn what_waits_for_the_snapshot_does_not_go_beyond_the_update() {
        let mut frames = frames();
        frames.insert(1, depth("BTCUSDT", 5, 7));
        assert_eq!(replayed(&frames, Some(4)).unwrap()["last_update_id"], 4);
        assert_eq!(replayed(&frames, Some(7)).unwrap()["last_update_id"], 7);
    }

    #[test]
    fn what_is_not_there_is_told() {
        let told = replayed(&frames(), Some(3)).unwrap_err();
        assert!(told.contains("begins after update 3"), "{told}");
        let told = replayed(&frames()[1..3], None).unwrap_err();
        assert!(told.contains("ETHUSDT"), "{told}");
        let mut gap = frames();
        gap.push(depth("BTCUSDT", 12, 13));
        let told = replayed(&gap, None).unwrap_err();
        assert!(told.contains("updates 10 to 11"), "{told}");
    }
}
