//! One file of klines: checked line by line when it is opened, read row by row when it is served.

use std::{fs::File, io::Read, path::Path};

use flate2::read::MultiGzDecoder;
use streamforge_events::{Decimal, Kline, Millis};

use super::{fail, fail_at};
use crate::Error;

const HEADER: &str = "open_time_ms,open,high,low,close,volume";

/// Digits that a decimal number can hold.
const MOST_DIGITS: usize = 28;

/// How a file writes its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// The exchange's arrays of 12, one for each line.
    Arrays,
    /// Six columns under a header.
    Columns,
}

/// The rows of a file, ascending by open time.
#[derive(Debug)]
pub(super) struct Recording {
    layout: Layout,
    text: String,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    open: Millis,
    start: usize,
    end: usize,
}

/// Reads a file, unpacked if its name ends in `.gz`.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    let unreadable = |error: std::io::Error| fail(path, format!("the file cannot be read: {error}"));
    let mut file = File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        MultiGzDecoder::new(file).read_to_string(&mut text).map_err(unreadable)?;
    } else {
        file.read_to_string(&mut text).map_err(unreadable)?;
    }
    Ok(text)
}

impl Recording {
    /// Checks every line of `text`.
    pub(super) fn parse(path: &Path, text: String, layout: Layout) -> Result<Self, Error> {
        let mut rows: Vec<Row> = Vec::new();
        let mut start = 0;
        for (index, line) in text.split('\n').enumerate() {
            let (from, end) = (start, start + line.len());
            start = end + 1;
            let line = line.trim();
            let is_header = index == 0 && layout == Layout::Columns;
            if is_header && line != HEADER {
                return Err(fail_at(path, 1, &format!("expected the header `{HEADER}`")));
            }
            if is_header || line.is_empty() {
                continue;
            }
            let open = check(layout, line).map_err(|reason| fail_at(path, index + 1, reason))?;
            if rows.last().is_some_and(|row| row.open >= open) {
                return Err(fail_at(path, index + 1, "open times must ascend"));
            }
            rows.push(Row { open, start: from, end });
        }
        if rows.is_empty() {
            return Err(fail(path, "it has no rows".to_owned()));
        }
        Ok(Self { layout, text, rows })
    }

    /// Open time of a row.
    pub(super) fn open(&self, index: usize) -> Millis {
        self.rows[index].open
    }

    /// Index of the first row that opens at or after `time`.
    pub(super) fn index_at(&self, time: Millis) -> usize {
        self.rows.partition_point(|row| row.open < time)
    }

    pub(super) fn first_open(&self) -> Millis {
        self.rows.first().map_or(0, |row| row.open)
    }

    pub(super) fn last_open(&self) -> Millis {
        self.rows.last().map_or(0, |row| row.open)
    }

    /// Digits behind the point of the first volume.
    pub(super) fn volume_digits(&self) -> Option<u32> {
        self.kline(0).map(|kline| kline.volume.scale())
    }

    /// A row; there is one for each index, since all lines were checked.
    pub(super) fn kline(&self, index: usize) -> Option<Kline> {
        let row = self.rows.get(index)?;
        let mut fields = fields(self.layout, self.text[row.start..row.end].trim())?;
        let mut next = || fields.next().map_or("0", unquoted);
        let (_, open, high, low, close, volume) = (next(), next(), next(), next(), next(), next());
        let (close_time, quote, trades, taker_base, taker_quote) = (next(), next(), next(), next(), next());
        let decimal = |text: &str| text.parse::<Decimal>().ok();
        Some(Kline {
            open_time: row.open,
            open: decimal(open)?,
            high: decimal(high)?,
            low: decimal(low)?,
            close: decimal(close)?,
            volume: decimal(volume)?,
            close_time: close_time.parse().ok()?,
            quote_asset_volume: decimal(quote)?,
            number_of_trades: trades.parse().ok()?,
            taker_buy_base_asset_volume: decimal(taker_base)?,
            taker_buy_quote_asset_volume: decimal(taker_quote)?,
        })
    }
}

