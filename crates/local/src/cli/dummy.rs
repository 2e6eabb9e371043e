//! `streamforge dummy`: the diagnostic function with a behaviour chosen on the command line.

use std::{num::NonZeroU64, os::unix::process::CommandExt as _, process};

use dummy_service::{Behaviour, Loading};

use super::{
    exit::{Failure, Outcome},
    remote,
};
use crate::{functions, platform::Places};

/// Name of the diagnostic function.
const FUNCTION: &str = "dummy-service";

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Arguments {
    /// Report `loading` step by step, then `finished`.
    #[arg(long)]
    simulate_loading: bool,
    /// Report `error` after N steps.
    #[arg(long, value_name = "N")]
    fail_after: Option<u32>,
    /// End the process, as a crash would, after N steps.
    #[arg(long, value_name = "N")]
    exit_after: Option<u32>,
    /// End the process when a ping arrives.
    #[arg(long)]
    exit_on_ping: bool,
    /// Answer one event in N with 503, as a bad version would.
    #[arg(long, value_name = "N")]
    refuse_every: Option<NonZeroU64>,
    /// Report nothing at all.
    #[arg(long)]
    noop: bool,
    /// Log each step.
    #[arg(long)]
    debug: bool,
    /// Port to listen on; 0 takes a free one.
    #[arg(long)]
    port: Option<u16>,
}

impl Arguments {
    fn behaviour(&self) -> Behaviour {
        Behaviour {
            simulate_loading: self.simulate_loading.then(Loading::default),
            fail_after: self.fail_after,
            exit_after: self.exit_after,
            exit_on_ping: self.exit_on_ping,
            refuse_every: self.refuse_every,
            noop: self.noop,
            debug: self.debug,
        }
    }
}

/// Becomes `streamforge function dummy-service` with the behaviour in its environment.
pub(super) fn execute(arguments: &Arguments, places: &Places) -> Outcome {
    let behaviour = serde_json::to_string(&arguments.behaviour()).map_err(|error| Failure::failed(&error))?;
    let mut command = process::Command::new(std::env::current_exe()?);
    command.args(["function", FUNCTION]).env("STREAMFORGE_DUMMY_BEHAVIOUR", behaviour);
    for (name, _) in std::env::vars_os() {
        let is_foreign = name
            .to_str()
            .is_some_and(|name| name.starts_with("STREAMFORGE_") && !functions::reads_variable(FUNCTION, name));
        if is_foreign {
            command.env_remove(name);
        }
    }
    if let Ok(state) = remote::running(places) {
        command.env("STREAMFORGE_INGRESS_URL", state.ingress_url);
    }
    if let Some(port) = arguments.port {
        command.env("PORT", port.to_string());
    }
    // This returns only if the process could not be replaced.
    Err(Failure::failed(&command.exec()))
}
