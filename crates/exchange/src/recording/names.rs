//! Names of a recording's files: whose frames are in them, since when, and the how manieth of that time.

use streamforge_events::{Millis, rfc3339};

/// What concerns all symbols lies in files of this name.
pub(super) const OF_ALL: &str = "recording";

/// The name of a file; a day has eight digits, an hour ten.
pub(super) fn file_name(of: &str, begins: Millis, is_hour: bool, number: u32) -> String {
    let digits: String = rfc3339(begins).chars().filter(char::is_ascii_digit).collect();
    let since = &digits[..digits.len().min(if is_hour { 10 } else { 8 })];
    if number == 0 { format!("{of}_{since}.gz") } else { format!("{of}_{since}_{number:03}.gz") }
}

/// Whose frames a file holds, by its name; none for a name that is none of a recording's.
pub(super) fn owner(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(".gz")?;
    let (before, last) = stem.rsplit_once('_')?;
    let has_digits = |text: &str, lengths: &[usize]| {
        lengths.contains(&text.len()) && text.bytes().all(|letter| letter.is_ascii_digit())
    };
    let (of, since) = if has_digits(last, &[3, 4, 5, 6]) { before.rsplit_once('_')? } else { (before, last) };
    (!of.is_empty() && has_digits(since, &[8, 10])).then_some(of)
}

/// The symbol that a file is named for.
pub(crate) fn symbol(name: &str) -> Option<String> {
    owner(name).filter(|of| *of != OF_ALL).map(str::to_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_whose_frames_and_since_when() {
        let time = 1_723_161_253_937;
        for (is_hour, number, name) in [
            (false, 0, "btcusdt_20240808.gz"),
            (true, 0, "btcusdt_2024080823.gz"),
            (false, 12, "btcusdt_20240808_012.gz"),
            (true, 1_000, "btcusdt_2024080823_1000.gz"),
        ] {
            assert_eq!(file_name("btcusdt", time, is_hour, number), name);
            assert_eq!((owner(name), symbol(name).as_deref()), (Some("btcusdt"), Some("BTCUSDT")));
        }
        assert_eq!(symbol(&file_name(OF_ALL, time, false, 0)), None);
        for other in ["BINANCE_US.ws.1.0.gz", "BINANCE.0.gz", "notes.txt", "btcusdt_2024.gz", "_20240808.gz", "a_b.gz"]
        {
            assert_eq!(owner(other), None, "{other}");
        }
    }
}
