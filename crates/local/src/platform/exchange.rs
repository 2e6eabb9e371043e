//! Which exchange the loaders talk to: a simulated one inside the platform, or a URL.

use std::str::FromStr;

use reqwest::Url;
use streamforge_exchange::simulator::Source;

use super::Error;

/// An exchange, as the command line names it.
#[derive(Debug)]
pub enum Exchange {
    /// A simulator that the platform serves itself.
    Simulated(Source),
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
        if text.starts_with("synthetic:") || text.starts_with("replay:") {
            return Source::parse(text).map(Self::Simulated).map_err(|error| fail(error.to_string()));
        }
        Err(fail("write synthetic:SEED, replay:DIR or a URL".to_owned()))
    }
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
