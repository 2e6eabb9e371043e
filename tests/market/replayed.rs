//! Streams that are recorded and played again through the whole platform: the same bytes at any speed.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};
use streamforge_exchange::{
    capture::{Capture, Recorded},
    frame::{Frame, frame},
};

use crate::support::{Answer, Folder, Running, until};

/// A minute of this market goes by in a second.
const START: &str = "2026-01-05T12:00:10Z";
const SPEED: &str = "60";
const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];

/// A market of its own process; gone when dropped.
struct Market {
    _process: Running,
    url: String,
}

impl Market {
    fn serve(options: &[&str]) -> Self {
        let source = ["exchange", "serve", "--source", "synthetic:42,symbols=40,pace=5", "--listen", "127.0.0.1:0"];
        let mut process = Running::start(&[&source[..], options, &["--json"]].concat());
        let url = format!("http://{}", process.first_json()["listening"].as_str().unwrap());
        Self { _process: process, url }
    }

    /// Waits until so many milliseconds have gone by in it.
    fn wait(&self, millis: i64) {
        let now = || Answer::get(&format!("{}/api/v3/time", self.url)).body["serverTime"].as_i64().unwrap();
        let begun = now();
        until("the market's time", || (now() >= begun + millis).then_some(()));
    }

    /// What it says to a question over REST.
    fn rows(&self, target: &str) -> Vec<Value> {
        let answer = Answer::get(&format!("{}/api/v3/{target}", self.url));
        answer.body.as_array().unwrap_or_else(|| panic!("{target}: {answer:?}")).clone()
    }
}

fn record(market: &Market, folder: &Path, more: &[&str]) -> Running {
    let symbols = SYMBOLS.join(",");
    let folder = folder.display().to_string();
    let asked = ["record", "--symbol", &symbols, "--stream", "ws_trades,ws_orderbook", "--stream", "ws_candles_1m"];
    Running::start(&[&asked[..], &["--output", &folder, "--exchange", &market.url, "--json"], more].concat())
}

