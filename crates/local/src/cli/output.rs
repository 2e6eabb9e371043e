//! What a command prints: text for people, JSON for programs, nothing after the reader has gone.

use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write};

use serde::Serialize;

/// Where a command prints to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a program reads the output.
    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Whether progress can be drawn for a person.
    pub(super) fn shows_progress(self) -> bool {
        !self.json && io::stderr().is_terminal()
    }
}

/// Returns standard output, locked and buffered; the caller flushes it.
pub(super) fn writer() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(64 * 1024, io::stdout().lock())
}

/// Prints a line of text.
pub(super) fn line(text: &str) -> io::Result<()> {
    let mut writer = writer();
    writeln!(writer, "{text}")?;
    writer.flush()
}

/// Prints a value as one line of JSON.
pub(super) fn value(value: &impl Serialize) -> io::Result<()> {
    let mut writer = writer();
    serde_json::to_writer(&mut writer, value)?;
    writeln!(writer)?;
    writer.flush()
}

/// Prints rows in columns as wide as their widest cell; columns in `numbers` are aligned to the right.
pub(super) fn table(header: &[&str], numbers: &[usize], rows: &[Vec<String>]) -> io::Result<()> {
    let mut writer = writer();
    writer.write_all(layout(header, numbers, rows).as_bytes())?;
    writer.flush()
}

/// Lays rows out in columns.
pub(super) fn layout(header: &[&str], numbers: &[usize], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&header).chain(rows) {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            if numbers.contains(&column) { format!("{padding}{cell}") } else { format!("{cell}{padding}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::layout;

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["BTCUSDT".to_owned(), "9".to_owned()], vec!["币".to_owned(), "1000".to_owned()]];
        assert_eq!(layout(&["symbol", "rows"], &[1], &rows), "symbol   rows\nBTCUSDT     9\n币        1000\n");
    }
}
