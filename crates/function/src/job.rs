//! What a job has that a function has not: it reads the log itself, tells who started it that it has taken a task, and
//! ends by itself.
//!
//! A job takes one record of its topic, commits, works and ends with 0; with 0 too if there was nothing to take.

use std::io::{self, Write as _};

use crate::{Config, ConfigError, Setting, config::setting, drain, process};

/// The variables that every job reads, beside those of the host.
pub const SETTINGS: &[Setting] = &[
    setting(
        "STREAMFORGE_BUS_URL",
        "URL",
        None,
        "event log: `sqlite:///absolute/path`, `kafka://HOST:PORT,…` or `kafka+ssl://…`",
    ),
    setting("STREAMFORGE_CLAIM_FILE", "path", None, "file that is made once a task is taken, for a readiness probe"),
];

/// URL of the event log.
///
/// # Errors
/// [`ConfigError::Missing`] where `STREAMFORGE_BUS_URL` is not set.
pub fn bus_url(config: &Config) -> Result<&str, ConfigError> {
    config.setting(SETTINGS[0].name).ok_or(ConfigError::Missing(SETTINGS[0].name))
}

/// Logs as functions do: lines of JSON on standard error, by the filter of the environment.
pub fn log_to_stderr(config: &Config) {
    process::log_to_stderr(config);
}

/// Resolves when the job is to leave off: at SIGTERM, Ctrl-C, or the end of standard input where the parent is there.
///
/// # Errors
/// Where the system refuses a signal handler.
pub fn stop_requested(config: &Config) -> io::Result<impl Future<Output = ()> + use<>> {
    drain::requested(config.parent_is_stdin)
}

/// Tells that this job has taken a task and committed it: until then it counts as pending. The parent process reads it
/// on standard output, if there is one that listens; a readiness probe finds the file of the environment.
///
/// # Errors
/// Where standard output or the file cannot be written.
pub fn announce_claim(config: &Config, task: &str) -> io::Result<()> {
    if let Some(path) = config.setting(SETTINGS[1].name) {
        std::fs::write(path, task)?;
    }
    if !config.parent_is_stdin {
        return Ok(());
    }
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", serde_json::json!({ "claimed": task }))?;
    stdout.flush()
}
