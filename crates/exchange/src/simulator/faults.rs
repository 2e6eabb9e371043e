//! Which failures of the real exchange are imitated, and how often.

use std::{str::FromStr, time::Duration};

use streamforge_events::{Millis, TimeRange};

use crate::Error;

/// Every switch as it is written, and what it does; the command line and the manual show this list.
pub const SWITCHES: [(&str, &str); 42] = [
    ("weight:NUMBER", "request weight allowed for each minute; more is answered 429, then 418 (6000)"),
    ("refuse:SHARE", "HTTP 429 whose Retry-After is `pause`; who keeps asking before it is over is banned (418)"),
    ("ban:SHARE", "HTTP 418 whose Retry-After is `pause`"),
    ("pause:SECONDS", "how long a client refused by `refuse` or `ban` has to be quiet, in whole seconds (1)"),
    ("error:SHARE", "a burst of three answers 5xx with codes -1000, -1001, -1007 and -1008"),
    ("cut:SHARE", "the connection ends in the middle of the body"),
    ("html:SHARE", "an HTML page instead of JSON, with status 200, 403, 404 or 502"),
    ("huge:SHARE", "an answer of a gibibyte, compressed to a thousandth if the client takes gzip"),
    ("slow:SHARE", "the answer comes after `delay`"),
    ("delay:SECONDS", "how late a slow answer is (20)"),
    ("empty:SHARE", "a page without rows, never twice in a row"),
    ("short:SHARE", "a page of rows ends early"),
    ("repeat:SHARE", "the previous page of the same series again, never twice in a row"),
    ("stuck:1", "the first page of a series for ever, whatever is asked for"),
    ("shuffle:SHARE", "the rows of a page in reverse order"),
    ("duplicate:SHARE", "each row of a page twice"),
    ("foreign:SHARE", "a page of another time instead of the one asked for"),
    ("absurd:SHARE", "a page with a row that cannot be: a negative volume, NaN, high below low, a time before 1970"),
    ("open:SHARE", "a page of klines ends in the bar that is open now, whatever end was asked for"),
    ("restate:SHARE", "share of klines that are served with other volumes and counts than at first"),
    ("poison:SHARE", "share of aggTrades rows with price 0, quantity 0 and first id -1"),
    ("skew:MILLISECONDS", "the exchange's clock is so much ahead of this machine's (or, negative, behind it)"),
    ("microseconds:1", "times in microseconds without being asked"),
    ("geo:1", "HTTP 451 to everything"),
    ("vanish:SYMBOL[@REQUESTS]", "the symbol is unknown, at once or after so many answers (may be repeated)"),
    ("outage:FROM/TO", "two RFC 3339 instants: bars inside do not exist, the one before is cut"),
    ("ws-drop:SHARE", "a frame of a stream is swallowed"),
    ("ws-repeat:SHARE", "a frame is sent twice"),
    ("ws-swap:SHARE", "a frame is sent after the next one"),
    ("ws-cut:SHARE", "the connection ends before a frame"),
    ("ws-half:SHARE", "the connection ends in the middle of a frame"),
    ("ws-mute:SHARE", "the stream of a frame says nothing any more on this connection"),
    ("ws-silence:SHARE", "the connection stays, and nothing is sent any more, not even a ping"),
    ("ws-close:SHARE", "the exchange closes the connection with one of its codes"),
    ("ws-garbage:SHARE", "a page, half an object, wrong types, a price of 0 or 1e30, or ids that go back come instead"),
    ("ws-burst:SHARE", "frames are kept for up to two seconds and come at once"),
    ("ws-forge:SHARE", "a trade or a difference of a book is swallowed, and the ids that follow do not show it"),
    ("ws-html:SHARE", "the handshake is answered with a page"),
    ("ws-lifetime:SECONDS", "connections end at this age, and are told at half of it"),
    ("ws-plain:SHARE", "the frames of a connection are not compressed, though the client offers to inflate them"),
    ("ws-most:NUMBER", "so many failures of streams at most, and none after them"),
    ("seed:NUMBER", "decides which requests meet the failures (0)"),
];

