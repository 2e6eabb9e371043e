//! The process around a function: configuration, logs, ports, signals, exit code.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::{BuildError, Config, Context, Function, drain, serve};

/// Runs a function from the environment until it is told to stop: the body of every `main.rs`.
///
/// Exit codes: 0 after a clean drain, 64 for bad configuration, 1 for anything else; what was wrong stands in one
/// line on standard error.
///
/// # Source
/// 64 is `EX_USAGE` of `sysexits.h`.
pub fn main<F, B>(build: B) -> ExitCode
where
    F: Function,
    B: AsyncFnOnce(&Config) -> Result<F, BuildError>,
{
    match run(build) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Without standard error there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "{}: {}", F::NAME, failure.message);
            ExitCode::from(failure.exit_code)
        }
    }
}

/// What ends a process early.
struct Failure {
    exit_code: u8,
    message: String,
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let exit_code = match &error {
            BuildError::Config(_) => 64,
            BuildError::Unusable(_) => 1,
        };
        Self { exit_code, message: error.to_string() }
    }
}

fn failed(message: impl Into<String>) -> Failure {
    Failure { exit_code: 1, message: message.into() }
}

fn run<F, B>(build: B) -> Result<(), Failure>
where
    F: Function,
    B: AsyncFnOnce(&Config) -> Result<F, BuildError>,
{
    let config = Config::from_environment(F::SETTINGS).map_err(BuildError::Config)?;
    log_to_stderr(&config);
    // One thread: a function is scaled by processes, so requests need not be handed from thread to thread. Long
    // computations belong on a blocking thread, which the runtime starts when one is needed.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(format!("the runtime could not be started: {error}")))?;
    let outcome = runtime.block_on(async {
        let function = build(&config).await?;
        let context = Context::new(F::NAME, config)?;
        run_until_stopped(function, context).await
    });
    // A computation on a blocking thread does not know that its event was given up.
    runtime.shutdown_timeout(Duration::from_millis(100));
    outcome
}

async fn run_until_stopped<F: Function>(function: F, context: Context) -> Result<(), Failure> {
    let config = context.config();
    let shutdown = drain::requested(config.parent_is_stdin)
        .map_err(|error| failed(format!("signals cannot be handled: {error}")))?;
    let listener = bind(SocketAddr::new(config.host, config.port)).await?;
    let metrics_listener = bind(SocketAddr::new(config.host, config.metrics_port)).await?;
    if config.parent_is_stdin {
        announce(&listener, &metrics_listener)?;
    }
    serve(function, context, listener, metrics_listener, shutdown).await.map_err(|error| failed(error.to_string()))
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| failed(format!("cannot listen on {address}: {error}")))
}

/// Tells the parent process where to send events; ports may have been chosen by the system.
fn announce(listener: &TcpListener, metrics_listener: &TcpListener) -> Result<(), Failure> {
    let line = || {
        let addresses = serde_json::json!({
            "listening": listener.local_addr()?.to_string(),
            "metrics": metrics_listener.local_addr()?.to_string(),
        });
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{addresses}")?;
        stdout.flush()
    };
    line().map_err(|error: std::io::Error| failed(format!("the parent cannot be told the ports: {error}")))
}

pub(crate) fn log_to_stderr(config: &Config) {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::new(&config.log))
        // It would be told on stderr, which is what failed, and by a panic.
        .log_internal_errors(false);
    // An error says that the process logs somewhere else already, which is its own choice.
    let _ = subscriber.try_init();
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(location = panic.location().map(ToString::to_string), "panic: {panic}");
    }));
}
