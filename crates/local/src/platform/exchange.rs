//! Which exchange the loaders talk to: a simulated one inside the platform, a recording that it plays, or a URL.

use std::str::FromStr;

use reqwest::Url;
use streamforge_exchange::simulator::{Clock, Playing, SimulatorConfig, Source};

use super::Error;

/// Thirty years in a second.
const FASTEST: f64 = 1e9;

/// An exchange, as the command line names it.
#[derive(Debug)]
pub enum Exchange {
    /// A simulator that the platform serves itself.
    Simulated(Source),
    /// A recording of streams, played so many times as fast as it came.
    Recording(Source, f64),
    /// A server that is there already.
    Url(Url),
}

impl FromStr for Exchange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = |reason: String| Error::Exchange { text: text.to_owned(), reason };
        if text.starts_with("http://") || text.starts_with("https://") {
            return Url::parse(text).map(Self::Url).map_err(|error| fail(error.to_string()));
        }
        if ["synthetic:", "replay:", "capture:"].into_iter().any(|kind| text.starts_with(kind)) {
            return Source::parse(text).map(Self::Simulated).map_err(|error| fail(error.to_string()));
        }
        if let Some(settings) = text.strip_prefix("recording:") {
            let (folder, speed) = match settings.rsplit_once(",speed=") {
                Some((folder, speed)) => (folder, parse_speed(speed).map_err(fail)?),
                None => (settings, 1.0),
            };
            let source = Source::parse(&format!("capture:{folder}"));
            return source.map(|source| Self::Recording(source, speed)).map_err(|error| fail(error.to_string()));
        }
        Err(fail("write synthetic:SEED, replay:DIR, capture:DIR, recording:DIR or a URL".to_owned()))
    }
}

impl Exchange {
    /// What simulates it.
    ///
    /// # Errors
    /// The URL of a server that is there already.
    pub fn simulator(self) -> Result<SimulatorConfig, Url> {
        match self {
            Self::Url(url) => Err(url),
            Self::Simulated(source) => {
                Ok(SimulatorConfig { clock: clock(&source, 1.0), ..SimulatorConfig::new(source) })
            }
            Self::Recording(source, speed) => Ok(SimulatorConfig {
                clock: clock(&source, speed),
                playing: Playing::Whole,
                weight_limit: None,
                ..SimulatorConfig::new(source)
            }),
        }
    }
}

/// Recorded frames begin when they came; any other market is there always.
fn clock(source: &Source, speed: f64) -> Clock {
    source.begins().map_or(Clock::Real, |begins| Clock::StartingAt(begins, speed))
}

/// Reads how many times as fast as it came a recording is to be played; `max` is as fast as it can be stored.
///
/// # Errors
/// What may be written.
pub fn parse_speed(text: &str) -> Result<f64, String> {
    if text == "max" {
        return Ok(FASTEST);
    }
    let speed = text.parse::<f64>().ok().filter(|speed| (0.001..=FASTEST).contains(speed));
    speed.ok_or_else(|| "write a number from 0.001 to 1000000000, or `max`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_urls_are_told_apart() {
        assert!(matches!("synthetic:42".parse(), Ok(Exchange::Simulated(_))));
        assert!(matches!("https://api.binance.com".parse(), Ok(Exchange::Url(_))));
        for text in ["", "binance", "synthetic:", "synthetic:x", "http://", "ftp://example.org"] {
            let error = text.parse::<Exchange>().unwrap_err();
            assert!(error.is_configuration(), "{text}");
        }
    }
}
