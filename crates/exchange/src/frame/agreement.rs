//! Both readers of frames say the same of every text, digit for digit: of recorded frames and of damaged ones.

use std::path::Path;

use fastrand::Rng;

use super::{Reader, frame, general, quick};
use crate::capture::Capture;

const USUAL: &[&str] = &[
    r#"{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1723161602217,"s":"BTCUSDT","a":3082918,"p":"61684.01000000","q":"0.00009000","f":3735693047,"l":3735693048,"T":1723161602210,"m":true,"M":true}}"#,
    r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161602217,"s":"BTCUSDT","t":3735693047,"p":"61684.01000000","q":"0.00009000","T":1723161602210,"m":false,"M":true}}"#,
    r#"{"stream":"btcusdt@bookTicker","data":{"u":50093425744,"s":"BTCUSDT","b":"61711.98000000","B":"3.22026000","a":"61711.99000000","A":"0.05831000"}}"#,
    r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255308,"s":"BTCUSDT","U":50093239203,"u":50093239207,"b":[["55653.87000000","0.00000000"]],"a":[["61838.04000000","0.32332000"],["61844.30000000","12"]]}}"#,
    r#"{"stream":"x@depth","data":{"e":"depthUpdate","E":0,"s":"","U":0,"u":0,"b":[],"a":[]}}"#,
];

const UNUSUAL: &[&str] = &[
    r#"{"stream":"x@trade","data":{"e":"trade","E":8,"s":"X","t":5,"p":"1","q":"2","T":7,"m":true}}"#,
    r#"{"stream":"x@depth20","data":{}}"#,
    r#"{"lastUpdateId":4,"bids":[["1","2"]],"asks":[["3","4"],["5","6"]]}"#,
    r#"{"result":null,"id":1}"#,
];

/// Pieces that are near what a frame is made of.
const PIECES: &[&str] = &[
    "0",
    "9",
    "00000000",
    "123456789",
    "18446744073709551615",
    "9223372036854775808",
    "-",
    "+",
    ".",
    "e5",
    "E",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0041",
    "\n",
    " ",
    "\u{1}",
    "{",
    "}",
    "[",
    "]",
    "[\"1\",\"2\"],",
    "@",
    "true",
    "false",
    "null",
    "\u{e9}",
    "\u{5e01}",
    "depth",
    "@100ms",
    "\"a\":5,",
    "aggTrade",
];

/// Scales are shown, while equal decimals may have different ones.
fn shown(read: Result<super::Frame<'_>, impl std::error::Error>) -> Result<String, ()> {
    read.map(|frame| format!("{frame:?}")).map_err(|_| ())
}

fn assert_agreement(reader: &mut Reader, json: &str) {
    assert_eq!(shown(reader.read(json, None)), shown(general::frame(json, None)), "{json}");
}

fn damaged(chance: &mut Rng, all: &[&str]) -> String {
    let mut text: Vec<char> = chance.choice(all).unwrap().chars().collect();
    for _ in 0..chance.usize(1..4) {
        let start = chance.usize(..=text.len());
        let end = (start + chance.usize(..4)).min(text.len());
        match chance.u8(..4) {
            0 => drop(text.drain(start..end)),
            1 => drop(text.splice(start..end, chance.choice(PIECES).unwrap().chars())),
            2 => {
                // A digit for a digit keeps most frames whole.
                if let Some(digit) = text[start..].iter_mut().find(|one| one.is_ascii_digit()) {
                    *digit = char::from(chance.u8(b'0'..=b'9'));
                }
            }
            _ => {
                let other: Vec<char> = chance.choice(all).unwrap().chars().collect();
                let from = chance.usize(..=other.len());
                text.splice(start..end, other[from..(from + chance.usize(..40)).min(other.len())].iter().copied());
            }
        }
    }
    text.into_iter().collect()
}

#[test]
fn usual_frames_are_read_quickly_and_alike() {
    let mut reader = Reader::default();
    for json in USUAL {
        assert!(quick::frame(json, &mut Reader::default()).is_some(), "{json}");
        assert_agreement(&mut reader, json);
    }
}

#[test]
fn damaged_frames_are_read_alike_or_refused_alike() {
    let mut chance = Rng::with_seed(11);
    let all: Vec<&str> = USUAL.iter().chain(UNUSUAL).copied().collect();
    let (mut reader, mut quickly) = (Reader::default(), 0);
    for _ in 0..100_000 {
        let json = damaged(&mut chance, &all);
        assert_agreement(&mut reader, &json);
        quickly += usize::from(quick::frame(&json, &mut Reader::default()).is_some());
    }
    assert!((10_000..90_000).contains(&quickly), "both ways are tried: {quickly}");
}

#[test]
fn recorded_frames_are_read_alike() {
    for folder in ["hftbacktest_spot", "cryptofeed"] {
        let captures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/ws_captures"));
        let folder = captures.join(folder);
        if !folder.is_dir() {
            eprintln!("skipped: {} is not there", folder.display());
            continue;
        }
        let mut reader = Reader::default();
        for recorded in Capture::open(&folder).unwrap() {
            assert_agreement(&mut reader, &recorded.unwrap().json);
        }
    }
}

#[test]
fn a_difference_that_is_handed_back_gives_its_room_and_nothing_else() {
    let mut reader = Reader::default();
    let super::Frame::Depth { difference, .. } = reader.read(USUAL[3], None).unwrap() else { panic!("a difference") };
    let room = difference.asks.as_ptr();
    reader.reuse(difference);
    let super::Frame::Depth { difference, .. } = reader.read(USUAL[3], None).unwrap() else { panic!("a difference") };
    assert_eq!((difference.bids.len(), difference.asks.len(), difference.asks.as_ptr()), (1, 2, room));
    reader.reuse(difference);
    assert_eq!(shown(reader.read(USUAL[4], None)), shown(frame(USUAL[4], None)));
}
