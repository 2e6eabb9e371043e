//! From manifests to pools of worker processes.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

use streamforge_bus::Bus;
use streamforge_function::{Config, Publisher, VARIABLES, job};
use tokio::{sync::watch, time::Instant};
use tracing::warn;

use super::{
    Error,
    jobs::{JobCounts, Jobs},
    places::Places,
    scaling::ScaledFunction,
    wiring::{WiredFunction, WiredJob, jobs, wire},
};
use crate::{
    endpoints::Endpoints,
    functions,
    manifest::Manifests,
    scaler,
    supervisor::{Counts, Pool, WorkerCommand},
};

const PREFIX: &str = "STREAMFORGE_";
const LEDGER: &str = "STREAMFORGE_LEDGER_URL";

/// How long a worker may take until it listens; a machine under load is slow.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a worker may take to finish its last events: a little more than it gives itself.
const GRACE: Duration = Duration::from_secs(35);

/// What all workers have in common.
pub(super) struct Workers<'a> {
    pub(super) places: &'a Places,
    pub(super) program: PathBuf,
    /// Where the programs of jobs are.
    pub(super) job_path: PathBuf,
    /// Most runs of a job at once.
    pub(super) max_jobs: u32,
    pub(super) ingress_url: String,
    pub(super) exchange_url: String,
    /// Whether the exchange plays a recording.
    pub(super) is_recording: bool,
}

/// The pools, what the scaler needs of them, and their counts by function.
pub(super) struct Started {
    pub(super) pools: Vec<Pool>,
    pub(super) functions: Vec<ScaledFunction>,
    pub(super) counts: Vec<(String, watch::Receiver<Counts>)>,
}

/// A job, what starts its runs, and their counts.
pub(super) struct StartedJob {
    pub(super) name: String,
    pub(super) jobs: Jobs,
    pub(super) counts: watch::Receiver<JobCounts>,
}

