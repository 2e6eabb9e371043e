//! Query parameters, checked in the exchange's own order.
//!
//! Duplicates, then mandatory ones, unknown ones, empty ones, characters, and last whether the interval and the
//! symbol exist: a request with several mistakes is refused for the first of these.

use streamforge_events::{Interval, Millis};

use super::refusal::Refusal;

const NUMBERS: &str = "^[0-9]{1,20}$";
const SYMBOLS: &str = "^[A-Z0-9-_.]{1,20}$";
const SYMBOL_LISTS: &str = r#"^\\[(\"[A-Z0-9-_.]{1,20}\"(,\"[A-Z0-9-_.]{1,20}\"){0,}){0,1}\\]$"#;

/// Times from here on are microseconds: as milliseconds they would lie after the year 5100.
const MICROSECONDS: u64 = 100_000_000_000_000;

/// Offsets that klines accept, in minutes: -12:00 to +14:00.
const OFFSETS: std::ops::RangeInclusive<i64> = -12 * 60..=14 * 60;

/// What an endpoint knows: the mandatory parameters, and the optional ones.
pub(super) type Known = (&'static [&'static str], &'static [&'static str]);

/// Parameters as they were sent.
#[derive(Clone, Debug)]
pub(super) struct Parameters(pub(super) Vec<(String, String)>);

impl Parameters {
    /// Value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Checks everything that needs no knowledge of the market.
    pub(super) fn check(&self, (mandatory, optional): Known) -> Result<(), Refusal> {
        let sent = self.0.len();
        let duplicate =
            |(index, (key, _)): (usize, &(String, String))| self.0[..index].iter().any(|(earlier, _)| earlier == key);
        if self.0.iter().enumerate().any(duplicate) {
            return Err(Refusal::duplicates());
        }
        if let Some(name) = mandatory.iter().find(|name| self.get(name).is_none_or(str::is_empty)) {
            return Err(Refusal::mandatory(name));
        }
        let most = mandatory.len() + optional.len();
        let is_known = |key: &str| mandatory.contains(&key) || optional.contains(&key);
        let read = self.0.iter().filter(|(key, _)| is_known(key)).count();
        if sent > most {
            return Err(Refusal::too_many_parameters(most, sent));
        }
        if read < sent {
            return Err(Refusal::unread(read, sent));
        }
        if let Some((name, _)) = self.0.iter().find(|(_, value)| value.is_empty()) {
            return Err(Refusal::empty(name));
        }
        self.0.iter().try_for_each(|(name, value)| check_characters(name, value))
    }

    /// The interval, which must be one of the sixteen.
    pub(super) fn interval(&self) -> Result<Interval, Refusal> {
        self.get("interval").unwrap_or_default().parse().map_err(|_| Refusal::invalid_interval())
    }

    /// A whole number; larger ones than any that is meant become the largest.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name).map(|value| value.parse().unwrap_or(u64::MAX))
    }

    /// A time in milliseconds, sent as milliseconds or microseconds; any time is legal.
    pub(super) fn time(&self, name: &str) -> Option<Millis> {
        let time = self.number(name)?;
        let millis = if time >= MICROSECONDS { time / 1_000 } else { time };
        Some(Millis::try_from(millis).unwrap_or(Millis::MAX))
    }

    /// The number of rows wanted, cut to `most` in silence.
    pub(super) fn limit(&self, default: u64, most: u64) -> Result<usize, Refusal> {
        match self.number("limit") {
            Some(0) => Err(Refusal::invalid_data("limit")),
            limit => Ok(usize::try_from(limit.unwrap_or(default).min(most)).unwrap_or(usize::MAX)),
        }
    }

    /// Offset of bar boundaries from UTC, in milliseconds: `0`, `-1:00`, `05:45`, `4`.
    pub(super) fn time_zone(&self) -> Result<Millis, Refusal> {
        let fail = || Refusal::invalid_data("timeZone");
        let text = self.get("timeZone").unwrap_or("0").trim_start();
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
        let part = |text: &str| text.parse::<u8>().ok().map(i64::from);
        let (hours, minutes) = part(hours).zip(part(minutes)).filter(|(_, minutes)| *minutes < 60).ok_or_else(fail)?;
        let offset = sign * (hours * 60 + minutes);
        if OFFSETS.contains(&offset) { Ok(offset * 60_000) } else { Err(fail()) }
    }

    /// The list in `symbols`, or the one in `symbol`; none for all.
    pub(super) fn symbols(&self) -> Result<Option<Vec<String>>, Refusal> {
        match (self.get("symbol"), self.get("symbols")) {
            (Some(_), Some(_)) => Err(Refusal::combination()),
            (Some(symbol), None) => Ok(Some(vec![symbol.to_owned()])),
            (None, None) => Ok(None),
            (None, Some(list)) => {
                let list = parse_list(list)?;
                let repeated = |(index, name): (usize, &String)| list[..index].contains(name);
                if list.iter().enumerate().any(repeated) {
                    return Err(Refusal::repeated_symbol());
                }
                Ok(Some(list))
            }
        }
    }
}

fn check_characters(name: &str, value: &str) -> Result<(), Refusal> {
    match name {
        "symbol" if !is_legal_symbol(value) => Err(Refusal::illegal_characters(name, SYMBOLS)),
        "symbols" => parse_list(value).map(|_| ()),
        "limit" | "startTime" | "endTime" | "fromId" if !is_number(value) => {
            Err(Refusal::illegal_characters(name, NUMBERS))
        }
        _ => Ok(()),
    }
}

fn parse_list(text: &str) -> Result<Vec<String>, Refusal> {
    serde_json::from_str::<Vec<String>>(text)
        .ok()
        .filter(|list| list.iter().all(|symbol| is_legal_symbol(symbol)))
        .ok_or_else(|| Refusal::illegal_characters("symbols", SYMBOL_LISTS))
}

fn is_number(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Wider than the printed range, since Unicode symbols are listed.
fn is_legal_symbol(text: &str) -> bool {
    let legal = |character: char| match character {
        'A'..='Z' | '0'..='9' | '-' | '_' | '.' => true,
        _ => !character.is_ascii() && character.is_alphanumeric() && !character.is_lowercase(),
    };
    (1..=20).contains(&text.chars().count()) && text.chars().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_in_all_spellings() {
        for (text, minutes) in [
            ("0", Some(0)),
            ("-1:00", Some(-60)),
            ("05:45", Some(345)),
            ("+08:00", Some(480)),
            ("14", Some(840)),
            ("14:01", None),
            ("-12:30", None),
            ("1:60", None),
            ("east", None),
        ] {
            let parameters = Parameters(vec![("timeZone".to_owned(), text.to_owned())]);
            assert_eq!(parameters.time_zone().ok(), minutes.map(|minutes| minutes * 60_000), "{text}");
        }
    }
}
