//! Which failures of the real exchange are imitated, and how often.

use std::{str::FromStr, time::Duration};

use streamforge_events::{Millis, TimeRange};

use crate::Error;

/// Failures to imitate; the default has none.
///
/// Parsed from a list such as `html:0.05,short:0.1,cut:0.02,seed:7`. A share is the probability that a request meets
/// the failure, from 0 to 1; which requests meet it follows from the seed alone.
///
/// | text | failure |
/// |---|---|
/// | `html:SHARE` | an HTML page instead of JSON, with status 200, 403, 404 or 502 |
/// | `error:SHARE` | a burst of three answers 5xx with codes -1000, -1001, -1007 and -1008 |
/// | `cut:SHARE` | the connection ends in the middle of the body |
/// | `slow:SHARE` | the answer comes after `delay` |
/// | `delay:SECONDS` | how late a slow answer is (20) |
/// | `short:SHARE` | a page of rows ends early |
/// | `empty:SHARE` | a page without rows, never twice in a row |
/// | `repeat:SHARE` | the previous page of the same series again, never twice in a row |
/// | `shuffle:SHARE` | the rows of a page in reverse order |
/// | `restate:SHARE` | share of klines that are served with other volumes and counts than at first |
/// | `poison:SHARE` | share of aggTrades rows with price 0, quantity 0 and first id -1 |
/// | `skew:MILLISECONDS` | the clock told by `time` is so much ahead (or, negative, behind) |
/// | `microseconds:1` | times in microseconds without being asked |
/// | `geo:1` | HTTP 451 to everything |
/// | `vanish:SYMBOL` | the symbol is unknown (may be repeated) |
/// | `outage:FROM/TO` | two RFC 3339 instants: bars inside do not exist, the one before is cut |
/// | `seed:NUMBER` | decides which requests meet the failures (0) |
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the table above says it all")]
pub struct Faults {
    pub html: f64,
    pub error: f64,
    pub cut: f64,
    pub slow: f64,
    pub delay: Duration,
    pub short: f64,
    pub empty: f64,
    pub repeat: f64,
    pub shuffle: f64,
    pub restate: f64,
    pub poison: f64,
    pub skew: Millis,
    pub microseconds: bool,
    pub geo: bool,
    pub vanish: Vec<String>,
    pub outage: Option<TimeRange>,
    pub seed: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            html: 0.0,
            error: 0.0,
            cut: 0.0,
            slow: 0.0,
            delay: Duration::from_secs(20),
            short: 0.0,
            empty: 0.0,
            repeat: 0.0,
            shuffle: 0.0,
            restate: 0.0,
            poison: 0.0,
            skew: 0,
            microseconds: false,
            geo: false,
            vanish: Vec::new(),
            outage: None,
            seed: 0,
        }
    }
}

impl FromStr for Faults {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut faults = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let fail = |reason: &str| Error::Faults { text: part.to_owned(), reason: reason.to_owned() };
            let (name, value) = part.split_once(':').ok_or_else(|| fail("write NAME:VALUE"))?;
            let share = || {
                let share = value.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
                share.ok_or_else(|| fail("a share lies between 0 and 1"))
            };
            let switch = || match value {
                "0" => Ok(false),
                "1" => Ok(true),
                _ => Err(fail("a switch is 0 or 1")),
            };
            match name {
                "html" => faults.html = share()?,
                "error" => faults.error = share()?,
                "cut" => faults.cut = share()?,
                "slow" => faults.slow = share()?,
                "short" => faults.short = share()?,
                "empty" => faults.empty = share()?,
                "repeat" => faults.repeat = share()?,
                "shuffle" => faults.shuffle = share()?,
                "restate" => faults.restate = share()?,
                "poison" => faults.poison = share()?,
                "microseconds" => faults.microseconds = switch()?,
                "geo" => faults.geo = switch()?,
                "vanish" => faults.vanish.push(value.to_owned()),
                "delay" => {
                    let seconds = value.parse().map_err(|_| fail("a delay is a whole number of seconds"))?;
                    faults.delay = Duration::from_secs(seconds);
                }
                "skew" => {
                    faults.skew = value.parse().map_err(|_| fail("a skew is a whole number of milliseconds"))?;
                }
                "seed" => {
                    faults.seed = value.parse().map_err(|_| fail("a seed is a whole number"))?;
                }
                "outage" => {
                    let range = value.parse().map_err(|_| fail("an outage is two RFC 3339 instants and a `/`"))?;
                    faults.outage = Some(range);
                }
                _ => return Err(fail("there is no such fault")),
            }
        }
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_faults_is_read() {
        let text = "html:0.05, cut:1,skew:-1270,vanish:BTCUSDT,geo:1,outage:2023-03-24T12:39:41Z/2023-03-24T14:00:00Z";
        let faults: Faults = text.parse().unwrap();
        assert_eq!((faults.html, faults.cut, faults.skew, faults.geo), (0.05, 1.0, -1_270, true));
        assert_eq!((faults.vanish, faults.outage.unwrap().from()), (vec!["BTCUSDT".to_owned()], 1_679_661_581_000));
        assert_eq!("".parse::<Faults>().unwrap(), Faults::default());
    }

    #[test]
    fn mistakes_are_named() {
        for (text, words) in [
            ("html", "NAME:VALUE"),
            ("html:2", "between 0 and 1"),
            ("html:NaN", "between 0 and 1"),
            ("geo:yes", "0 or 1"),
            ("fire:1", "no such fault"),
            ("outage:now", "RFC 3339"),
        ] {
            assert!(text.parse::<Faults>().unwrap_err().to_string().contains(words), "{text}");
        }
    }
}
