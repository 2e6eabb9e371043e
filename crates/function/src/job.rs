//! What a job has that a function has not: it reads the log itself, tells who started it that it has taken a task, and
//! ends by itself.
//!
//! A job takes one record of its topic, commits, works and ends with 0; with 0 too if there was nothing to take.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
};

use streamforge_events::ControlCommand;
use tokio::net::TcpListener;

use crate::{
    BuildError, Config, ConfigError, Setting,
    config::setting,
    drain,
    lifecycle::{Lifecycle, Phase, probes},
    process,
};

/// The variable that names the port of a job's probes.
pub const PROBE_PORT: &str = "STREAMFORGE_PROBE_PORT";

/// The variables that every job reads, beside those of the host.
pub const SETTINGS: &[Setting] = &[
    setting(
        "STREAMFORGE_BUS_URL",
        "URL",
        None,
        "event log: `sqlite:///absolute/path`, `kafka://HOST:PORT,…` or `kafka+ssl://…`",
    ),
    setting(PROBE_PORT, "port", None, "port of the probes, for a pod; it is ready once it has taken a task"),
    setting("HOSTNAME", "name", None, "tells runs apart that take tasks; on a cluster it is the pod's name"),
];

/// URL of the event log.
///
/// # Errors
/// [`ConfigError::Missing`] where `STREAMFORGE_BUS_URL` is not set.
pub fn bus_url(config: &Config) -> Result<&str, ConfigError> {
    config.setting(SETTINGS[0].name).ok_or(ConfigError::Missing(SETTINGS[0].name))
}

/// What tells this run from others: the pod, or the machine and the process.
#[must_use]
pub fn process_name(config: &Config, job: &str) -> String {
    let host = config.setting(SETTINGS[2].name);
    host.map_or_else(|| format!("{job}-{}", std::process::id()), str::to_owned)
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

/// How a job tells that it has taken a task: until then it counts as pending.
#[derive(Debug)]
pub struct Announcer {
    lifecycle: Lifecycle,
    parent_is_stdin: bool,
}

impl Announcer {
    /// Serves the probes of the job where the environment names a port for them: alive from now on, ready once a task
    /// is taken.
    ///
    /// # Errors
    /// Where the port is none, or is taken.
    pub async fn start(config: &Config) -> Result<Self, BuildError> {
        let lifecycle = Lifecycle::default();
        if let Some(text) = config.setting(PROBE_PORT) {
            let port = text.parse().map_err(|_| ConfigError::invalid(PROBE_PORT, "a port from 0 to 65535"))?;
            let address = SocketAddr::new(config.host, port);
            let listener = TcpListener::bind(address)
                .await
                .map_err(|error| BuildError::Unusable(format!("cannot listen on {address}: {error}")))?;
            tokio::spawn(axum::serve(listener, probes(&lifecycle)).into_future());
        }
        Ok(Self { lifecycle, parent_is_stdin: config.parent_is_stdin })
    }

    /// Tells that the job has taken a task and committed it: to the readiness probe, and on standard output to a parent
    /// process that listens, which speaks for the job if it dies.
    ///
    /// # Errors
    /// Where standard output cannot be written.
    pub fn claimed(&self, command: &ControlCommand) -> io::Result<()> {
        self.lifecycle.enter(Phase::Ready);
        if !self.parent_is_stdin {
            return Ok(());
        }
        let mut stdout = io::stdout();
        writeln!(stdout, "{}", serde_json::json!({ "claimed": command }))?;
        stdout.flush()
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    fn config(port: &str) -> Config {
        let variables = [("STREAMFORGE_INGRESS_URL", "http://localhost"), (PROBE_PORT, port)];
        Config::from_map(&variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), SETTINGS).unwrap()
    }

    async fn status(port: u16, path: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: job\r\nconnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer.split_whitespace().nth(1).unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_job_is_ready_once_it_has_taken_a_task() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        assert!(matches!(Announcer::start(&config(&port.to_string())).await, Err(BuildError::Unusable(_))));
        drop(free);
        let announcer = Announcer::start(&config(&port.to_string())).await.unwrap();
        assert_eq!(status(port, "/health/live").await, "200");
        assert_eq!(status(port, "/health/ready").await, "503");
        let command = serde_json::json!({
            "command": "start", "queue_id": "wf-btcusdt-x-20240801-a1b2c3", "target": "job", "type": "live",
            "telemetry_id": "job__a1b2c3", "timestamp": 0.0,
        });
        announcer.claimed(&serde_json::from_value(command).unwrap()).unwrap();
        assert_eq!(status(port, "/health/ready").await, "200");
    }

    #[tokio::test]
    async fn a_port_that_is_none_is_bad_configuration() {
        assert!(matches!(Announcer::start(&config("http")).await, Err(BuildError::Config(_))));
    }
}