/// The open time of a sound line, or what is wrong with it.
fn check(layout: Layout, line: &str) -> Result<Millis, &'static str> {
    let (count, expected) = match layout {
        Layout::Arrays => (12, "expected an array of 12 fields, as the exchange sends it"),
        Layout::Columns => (6, "expected six columns: a time and five decimal numbers"),
    };
    let mut open = None;
    let mut seen = 0;
    for (index, field) in fields(layout, line).ok_or(expected)?.enumerate() {
        let sound = match (layout, index) {
            (_, 0) => {
                open = field.trim().parse().ok();
                open.is_some()
            }
            (Layout::Arrays, 6 | 8) => is_number(field.trim()),
            (Layout::Arrays, 11) => true,
            (Layout::Arrays, _) => field.trim().starts_with('"') && is_decimal(unquoted(field)),
            (Layout::Columns, _) => is_decimal(field.trim()),
        };
        if !sound {
            return Err(expected);
        }
        seen += 1;
    }
    open.filter(|_| seen == count).ok_or(expected)
}

fn fields(layout: Layout, line: &str) -> Option<std::str::Split<'_, char>> {
    let inner = match layout {
        Layout::Arrays => line.strip_prefix('[')?.strip_suffix(']')?,
        Layout::Columns => line,
    };
    Some(inner.split(','))
}

fn unquoted(field: &str) -> &str {
    field.trim().trim_matches('"')
}

fn is_number(text: &str) -> bool {
    (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_decimal(text: &str) -> bool {
    let points = text.bytes().filter(|byte| *byte == b'.').count();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let edges = text.starts_with('.') || text.ends_with('.');
    points <= 1 && !edges && (1..=MOST_DIGITS).contains(&digits) && digits + points == text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"[1735516800000,"93738.19000000","93782.38000000","93510.00000000","93720.44000000","202.77714000",1735517699999,"18986363.98688940",64965,"103.98349000","9736008.81833130","0"]"#;

    fn parse(text: &str, layout: Layout) -> Result<Recording, Error> {
        Recording::parse(Path::new("BTCUSDT-15m"), text.to_owned(), layout)
    }

    #[test]
    fn rows_are_read_exactly_and_absent_fields_are_nought() {
        let kline = parse(ROW, Layout::Arrays).unwrap().kline(0).unwrap();
        assert_eq!(kline.quote_asset_volume.to_string(), "18986363.98688940");
        let text = format!("{HEADER}\r\n1634760000000,0.00002829,0.00002833,0.00002808,0.00002823,610009597781.00\r\n");
        let kline = parse(&text, Layout::Columns).unwrap().kline(0).unwrap();
        assert_eq!((kline.volume.to_string(), kline.close_time), ("610009597781.00".to_owned(), 0));
        assert_eq!((kline.quote_asset_volume.to_string(), kline.number_of_trades), ("0".to_owned(), 0));
    }

    #[test]
    fn a_malformed_line_is_named() {
        let shorter = ROW.replace(",\"0\"]", "]");
        let number = ROW.replace("\"93738.19000000\"", "93738.19");
        for (text, layout, words) in [
            (format!("{ROW}\n{ROW}"), Layout::Arrays, "BTCUSDT-15m:2`: open times must ascend"),
            (shorter, Layout::Arrays, "BTCUSDT-15m:1`: expected an array of 12"),
            (number, Layout::Arrays, "array of 12"),
            ("{}".to_owned(), Layout::Arrays, "array of 12"),
            (String::new(), Layout::Arrays, "no rows"),
            ("1,2,3,4,5,6".to_owned(), Layout::Columns, "expected the header"),
            (format!("{HEADER}\n1,2,3,4,5"), Layout::Columns, "BTCUSDT-15m:2`: expected six columns"),
            (format!("{HEADER}\n1,2,3,4,5,1e5"), Layout::Columns, "six columns"),
        ] {
            let error = parse(&text, layout).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
