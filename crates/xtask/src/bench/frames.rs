//! Frames of the exchange read, and depth updates read and applied, beside libraries of others on the same frames.

use std::{fs, hint::black_box, path::Path, time::Instant};

use anyhow::{Context as _, Result, ensure};
use streamforge_exchange::{
    book::{Book, Follower, Progress, Top},
    frame::{Frame, Reader},
};

use super::{
    Unit, figure,
    market::{CHANGES, DIFFERENCES, TRADES, depth_frames, market, trade_frames},
    peers::Peers,
};

const RUNS: usize = 7;

/// Measures ours first, then the others.
pub(super) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut peers = Peers::start();
    for (stream, order, who) in [
        ("aggTrade", "cryptofeed-trades", "cryptofeed for Python"),
        ("trade", "barter-trades", "barter-data, no combined stream"),
    ] {
        let text = trade_frames(stream);
        figure(&format!("frames `{stream}` read"), Unit::PerSecond("frames"), trades(&text)?);
        let order = format!("{order} {}", written(folder.path(), stream, &text)?);
        peers.figure(&format!("frames `{stream}`, {who}"), &order, Unit::PerSecond("frames"), |seconds| {
            f64::from(TRADES) / seconds
        });
    }

    let (snapshot, differences) = market()?;
    let text = depth_frames(&snapshot, &differences);
    let (seconds, top) = depth(&text)?;
    let rate = |seconds: f64| f64::from(DIFFERENCES) / seconds;
    let rates = seconds.iter().copied().map(rate).collect();
    let levels = seconds.iter().map(|seconds| seconds * 1e9 / f64::from(DIFFERENCES * CHANGES)).collect();
    figure("depth updates of 20 levels read and applied", Unit::PerSecond("updates"), rates);
    figure("a level of them", Unit::Nanoseconds, levels);
    let path = written(folder.path(), "depth", &text)?;
    for (order, who) in [("cryptofeed-depth", "cryptofeed for Python"), ("barter-depth", "barter-data")] {
        let order = format!("{order} {path} {} {}", top.bid.price, top.ask.price);
        peers.figure(&format!("depth updates, {who}"), &order, Unit::PerSecond("updates"), rate);
    }
    Ok(())
}

/// Frames a second.
fn trades(text: &str) -> Result<Vec<f64>> {
    let frames: Vec<&str> = text.lines().collect();
    let mut rates = Vec::new();
    for _ in 0..RUNS {
        let mut reader = Reader::default();
        let started = Instant::now();
        for frame in &frames {
            let read = black_box(reader.read(frame, None)?);
            ensure!(matches!(read, Frame::AggTrade { .. } | Frame::Trade { .. }), "a trade is read as one");
        }
        rates.push(f64::from(TRADES) / started.elapsed().as_secs_f64());
    }
    Ok(rates)
}

/// Seconds, and the best levels in the end.
fn depth(text: &str) -> Result<(Vec<f64>, Top)> {
    let mut lines = text.lines();
    let snapshot = lines.next().context("a snapshot")?;
    let frames: Vec<&str> = lines.collect();
    let (mut runs, mut top) = (Vec::new(), None);
    for _ in 0..RUNS {
        let (mut reader, mut follower) = (Reader::default(), Follower::default());
        if let Frame::Snapshot(snapshot) = reader.read(snapshot, Some(5_000))? {
            follower.snapshot(&snapshot);
        }
        let started = Instant::now();
        for frame in &frames {
            let Frame::Depth { difference, .. } = reader.read(frame, None)? else { continue };
            ensure!(follower.difference(&difference) == Progress::Applied, "no difference is missing");
            reader.reuse(difference);
            top = black_box(follower.book().and_then(Book::top));
        }
        runs.push(started.elapsed().as_secs_f64());
    }
    Ok((runs, top.context("a book with both sides")?))
}

fn written(folder: &Path, name: &str, text: &str) -> Result<String> {
    let path = folder.join(name);
    fs::write(&path, text)?;
    Ok(path.display().to_string())
}