impl Workers<'_> {
    /// Starts a pool, without workers yet, for every function that the manifests deploy.
    pub(super) fn start(&self, manifests: &Manifests, endpoints: &Endpoints) -> Started {
        let (functions, warnings) = wire(manifests, &functions::NAMES);
        for warning in warnings {
            warn!("{warning}");
        }
        let mut started = Started { pools: Vec::new(), functions: Vec::new(), counts: Vec::new() };
        for function in functions {
            if let Some(limit) = most_in_flight(&function.environment) {
                endpoints.set_limit(&function.service, limit);
            }
            let pool = Pool::start(self.command(&function), function.service.clone(), endpoints.clone());
            started.counts.push((function.name.clone(), pool.counts()));
            started.functions.push(ScaledFunction {
                name: function.name,
                service: function.service,
                desired: pool.desired(),
                scale: function.scale,
                state: scaler::State::default(),
                due: Instant::now(),
            });
            started.pools.push(pool);
        }
        started
    }

    /// The jobs that the manifests describe, each with the counts of its runs, without a run yet.
    pub(super) fn jobs(&self, manifests: &Manifests, bus: &Arc<dyn Bus>) -> Result<Vec<StartedJob>, Error> {
        let start = |job: WiredJob| {
            let variables =
                [("STREAMFORGE_INGRESS_URL", &self.ingress_url), ("STREAMFORGE_NAMESPACE", &job.name.namespace)];
            let variables = variables.map(|(name, value)| (name.to_owned(), value.clone())).into();
            let config = Config::from_map(&variables, &[]).map_err(|error| Error::Jobs(Box::new(error)))?;
            let (sender, counts) = watch::channel(JobCounts::default());
            let command = self.job_command(&job);
            let mut rules = job.rules;
            rules.max = rules.max.min(self.max_jobs);
            let jobs = Jobs {
                bus: Arc::clone(bus),
                publisher: Publisher::new(&config).map_err(|error| Error::Jobs(Box::new(error)))?,
                rules,
                polling_interval: job.polling_interval,
                command,
                counts: sender,
            };
            Ok(StartedJob { name: job.name.name, jobs, counts })
        };
        jobs(manifests).into_iter().map(start).collect()
    }

    fn job_command(&self, wired: &WiredJob) -> WorkerCommand {
        let is_read = |name: &String| {
            let mut known = VARIABLES.iter().chain(job::SETTINGS);
            !name.starts_with(PREFIX)
                || wired.variables.contains(name)
                || known.any(|setting| setting.name == name.as_str())
        };
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut environment = wired.environment.clone();
        environment.extend([
            set("STREAMFORGE_INGRESS_URL", &self.ingress_url),
            set("STREAMFORGE_NAMESPACE", &wired.name.namespace),
            set("STREAMFORGE_BUS_URL", &self.places.bus_url()),
            set("STREAMFORGE_STORE_URL", &self.places.store_url()),
            set("STREAMFORGE_OBJECTS_URL", &self.places.objects_url()),
            set("BINANCE_API_URL", &self.exchange_url),
            set("BINANCE_IS_RECORDING", if self.is_recording { "true" } else { "false" }),
            set("STREAMFORGE_HOST", "127.0.0.1"),
            set("PORT", "0"),
            set("STREAMFORGE_METRICS_PORT", "0"),
            // That of a manifest is a pod's own; here all jobs and the ingress share the machine's.
            set(job::PROBE_PORT, "0"),
            set("STREAMFORGE_PARENT", "stdin"),
        ]);
        let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        WorkerCommand {
            name: wired.name.name.clone(),
            program: self.job_path.join(&wired.program),
            arguments: wired.arguments.clone(),
            environment,
            without: inherited.filter(|name| !is_read(name)).collect(),
            log: self.places.folder().worker_log(&wired.name.name),
            start_timeout: START_TIMEOUT,
            grace: GRACE,
            liveness: None,
        }
    }

    fn command(&self, function: &WiredFunction) -> WorkerCommand {
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let is_read = |name: &str| !name.starts_with(PREFIX) || functions::reads_variable(&function.name, name);
        let mut environment = function.environment.clone();
        environment.retain(|(name, _)| is_read(name));
        // What the platform knows better than a manifest that is written for a cluster.
        environment.extend([
            set("STREAMFORGE_INGRESS_URL", &self.ingress_url),
            set("STREAMFORGE_NAMESPACE", &function.service.namespace),
            set("STREAMFORGE_STORE_URL", &self.places.store_url()),
            set("STREAMFORGE_OBJECTS_URL", &self.places.objects_url()),
            set("BINANCE_API_URL", &self.exchange_url),
            set("BINANCE_IS_RECORDING", if self.is_recording { "true" } else { "false" }),
            set("STREAMFORGE_HOST", "127.0.0.1"),
            set("PORT", "0"),
            set("STREAMFORGE_METRICS_PORT", "0"),
            set("STREAMFORGE_PARENT", "stdin"),
            // The endpoints forget a worker before it is told to go, so there is nothing to wait for.
            set("STREAMFORGE_DRAIN_GRACE", "0s"),
        ]);
        if is_read(LEDGER) {
            environment.push(set(LEDGER, &self.places.ledger_url()));
        }
        let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        WorkerCommand {
            name: function.name.clone(),
            program: self.program.clone(),
            arguments: vec!["function".to_owned(), function.name.clone()],
            environment,
            without: inherited.filter(|name| !is_read(name)).collect(),
            log: self.places.folder().worker_log(&function.name),
            start_timeout: START_TIMEOUT,
            grace: GRACE,
            liveness: function.liveness.clone(),
        }
    }
}

/// How many events a worker takes at once; what is sent beyond comes back and has to wait for its next try.
fn most_in_flight(environment: &[(String, String)]) -> Option<NonZeroUsize> {
    let own = environment.iter().rev().find(|(name, _)| name == functions::MAX_IN_FLIGHT);
    own.map_or_else(functions::default_in_flight, |(_, value)| value.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::platform::Urls;

    #[test]
    fn jobs_of_one_machine_take_no_port_from_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::new(folder.path(), Urls::default()).unwrap();
        let workers = Workers {
            places: &places,
            program: PathBuf::new(),
            job_path: PathBuf::new(),
            max_jobs: 1,
            ingress_url: String::new(),
            exchange_url: String::new(),
            is_recording: false,
        };
        let jobs = jobs(&Manifests::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))).unwrap());
        assert!(!jobs.is_empty());
        for job in jobs {
            let environment = workers.job_command(&job).environment;
            let port = environment.iter().rev().find(|(name, _)| name == job::PROBE_PORT);
            assert_eq!(port.map(|(_, port)| port.as_str()), Some("0"), "{}", job.name.name);
        }
    }
}
