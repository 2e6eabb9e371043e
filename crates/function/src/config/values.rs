//! Reading one variable at a time: what fits, and what is said where it does not.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Url;

use super::ConfigError;

/// The values after defaults, read one by one with a message that names the variable.
pub(super) struct Values<'a>(pub(super) &'a BTreeMap<&'static str, String>);

impl Values<'_> {
    pub(super) fn text(&self, name: &'static str) -> Result<&str, ConfigError> {
        self.0.get(name).map(String::as_str).ok_or(ConfigError::Missing(name))
    }

    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &'static str, expected: &str) -> Result<T, ConfigError> {
        self.text(name)?.parse().map_err(|_| ConfigError::invalid(name, expected))
    }

    pub(super) fn count(&self, name: &'static str) -> Result<usize, ConfigError> {
        let expected = "a whole number from 1 to 1073741824";
        match self.parsed(name, expected)? {
            count @ 1..=0x4000_0000 => Ok(count),
            _ => Err(ConfigError::invalid(name, expected)),
        }
    }

    pub(super) fn duration(&self, name: &'static str) -> Result<Duration, ConfigError> {
        parse_duration(self.text(name)?)
            .ok_or_else(|| ConfigError::invalid(name, "a duration of at most one day such as `250ms`, `30s` or `5m`"))
    }

    pub(super) fn positive_duration(&self, name: &'static str) -> Result<Duration, ConfigError> {
        let duration = self.duration(name)?;
        if duration.is_zero() {
            return Err(ConfigError::invalid(name, "a duration above zero"));
        }
        Ok(duration)
    }

    pub(super) fn url(&self, name: &'static str) -> Result<Url, ConfigError> {
        let invalid = || ConfigError::invalid(name, "an http or https URL without query");
        let url = Url::parse(self.text(name)?).map_err(|_| invalid())?;
        let usable = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
        if usable { Ok(url) } else { Err(invalid()) }
    }

    pub(super) fn name(&self, name: &'static str) -> Result<String, ConfigError> {
        let text = self.text(name)?;
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.len() <= 63 && text.bytes().all(allowed) {
            return Ok(text.to_owned());
        }
        Err(ConfigError::invalid(name, "at most 63 lower-case letters, digits and hyphens"))
    }

    pub(super) fn log_filter(&self, name: &'static str) -> Result<String, ConfigError> {
        let text = self.text(name)?;
        tracing_subscriber::EnvFilter::try_new(text)
            .map_err(|_| ConfigError::invalid(name, "a log filter such as `info`"))?;
        Ok(text.to_owned())
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    const LONGEST: u64 = 24 * 60 * 60 * 1000;
    let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    let milliseconds = number.parse::<u64>().ok()?.checked_mul(factor)?;
    (milliseconds <= LONGEST).then(|| Duration::from_millis(milliseconds))
}
