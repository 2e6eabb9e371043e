//! Exit codes, in one place, and how an error is told to a person.

use std::{
    error::Error,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use tracing_subscriber::EnvFilter;

/// Shown at the end of `--help`.
pub(super) const HELP: &str = "\
Exit codes:
    0  success; for `run` and `queues watch`: the workflow finished
    1  the command or the workflow failed
    2  the command line is not valid
   64  the configuration is not valid; nothing was started
   69  something that the command needs is not there (platform, port, data folder in use)
  130  interrupted";

/// Why a command did not succeed.
#[derive(Debug, PartialEq)]
pub(super) enum Failure {
    /// The command or the workflow failed: 1.
    Failed(String),
    /// The configuration is not valid: 64.
    Configuration(String),
    /// Something that the command needs is not there: 69.
    Unavailable(String),
    /// Ctrl-C: 130.
    Interrupted,
    /// A worker ended with a code of its own, and has said why.
    Worker(ExitCode),
    /// Whoever read our output has gone; that is their right: 0.
    ClosedPipe,
}

/// What a command returns.
pub(super) type Outcome = Result<(), Failure>;

impl Failure {
    /// Builds a failure from an error and all its sources.
    pub(super) fn failed(error: &(dyn Error + 'static)) -> Self {
        Self::Failed(chain(error))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ClosedPipe;
        }
        Self::failed(&error)
    }
}

impl From<crate::platform::Error> for Failure {
    fn from(error: crate::platform::Error) -> Self {
        let text = chain(&error);
        if error.is_configuration() {
            return Self::Configuration(text);
        }
        if error.is_unavailable() {
            return Self::Unavailable(text);
        }
        Self::Failed(text)
    }
}

impl From<streamforge_bus::Error> for Failure {
    fn from(error: streamforge_bus::Error) -> Self {
        Self::failed(&error)
    }
}

impl From<streamforge_backup::Error> for Failure {
    fn from(error: streamforge_backup::Error) -> Self {
        Self::failed(&error)
    }
}

impl From<streamforge_hindsight::Error> for Failure {
    fn from(error: streamforge_hindsight::Error) -> Self {
        Self::failed(&error)
    }
}

impl From<streamforge_ledger::Error> for Failure {
    fn from(error: streamforge_ledger::Error) -> Self {
        Self::failed(&error)
    }
}

impl From<streamforge_store::Error> for Failure {
    fn from(error: streamforge_store::Error) -> Self {
        Self::failed(&error)
    }
}

/// Joins the texts of an error and its sources.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Tells the failure, if any, on stderr and returns the exit code.
pub(super) fn code(outcome: Outcome) -> ExitCode {
    let Err(failure) = outcome else {
        return ExitCode::SUCCESS;
    };
    let (code, text) = match failure {
        Failure::Failed(text) => (1, text),
        Failure::Configuration(text) => (64, text),
        Failure::Unavailable(text) => (69, text),
        Failure::Interrupted => (130, "interrupted".to_owned()),
        Failure::Worker(code) => return code,
        Failure::ClosedPipe => return ExitCode::SUCCESS,
    };
    let line = text.replace('\n', "; ");
    // Nobody can be told that nobody can be told.
    writeln!(io::stderr(), "streamforge: {line}").ok();
    ExitCode::from(code)
}

/// Starts a multi-threaded runtime.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| Failure::failed(&error))
}

/// Writes logs for people to stderr, from `level` on or as `RUST_LOG` asks for.
pub(super) fn start_logging(level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    // A second call, as in tests, keeps the first subscriber.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        // It would be told on stderr, which is what failed, and by a panic.
        .log_internal_errors(false)
        .try_init()
        .ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failure, Failure::ClosedPipe);
        assert_eq!(format!("{:?}", code(Err(failure))), format!("{:?}", ExitCode::SUCCESS));
        assert!(matches!(Failure::from(io::Error::other("disk")), Failure::Failed(_)));
    }
}
