//! What can go wrong with the exchange, and whether asking again can help.

use std::{path::PathBuf, time::Duration};

use streamforge_events::Symbol;

/// Failure of a request to the exchange, after every retry that could help.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client cannot be built from its configuration.
    #[error("failed to set up the exchange client for `{base_url}`: {reason}")]
    Configuration {
        /// The URL that was configured.
        base_url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The exchange refused the request with one of its codes.
    #[error("exchange refused {request}: HTTP {status}, code {code}: {message}")]
    Refused {
        /// Path and query of the request.
        request: String,
        /// HTTP status.
        status: u16,
        /// The exchange's code, such as -1121.
        code: i64,
        /// The exchange's own words.
        message: String,
    },
    /// The exchange does not serve this location (HTTP 451).
    #[error(
        "exchange does not serve this location (HTTP 451) for {request}: {message} (market data is open at \
         https://data-api.binance.vision)"
    )]
    Restricted {
        /// Path and query of the request.
        request: String,
        /// The exchange's own words.
        message: String,
    },
    /// The exchange's firewall refused the request (HTTP 403).
    #[error("exchange's firewall refused {request} (HTTP 403): {excerpt}")]
    Forbidden {
        /// Path and query of the request.
        request: String,
        /// Start of the answer.
        excerpt: String,
    },
    /// The request rate limit forbids asking for longer than the client may wait.
    #[error("exchange asks this address to wait {} s before {request}", retry_after.as_secs())]
    RateLimited {
        /// Path and query of the request.
        request: String,
        /// How long the exchange wants nothing to be sent.
        retry_after: Duration,
    },
    /// The exchange reported a failure of its own.
    #[error("exchange failed on {request}: HTTP {status}: {excerpt}")]
    Unavailable {
        /// Path and query of the request.
        request: String,
        /// HTTP status.
        status: u16,
        /// The exchange's own words, or the start of its answer.
        excerpt: String,
    },
    /// The answer is not what the interface promises.
    #[error("exchange answered {request} with something else than {expected}: {found}")]
    Malformed {
        /// Path and query of the request.
        request: String,
        /// The field or the kind of content that was expected.
        expected: String,
        /// What came instead, shortened.
        found: String,
    },
    /// The answer is larger than any true one.
    #[error("exchange's answer to {request} is larger than {limit} bytes")]
    TooLarge {
        /// Path and query of the request.
        request: String,
        /// The most bytes that are read.
        limit: usize,
    },
    /// The connection failed.
    #[error("connection to the exchange failed on {request}")]
    Transport {
        /// Path and query of the request.
        request: String,
        /// What the HTTP client said.
        #[source]
        source: reqwest::Error,
    },
    /// The window asked for would need more than one page.
    #[error("window of {symbol} holds {bars} bars, more than the {limit} of one page")]
    Window {
        /// The symbol asked for.
        symbol: Symbol,
        /// How many bars the window can hold.
        bars: u64,
        /// The most bars of one page.
        limit: u64,
    },
    /// The simulator cannot read its source.
    #[error("failed to read the market from `{place}`: {reason}")]
    Source {
        /// The file or folder, with the line if there is one.
        place: String,
        /// What was expected.
        reason: String,
    },
    /// The simulator's faults are not written as they should be.
    #[error("failed to parse faults `{text}`: {reason}")]
    Faults {
        /// What was given.
        text: String,
        /// What was expected.
        reason: String,
    },
    /// A folder cannot take a recording.
    #[error("folder `{}` cannot take a recording: {reason}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is in the way.
        reason: String,
    },
    /// A recording cannot be written; what was written before stays.
    #[error("failed to write the recording to `{}`", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The simulator's server stopped.
    #[error("exchange simulator failed to serve")]
    Serve(#[source] std::io::Error),
}

impl Error {
    /// Whether the same request will fail in the same way however often it is repeated.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::Restricted { .. }
            | Self::Forbidden { .. }
            | Self::Configuration { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Window { .. }
            | Self::Source { .. }
            | Self::Faults { .. }
            | Self::Folder { .. } => true,
            Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::Transport { .. }
            | Self::Write { .. }
            | Self::Serve(_) => false,
        }
    }
}