/// Failures to imitate; the default has none.
///
/// Parsed from a list such as `html:0.05,short:0.1,cut:0.02,seed:7`, whose parts are [`SWITCHES`]. A share is the
/// probability that a request meets the failure, from 0 to 1; which requests meet it follows from the seed alone.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the list of switches says it all")]
pub struct Faults {
    pub weight: Option<u32>,
    pub refuse: f64,
    pub ban: f64,
    pub pause: Duration,
    pub error: f64,
    pub cut: f64,
    pub html: f64,
    pub huge: f64,
    pub slow: f64,
    pub delay: Duration,
    pub empty: f64,
    pub short: f64,
    pub repeat: f64,
    pub stuck: bool,
    pub shuffle: f64,
    pub duplicate: f64,
    pub foreign: f64,
    pub absurd: f64,
    pub open: f64,
    pub restate: f64,
    pub poison: f64,
    pub skew: Millis,
    pub microseconds: bool,
    pub geo: bool,
    pub vanish: Vec<Vanishing>,
    pub outage: Option<TimeRange>,
    pub ws_drop: f64,
    pub ws_repeat: f64,
    pub ws_swap: f64,
    pub ws_cut: f64,
    pub ws_half: f64,
    pub ws_mute: f64,
    pub ws_silence: f64,
    pub ws_close: f64,
    pub ws_garbage: f64,
    pub ws_burst: f64,
    pub ws_forge: f64,
    pub ws_html: f64,
    /// Share of connections whose frames stay plain.
    pub ws_plain: f64,
    pub ws_lifetime: Option<Duration>,
    pub ws_most: Option<u64>,
    pub seed: u64,
}

