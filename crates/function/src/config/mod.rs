//! The environment, checked before a port is bound.
//!
//! Parsing takes a map, so that it is tested without touching the process.

mod values;
mod variables;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use reqwest::Url;

pub use variables::{Setting, VARIABLES};

use values::Values;
pub(crate) use variables::setting;
/// Checked configuration of one function process.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
    pub(crate) metrics_port: u16,
    pub(crate) ingress_url: Url,
    pub(crate) namespace: String,
    pub(crate) body_limit: usize,
    pub(crate) deadline: Duration,
    pub(crate) max_in_flight: usize,
    pub(crate) drain_grace: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) connection_requests: usize,
    pub(crate) connection_age: Duration,
    pub(crate) publish_attempts: usize,
    pub(crate) publish_timeout: Duration,
    pub(crate) log: String,
    pub(crate) parent_is_stdin: bool,
    /// When the process began, as far as it can know.
    pub(crate) started: Instant,
    exchange_url: Url,
    exchange_is_recording: bool,
    values: BTreeMap<&'static str, String>,
}

/// What is wrong with the environment.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// A name with our prefix that nothing reads, most often a typing error.
    #[error("environment variable `{0}` is not known to this function")]
    Unknown(String),
    /// A variable that must be set is not.
    #[error("environment variable `{0}` is not set")]
    Missing(&'static str),
    /// The value does not fit; it is not repeated here because it may hold a secret.
    #[error("environment variable `{name}` is not valid: expected {expected}")]
    Invalid {
        /// The variable.
        name: String,
        /// What would have been accepted.
        expected: String,
    },
}

impl ConfigError {
    /// Says that the value of `name` does not fit.
    #[must_use]
    pub fn invalid(name: &str, expected: impl Into<String>) -> Self {
        Self::Invalid { name: name.to_owned(), expected: expected.into() }
    }
}

impl Config {
    /// Reads the environment of this process; `settings` are the function's own variables.
    ///
    /// # Errors
    /// [`ConfigError`] for the first variable that is unknown, missing or does not fit.
    pub fn from_environment(settings: &[Setting]) -> Result<Self, ConfigError> {
        let mut variables = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str() else { continue };
            match value.to_str() {
                Some(value) => {
                    variables.insert(name.to_owned(), value.to_owned());
                }
                None if name.starts_with(PREFIX) => {
                    return Err(ConfigError::invalid(name, "UTF-8 text"));
                }
                None => {}
            }
        }
        Self::from_map(&variables, settings)
    }

    /// Checks the given variables; an empty value counts as not set.
    ///
    /// # Errors
    /// [`ConfigError`] for the first variable that is unknown, missing or does not fit.
    pub fn from_map(variables: &BTreeMap<String, String>, settings: &[Setting]) -> Result<Self, ConfigError> {
        let known = || VARIABLES.iter().chain(settings);
        if let Some(name) =
            variables.keys().find(|name| name.starts_with(PREFIX) && !known().any(|known| known.name == *name))
        {
            return Err(ConfigError::Unknown(name.clone()));
        }
        let values: BTreeMap<&'static str, String> = known()
            .filter_map(|setting| {
                let given = variables.get(setting.name).map(|value| value.trim()).filter(|value| !value.is_empty());
                given.or(setting.default).map(|value| (setting.name, value.to_owned()))
            })
            .collect();
        let read = Values(&values);
        Ok(Self {
            host: read.parsed("STREAMFORGE_HOST", "an IP address")?,
            port: read.parsed("PORT", "a port from 0 to 65535")?,
            metrics_port: read.parsed("STREAMFORGE_METRICS_PORT", "a port from 0 to 65535")?,
            ingress_url: read.url("STREAMFORGE_INGRESS_URL")?,
            namespace: read.name("STREAMFORGE_NAMESPACE")?,
            body_limit: read.count("STREAMFORGE_BODY_LIMIT")?,
            deadline: read.positive_duration("STREAMFORGE_DEADLINE")?,
            max_in_flight: read.count("STREAMFORGE_MAX_IN_FLIGHT")?,
            drain_grace: read.duration("STREAMFORGE_DRAIN_GRACE")?,
            drain_timeout: read.duration("STREAMFORGE_DRAIN_TIMEOUT")?,
            connection_requests: read.count("STREAMFORGE_CONNECTION_REQUESTS")?,
            connection_age: read.duration("STREAMFORGE_CONNECTION_AGE")?,
            publish_attempts: read.count("STREAMFORGE_PUBLISH_ATTEMPTS")?,
            publish_timeout: read.positive_duration("STREAMFORGE_PUBLISH_TIMEOUT")?,
            log: read.log_filter("STREAMFORGE_LOG")?,
            parent_is_stdin: match values.get("STREAMFORGE_PARENT").map(String::as_str) {
                None => false,
                Some("stdin") => true,
                Some(_) => return Err(ConfigError::invalid("STREAMFORGE_PARENT", "`stdin`")),
            },
            started: Instant::now(),
            exchange_url: read.url("BINANCE_API_URL")?,
            exchange_is_recording: read.parsed("BINANCE_IS_RECORDING", "`true` or `false`")?,
            values,
        })
    }

    /// URL of the store.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] where `STREAMFORGE_STORE_URL` is not set.
    pub fn store_url(&self) -> Result<&str, ConfigError> {
        self.setting("STREAMFORGE_STORE_URL").ok_or(ConfigError::Missing("STREAMFORGE_STORE_URL"))
    }

    /// URL of the objects, such as models.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] where `STREAMFORGE_OBJECTS_URL` is not set.
    pub fn objects_url(&self) -> Result<&str, ConfigError> {
        self.setting("STREAMFORGE_OBJECTS_URL").ok_or(ConfigError::Missing("STREAMFORGE_OBJECTS_URL"))
    }

    /// URL of the exchange's REST API, without a slash at the end.
    #[must_use]
    pub fn exchange_url(&self) -> &str {
        self.exchange_url.as_str().trim_end_matches('/')
    }

    /// Whether the exchange plays a recording.
    #[must_use]
    pub fn exchange_is_recording(&self) -> bool {
        self.exchange_is_recording
    }

    /// Value of one variable of the host or of the function's own settings, or its default.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Value of one setting, parsed.
    ///
    /// # Errors
    /// [`ConfigError`] where it is not set and has no default, or does not fit; `expected` says what would fit.
    pub fn parsed<T: std::str::FromStr>(&self, name: &'static str, expected: &str) -> Result<T, ConfigError> {
        Values(&self.values).parsed(name, expected)
    }

    /// Value of one setting as a duration: `250ms`, `30s`, `5m`, or plain seconds.
    ///
    /// # Errors
    /// [`ConfigError`] where it is not set and has no default, or does not fit.
    pub fn duration(&self, name: &'static str) -> Result<Duration, ConfigError> {
        Values(&self.values).duration(name)
    }
}

const PREFIX: &str = "STREAMFORGE_";

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