/// Trades of a symbol in the files of a recording, by id.
fn trades(folder: &Path, wanted: &str) -> Vec<u64> {
    let Ok(capture) = Capture::open(folder) else { return Vec::new() };
    let mut ids: Vec<u64> = capture
        .filter_map(|recorded| match frame(&recorded.ok()?.json, None) {
            Ok(Frame::AggTrade { symbol, trade }) if symbol == wanted => Some(trade.id),
            _ => None,
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// How many bars were recorded to their end, of the symbol with the fewest.
fn bars(folder: &Path) -> usize {
    let closed = |recorded: Recorded| match frame(&recorded.json, None) {
        Ok(Frame::Kline { symbol, is_closed: true, kline, .. }) => Some((symbol.into_owned(), kline.open_time)),
        _ => None,
    };
    let Ok(capture) = Capture::open(folder) else { return 0 };
    let bars: BTreeSet<_> = capture.filter_map(|recorded| closed(recorded.ok()?)).collect();
    SYMBOLS.map(|wanted| bars.iter().filter(|(symbol, _)| symbol == wanted).count()).into_iter().min().unwrap()
}

/// What was stored of a symbol, as people would see it.
fn exported(folder: &Folder, symbol: &str) -> [String; 2] {
    let trades = ["export", "trades", "--symbol", symbol, "--format", "csv"];
    let bars = ["export", "candles", "--symbol", symbol, "--interval", "1m", "--format", "csv"];
    [folder.command(&trades).succeeded(), folder.command(&bars).succeeded()]
}

#[test]
fn a_recording_is_replayed_to_the_same_bytes_at_any_speed() {
    let market = Market::serve(&["--start", START, "--speed", SPEED]);
    let folder = Folder::new();
    let recording = folder.path("recording");
    let recorder = record(&market, &recording, &[]);
    until("recorded bars", || (bars(&recording) > 4).then_some(()));
    let ended = recorder.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let summary = ended.last_json();
    assert_eq!((&summary["gaps"], &summary["dropped"], &summary["snapshots"]), (&json!(0), &json!(0), &json!(2)));

    let graph = json!([
        {"target": "graph-builder", "type": "realtime_graph", "interval": "1m", "window": 3, "threshold": 0, "k": 0,
         "minimum_observations": 2, "collection_output": "live"},
    ]);
    let graph = folder.write("graph.json", graph.to_string());
    let mut before = None;
    for speed in ["1", "max"] {
        let folder = Folder::new();
        let path = recording.display().to_string();
        let summary = folder.json(&["replay", &path, &graph, "--speed", speed]);
        assert_eq!([&summary["gaps"], &summary["interruptions"]], [&json!(0); 2], "{summary}");
        let stored = SYMBOLS.map(|symbol| exported(&folder, symbol));
        let all = (stored, folder.graph()["edges"].clone(), folder.graph()["to"].clone());
        assert!(all.1.as_array().is_some_and(|edges| edges.len() == 1), "{all:?} {summary}");
        assert_eq!(*before.get_or_insert(all.clone()), all, "at speed {speed}");
        assert_eq!(folder.dead_letters(), Vec::<Value>::new());
    }

    let calm = Market::serve(&["--start", "2026-01-06", "--speed", "1"]);
    let (stored, ..) = before.unwrap();
    for (symbol, [trades, bars]) in SYMBOLS.into_iter().zip(stored) {
        let first = trades.split(',').next().unwrap().to_owned();
        let served = calm.rows(&format!("aggTrades?symbol={symbol}&fromId={first}&limit=1000"));
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert!((10..1_000).contains(&trades.lines().count()), "{trades}");
        for (line, row) in trades.lines().zip(&served) {
            assert_eq!(line, ["a", "p", "q", "T", "m"].map(|key| text(&row[key])).join(","), "{symbol}");
        }
        let open = bars.split(',').next().unwrap().to_owned();
        let served = calm.rows(&format!("klines?symbol={symbol}&interval=1m&startTime={open}&limit=1000"));
        assert!(bars.lines().count() >= 3, "{bars}");
        for (line, row) in bars.lines().zip(&served) {
            let row: Vec<String> = row.as_array().unwrap().iter().map(text).collect();
            assert_eq!(line, row.join(","), "{symbol}");
        }
    }
}

#[test]
fn a_killed_recorder_leaves_what_it_had_and_its_absence_is_declared() {
    let market = Market::serve(&["--start", START, "--speed", SPEED]);
    let folder = Folder::new();
    let recording = folder.path("recording");
    let mut first = record(&market, &recording, &[]);
    until("recorded bars", || (bars(&recording) > 0).then_some(()));
    first.signal("-9");
    assert_eq!(first.wait().code, None);
    let held = SYMBOLS.map(|symbol| trades(&recording, symbol));
    let held_bars = bars(&recording);
    // Half a member at the end is what a process leaves that is killed while it writes.
    let file = fs::read_dir(&recording)
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ethusdt")));
    let file = file.unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend_from_within(..bytes.len().min(300));
    fs::write(&file, bytes).unwrap();

    // Long enough for a whole bar.
    market.wait(150_000);
    let second = record(&market, &recording, &[]);
    until("bars after the pause", || (bars(&recording) > held_bars + 1).then_some(()));
    let ended = second.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let path = recording.display().to_string();
    let summary = folder.json(&["replay", &path, "--speed", "max"]);
    // Trades, bars and book of each symbol: what was missed while nobody recorded, and nothing else.
    assert_eq!((summary["gaps"].as_u64(), &summary["left"], &summary["filled"]), (Some(6), &json!(6), &json!(0)));
    for (symbol, held) in SYMBOLS.into_iter().zip(held) {
        let all = trades(&recording, symbol);
        assert!(all.starts_with(&held) && all.len() > held.len(), "{symbol}");
        let breaks = all.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
        assert_eq!(breaks, 1, "{symbol}");
        let [stored, _] = exported(&folder, symbol);
        let stored: Vec<u64> = stored.lines().map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
        assert_eq!(stored, all, "{symbol}");
    }
}

#[test]
fn a_recording_comes_to_its_end_by_itself_after_its_time() {
    let market = Market::serve(&["--start", START]);
    let folder = Folder::new();
    let ended = record(&market, &folder.path("recording"), &["--for", "1s"]).wait();
    assert!(ended.code == Some(0) && ended.last_json()["gaps"] == 0, "{ended:?}");
}

#[test]
fn what_cannot_be_recorded_or_replayed_is_told() {
    let folder = Folder::new();
    let file = folder.write("other/notes.txt", "mine");
    let other = Path::new(&file).parent().unwrap().display().to_string();
    let market = Market::serve(&["--start", START]);
    for (output, words) in [(other.as_str(), "notes.txt"), (&file, "notes.txt")] {
        let asked = ["record", "--symbol", "BTCUSDT", "--stream", "ws_trades", "--exchange", &market.url];
        let ended = folder.command(&[&asked[..], &["--output", output]].concat());
        assert!(matches!(ended.code, Some(1 | 64)) && ended.stderr.contains(words), "{ended:?}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    let ended = folder.command(&["replay", &other]);
    assert!(ended.code == Some(64) && ended.stderr.contains(".gz"), "{ended:?}");
}