/// A symbol that the exchange stops to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vanishing {
    /// Name of the symbol.
    pub symbol: String,
    /// Requests for it that are answered before.
    pub after: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            weight: None,
            refuse: 0.0,
            ban: 0.0,
            pause: Duration::from_secs(1),
            error: 0.0,
            cut: 0.0,
            html: 0.0,
            huge: 0.0,
            slow: 0.0,
            delay: Duration::from_secs(20),
            empty: 0.0,
            short: 0.0,
            repeat: 0.0,
            stuck: false,
            shuffle: 0.0,
            duplicate: 0.0,
            foreign: 0.0,
            absurd: 0.0,
            open: 0.0,
            restate: 0.0,
            poison: 0.0,
            skew: 0,
            microseconds: false,
            geo: false,
            vanish: Vec::new(),
            outage: None,
            ws_drop: 0.0,
            ws_repeat: 0.0,
            ws_swap: 0.0,
            ws_cut: 0.0,
            ws_half: 0.0,
            ws_mute: 0.0,
            ws_silence: 0.0,
            ws_close: 0.0,
            ws_garbage: 0.0,
            ws_burst: 0.0,
            ws_forge: 0.0,
            ws_html: 0.0,
            ws_plain: 0.0,
            ws_lifetime: None,
            ws_most: None,
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
                "refuse" => faults.refuse = share()?,
                "ban" => faults.ban = share()?,
                "error" => faults.error = share()?,
                "cut" => faults.cut = share()?,
                "html" => faults.html = share()?,
                "huge" => faults.huge = share()?,
                "slow" => faults.slow = share()?,
                "empty" => faults.empty = share()?,
                "short" => faults.short = share()?,
                "repeat" => faults.repeat = share()?,
                "stuck" => faults.stuck = switch()?,
                "shuffle" => faults.shuffle = share()?,
                "duplicate" => faults.duplicate = share()?,
                "foreign" => faults.foreign = share()?,
                "absurd" => faults.absurd = share()?,
                "open" => faults.open = share()?,
                "restate" => faults.restate = share()?,
                "poison" => faults.poison = share()?,
                "ws-drop" => faults.ws_drop = share()?,
                "ws-repeat" => faults.ws_repeat = share()?,
                "ws-swap" => faults.ws_swap = share()?,
                "ws-cut" => faults.ws_cut = share()?,
                "ws-half" => faults.ws_half = share()?,
                "ws-mute" => faults.ws_mute = share()?,
                "ws-silence" => faults.ws_silence = share()?,
                "ws-close" => faults.ws_close = share()?,
                "ws-garbage" => faults.ws_garbage = share()?,
                "ws-burst" => faults.ws_burst = share()?,
                "ws-forge" => faults.ws_forge = share()?,
                "ws-html" => faults.ws_html = share()?,
                "ws-plain" => faults.ws_plain = share()?,
                "ws-most" => {
                    faults.ws_most = Some(value.parse().map_err(|_| fail("a number of failures is a whole number"))?);
                }
                "ws-lifetime" => {
                    let seconds = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                    faults.ws_lifetime = Some(seconds.ok_or_else(|| fail("a lifetime is a number of seconds"))?);
                }
                "microseconds" => faults.microseconds = switch()?,
                "geo" => faults.geo = switch()?,
                "vanish" => {
                    let (symbol, after) = value.split_once('@').unwrap_or((value, "0"));
                    let after =
                        after.parse().map_err(|_| fail("a symbol vanishes after a whole number of requests"))?;
                    faults.vanish.push(Vanishing { symbol: symbol.to_owned(), after });
                }
                "weight" => {
                    faults.weight = Some(value.parse().map_err(|_| fail("a weight is a whole number"))?);
                }
                "pause" => {
                    let seconds = value.parse().map_err(|_| fail("a pause is a whole number of seconds"))?;
                    faults.pause = Duration::from_secs(seconds);
                }
                "delay" => {
                    let seconds = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                    faults.delay = seconds.ok_or_else(|| fail("a delay is a number of seconds"))?;
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
    use std::fmt::Write;

    use super::*;

    #[test]
    fn a_list_of_faults_is_read() {
        let text = "html:0.05, cut:1,skew:-1270,vanish:BTCUSDT,geo:1,outage:2023-03-24T12:39:41Z/2023-03-24T14:00:00Z";
        let faults: Faults = text.parse().unwrap();
        assert_eq!((faults.html, faults.cut, faults.skew, faults.geo), (0.05, 1.0, -1_270, true));
        let vanishing = Vanishing { symbol: "BTCUSDT".to_owned(), after: 0 };
        assert_eq!((faults.vanish, faults.outage.unwrap().from()), (vec![vanishing], 1_679_661_581_000));
        let faults: Faults = "weight:40,pause:3,delay:0.25,vanish:币安人生USDT@5".parse().unwrap();
        assert_eq!((faults.weight, faults.pause.as_secs(), faults.delay.as_millis()), (Some(40), 3, 250));
        assert_eq!(faults.vanish, [Vanishing { symbol: "币安人生USDT".to_owned(), after: 5 }]);
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
            ("vanish:BTCUSDT@soon", "whole number of requests"),
            ("delay:-1", "number of seconds"),
        ] {
            assert!(text.parse::<Faults>().unwrap_err().to_string().contains(words), "{text}");
        }
    }

    #[test]
    fn every_switch_can_be_written_as_it_is_shown_and_is_in_the_manual() {
        let manual = include_str!("../../../../docs/exchange.md");
        let mut shown = String::new();
        for (written, meaning) in SWITCHES {
            let value = [
                ("SHARE", "0.5"),
                ("FROM/TO", "2023-03-24T12:39:41Z/2023-03-24T14:00:00Z"),
                ("SYMBOL[@REQUESTS]", "BTCUSDT@5"),
                ("MILLISECONDS", "-5"),
                ("SECONDS", "2"),
                ("NUMBER", "3"),
            ];
            let text = value.iter().fold(written.to_owned(), |text, (from, to)| text.replace(from, to));
            assert!(text.parse::<Faults>().is_ok_and(|faults| faults != Faults::default()), "{text}");
            let _ = writeln!(shown, "| `{written}` | {meaning} |");
        }
        assert!(manual.contains(&shown), "docs/exchange.md has to hold:\n{shown}");
    }
}
