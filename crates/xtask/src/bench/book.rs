//! An order book under differences of twenty levels, beside the books of others that are told the same.

use std::{fs, hint::black_box, time::Instant};

use anyhow::{Context as _, Result, ensure};
use streamforge_exchange::book::{Book, Follower, Progress, Side};

use super::{
    Unit, figure,
    market::{CHANGES, DIFFERENCES, depth_frames, market},
    peers::Peers,
    report::absent,
};

const RUNS: usize = 7;
/// What others are told, and who they are.
const OTHERS: &[(&str, &str)] = &[
    ("barter-levels", "barter-data"),
    ("hftbacktest-vector", "hftbacktest, a vector of 200 in price"),
    ("hftbacktest-map", "hftbacktest, a hash map"),
    ("hftbacktest-tree", "hftbacktest, a tree"),
    ("order_book-levels", "order_book in C for Python"),
];

/// Measures the same differences on a new book in each run.
pub(super) fn run() -> Result<()> {
    let (snapshot, differences) = market()?;
    let (mut levels, mut rates) = (Vec::new(), Vec::new());
    let mut top = None;
    for _ in 0..RUNS {
        let mut follower = Follower::default();
        ensure!(follower.snapshot(&snapshot) == Progress::Applied, "the book has its snapshot");
        let started = Instant::now();
        for difference in &differences {
            ensure!(follower.difference(difference) == Progress::Applied, "no difference is missing");
            black_box(follower.book().and_then(|book| Some((book.best(Side::Bid)?, book.best(Side::Ask)?))));
        }
        let seconds = started.elapsed().as_secs_f64();
        rates.push(f64::from(DIFFERENCES) / seconds);
        levels.push(nanoseconds(seconds));
        top = follower.book().and_then(Book::top);
    }
    figure("order book: a level of a difference, best levels read after each of 20", Unit::Nanoseconds, levels);
    figure("order book: differences of 20 levels", Unit::PerSecond("differences"), rates);

    let top = top.context("a book with both sides")?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("depth");
    fs::write(&path, depth_frames(&snapshot, &differences))?;
    let mut peers = Peers::start();
    for (order, who) in OTHERS {
        let order = format!("{order} {} {} {}", path.display(), top.bid.price, top.ask.price);
        peers.figure(&format!("order book: a level, {who}"), &order, Unit::Nanoseconds, nanoseconds);
    }
    absent(
        "order book: a level, hftbacktest for Python",
        "its depth takes changes from a running backtest only; the crate below it is measured instead",
    );
    Ok(())
}

fn nanoseconds(seconds: f64) -> f64 {
    seconds * 1e9 / f64::from(DIFFERENCES * CHANGES)
}
