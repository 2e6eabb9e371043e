//! How a figure is told: minimum, median and maximum of its runs, and how busy the machine was meanwhile.

use std::fs;

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    /// Whole things a second.
    PerSecond(&'static str),
    /// Thousandths of a second.
    Milliseconds,
    /// Millionths of a second.
    Microseconds,
    /// Thousand-millionths of a second.
    Nanoseconds,
    /// How many times as much.
    Times,
    /// 2^20 bytes of memory or disk.
    Mebibytes,
}

/// Prints the head of the table.
#[expect(clippy::print_stdout, reason = "the figures are this program's output")]
pub(crate) fn head() {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{cores} cores, load {} at the start\n", load());
    println!("| what | minimum | median | maximum | unit | runs | load |\n|---|---|---|---|---|---|---|");
}

/// Prints one figure from the values of its runs.
#[expect(clippy::print_stdout, reason = "the figures are this program's output")]
pub(crate) fn figure(what: &str, unit: Unit, mut runs: Vec<f64>) {
    runs.sort_by(f64::total_cmp);
    let [Some(least), Some(median), Some(most)] = [runs.first(), runs.get(runs.len() / 2), runs.last()] else {
        return;
    };
    let show = |value: &f64| unit.show(*value);
    println!(
        "| {what} | {} | {} | {} | {} | {} | {} |",
        show(least),
        show(median),
        show(most),
        unit.name(),
        runs.len(),
        load()
    );
}

/// Prints that there is no figure, and why.
#[expect(clippy::print_stdout, reason = "the figures are this program's output")]
pub(crate) fn absent(what: &str, reason: &str) {
    println!("| {what} | | absent: {} | | | 0 | {} |", reason.replace('|', "/"), load());
}

impl Unit {
    fn name(self) -> String {
        match self {
            Self::PerSecond(things) => format!("{things}/s"),
            Self::Milliseconds => "ms".to_owned(),
            Self::Microseconds => "us".to_owned(),
            Self::Nanoseconds => "ns".to_owned(),
            Self::Times => "times".to_owned(),
            Self::Mebibytes => "MiB".to_owned(),
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond(_) => format!("{value:.0}"),
            Self::Milliseconds => format!("{value:.3}"),
            Self::Nanoseconds | Self::Microseconds | Self::Mebibytes => format!("{value:.1}"),
            Self::Times => format!("{value:.2}"),
        }
    }
}

/// The machine's load over the last minute, the bench itself included.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}
