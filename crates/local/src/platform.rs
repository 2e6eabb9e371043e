//! The platform on one machine: ingress, dispatchers, scaler, supervisor, workflow API and, if asked for, an exchange.
//!
//! Everything is checked before the first port is bound: addresses, manifests, exchange, data folder.
//! A platform that is killed leaves nothing behind but files that the next one goes on with: workers see the end of
//! their standard input and go, and whatever was not committed is delivered again.

mod error;
mod exchange;
mod files;
mod folder;
mod jobs;
mod places;
mod scaling;
mod serving;
mod signal;
mod sources;
mod state;
mod watching;
mod wiring;
mod workers;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use streamforge_bus::{Bus, TopicConfig};
use streamforge_events::Millis;
use streamforge_store::Store;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use visualizer::{Samples, Sources, Views};

use crate::{
    dispatcher::{self, Dispatcher, Options, Subscription},
    endpoints::Endpoints,
    manifest::Manifests,
    metrics::Metrics,
    supervisor::Pool,
};
use folder::Lock;
use watching::Watched;
use workers::Workers;

pub use error::Error;
pub use exchange::{Exchange, parse_speed};
pub use folder::DataFolder;
pub use jobs::JobCounts;
pub use places::{Places, Urls};
pub(crate) use serving::exchange as serve_exchange;
pub use signal::{interrupted, shutdown_signal};
pub use sources::ManifestSource;
pub use state::State;

/// The exchange's public REST API.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/general-api-information>
pub const DEFAULT_EXCHANGE: &str = "https://api.binance.com";

/// How often old records are deleted.
const RETENTION_PERIOD: Duration = Duration::from_mins(1);

/// How often the lag of all readers is looked at while they come to an end.
const SETTLE_PAUSE: Duration = Duration::from_millis(20);

/// Two trainings on one machine take longer together than one after the other.
const MOST_RUNS: u32 = 1;

/// What a platform is asked to be.
#[derive(Debug, Clone)]
pub struct PlatformConfig {
    /// The data folder, made if it is missing, and what is elsewhere.
    pub places: Places,
    /// Folder with the manifests; without it, the working tree's or the built-in ones.
    pub manifests: Option<PathBuf>,
    /// Address of the Broker ingress, on loopback.
    pub ingress: SocketAddr,
    /// Address of the workflow API, on loopback.
    pub api: SocketAddr,
    /// `synthetic:SEED`, `replay:DIR`, `recording:DIR[,speed=N]` or a URL.
    pub exchange: String,
    /// Most worker processes at once; without it, four a core and at least eight.
    pub max_workers: Option<u32>,
    /// Folder with the programs of jobs; without it, that of the program.
    pub job_path: Option<PathBuf>,
    /// Most runs of a job at once, such as trainings; without it, one.
    pub max_jobs: Option<u32>,
    /// The program whose `function NAME` serves a function; without it, the running one.
    pub program: Option<PathBuf>,
}

/// A running platform.
pub struct Platform {
    folder: DataFolder,
    manifests: ManifestSource,
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    state: watch::Receiver<State>,
    delivery: CancellationToken,
    /// Groups and the topics that they read.
    readers: Vec<(String, String)>,
    dispatchers: JoinSet<()>,
    scaling: JoinHandle<()>,
    pools: Vec<Pool>,
    jobs: JoinSet<()>,
    serving: CancellationToken,
    services: JoinSet<()>,
    _lock: Lock,
}

impl Platform {
    /// Starts a platform; when this returns, events can be posted to the ingress.
    ///
    /// # Errors
    /// [`Error`], with nothing left running.
    pub async fn start(config: PlatformConfig) -> Result<Self, Error> {
        let Checked { source, manifests, subscriptions, exchange, program } = Checked::new(&config)?;
        let places = config.places;
        let folder = places.folder().clone();
        let lock = folder.lock().await?;
        files::allow_many();
        let bus = places.open_bus()?;
        let store = places.open_store().await?;
        create_topics(bus.as_ref(), &manifests).await?;

        let serving = CancellationToken::new();
        let mut services = JoinSet::new();
        let ingress = serving::bind(config.ingress).await?;
        let api = serving::bind(config.api).await?;
        let ingress_url = serving::url(&ingress)?;
        let api_url = serving::url(&api)?;
        let is_recording = matches!(exchange, Exchange::Recording(..));
        let exchange_url = serving::exchange(exchange, &serving, &mut services).await?;
        let metrics = Metrics::default();
        serving::ingress(ingress, Arc::clone(&bus), &manifests.brokers, metrics.clone(), &serving, &mut services);
        let samples = Samples::default();
        let views = Views::new(Sources {
            store: Arc::clone(&store),
            bus: Arc::clone(&bus),
            objects: places.open_objects().await?,
            publisher: serving::publisher(&ingress_url)?,
            replays: Some(folder.replays()),
            samples: Some(samples.clone()),
            logs: Some(folder.logs()),
            shutdown: Box::pin(serving.clone().cancelled_owned()),
        });
        serving::api(api, &ingress_url, Arc::clone(&bus), Arc::clone(&store), views, &serving, &mut services)?;
        services.spawn(retain(Arc::clone(&bus), serving.clone()));

        let endpoints = Endpoints::default();
        let beside = program.parent().unwrap_or(std::path::Path::new(".")).to_owned();
        let workers = Workers {
            places: &places,
            program,
            job_path: config.job_path.unwrap_or(beside),
            max_jobs: config.max_jobs.unwrap_or(MOST_RUNS),
            ingress_url: ingress_url.clone(),
            exchange_url: exchange_url.clone(),
            is_recording,
        };
        let jobs = workers.jobs(&manifests, &bus)?;
        let started = workers.start(&manifests, &endpoints);
        let delivery = CancellationToken::new();
        let readers = subscriptions.iter().map(|one| (one.group.clone(), one.topic.clone())).collect();
        let options = Options { instance: Some(folder.instance()?), metrics, ..Options::default() };
        let dispatchers = dispatch(subscriptions, &bus, &endpoints, &options, &delivery).await?;
        let counts = started.counts.iter().map(|(_, counts)| counts.clone());
        let watched = started
            .functions
            .iter()
            .zip(counts)
            .map(|(function, counts)| Watched::function(function, counts, endpoints.clone()));
        let watched = watched.chain(jobs.iter().map(Watched::job)).collect();
        services.spawn(watching::run(Arc::clone(&bus), watched, samples, serving.clone()));
        let scaling = scaling::Scaling {
            bus: Arc::clone(&bus),
            functions: started.functions,
            max_workers: config.max_workers.unwrap_or_else(default_max_workers),
        };
        let scaling = tokio::spawn(scaling.run(delivery.clone()));

        let initial = State {
            pid: std::process::id(),
            started_at: now(),
            ingress_url,
            api_url,
            exchange_url,
            exchange: config.exchange,
            bus: places.bus_url(),
            store: places.store_url(),
            objects: places.objects_url(),
            ledger: places.ledger_url(),
            jobs: jobs.iter().map(|job| (job.name.clone(), *job.counts.borrow())).collect(),
            workers: started.counts.iter().map(|(name, counts)| (name.clone(), *counts.borrow())).collect(),
        };
        initial.write(&folder.state()).map_err(|source| Error::DataFolder { path: folder.state(), source })?;
        let (sender, state) = watch::channel(initial);
        let (counts, jobs): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| ((job.name, job.counts), job.jobs)).unzip();
        services.spawn(state::report(folder.clone(), started.counts, counts, sender, serving.clone()));
        info!(manifests = %source, functions = started.pools.len(), jobs = jobs.len(), "platform started");
        let jobs: JoinSet<()> = jobs.into_iter().map(|job| job.run(delivery.clone())).collect();
        Ok(Self {
            folder,
            manifests: source,
            bus,
            store,
            state,
            delivery,
            readers,
            dispatchers,
            scaling,
            pools: started.pools,
            jobs,
            serving,
            services,
            _lock: lock,
        })
    }

    /// Returns what the platform says about itself.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Returns the data folder.
    #[must_use]
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// Returns where the manifests came from.
    #[must_use]
    pub fn manifests(&self) -> &ManifestSource {
        &self.manifests
    }

    /// Returns the event log.
    #[must_use]
    pub fn bus(&self) -> Arc<dyn Bus> {
        Arc::clone(&self.bus)
    }

    /// Returns the store.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Waits until every event has come to its readers, or until it was patient for long enough; what is left waits in
    /// the log for the next start.
    ///
    /// # Errors
    /// [`Error::Bus`] if the log cannot be read.
    pub async fn settle(&self, patience: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + patience;
        let mut looks_without_lag = 0;
        // One reader may hand on to another that was looked at before it.
        while looks_without_lag < 2 && Instant::now() < deadline {
            let mut lag = 0;
            for (group, topic) in &self.readers {
                lag += self.bus.lag(group, topic).await?.iter().sum::<u64>();
            }
            looks_without_lag = if lag == 0 { looks_without_lag + 1 } else { 0 };
            tokio::time::sleep(SETTLE_PAUSE).await;
        }
        Ok(())
    }

    /// Stops in the order in which nothing is lost: deliveries, then workers, then what they talk to.
    pub async fn shutdown(mut self) {
        self.delivery.cancel();
        while let Some(ended) = self.dispatchers.join_next().await {
            if let Err(error) = ended {
                warn!(%error, "dispatcher ended abnormally");
            }
        }
        if let Err(error) = self.scaling.await {
            warn!(%error, "scaler ended abnormally");
        }
        // Runs of jobs leave off at the same moment as deliveries do.
        let jobs = self.jobs.join_all();
        let pools: JoinSet<()> = self.pools.into_iter().map(Pool::shutdown).collect();
        tokio::join!(pools.join_all(), jobs);
        self.serving.cancel();
        while let Some(ended) = self.services.join_next().await {
            if let Err(error) = ended {
                warn!(%error, "service ended abnormally");
            }
        }
        info!("platform stopped");
    }
}

/// What can be known to be right before anything is touched.
struct Checked {
    source: ManifestSource,
    manifests: Manifests,
    subscriptions: Vec<Subscription>,
    exchange: Exchange,
    program: PathBuf,
}

impl Checked {
    fn new(config: &PlatformConfig) -> Result<Self, Error> {
        for address in [config.ingress, config.api] {
            if !address.ip().is_loopback() {
                return Err(Error::NotLoopback(address));
            }
        }
        let current = std::env::current_dir().unwrap_or_default();
        let source = ManifestSource::find(config.manifests.as_deref(), &current)?;
        let manifests = source.load()?;
        let subscriptions = subscriptions(&manifests)?;
        let program = match &config.program {
            Some(program) => program.clone(),
            None => std::env::current_exe().map_err(Error::Binary)?,
        };
        Ok(Self { source, manifests, subscriptions, exchange: config.exchange.parse()?, program })
    }
}

fn subscriptions(manifests: &Manifests) -> Result<Vec<Subscription>, Error> {
    let resolve = |trigger| Subscription::resolve(manifests, trigger).map_err(Error::Manifests);
    manifests.triggers.iter().map(resolve).collect()
}

/// Starts a dispatcher for every Trigger.
async fn dispatch(
    subscriptions: Vec<Subscription>,
    bus: &Arc<dyn Bus>,
    endpoints: &Endpoints,
    options: &Options,
    stop: &CancellationToken,
) -> Result<JoinSet<()>, Error> {
    let client = dispatcher::http_client().map_err(Error::DataPlane)?;
    // All at once: joining a group of a cluster takes some round trips.
    let opening = subscriptions.into_iter().map(|subscription| {
        Dispatcher::open(subscription, Arc::clone(bus), endpoints.clone(), client.clone(), options.clone())
    });
    let opened = futures::future::try_join_all(opening).await.map_err(Error::DataPlane)?;
    Ok(opened.into_iter().map(|dispatcher| dispatcher.run(stop.clone())).collect())
}

/// Creates the topics as the manifests describe them; one that is only named gets the defaults.
async fn create_topics(bus: &dyn Bus, manifests: &Manifests) -> Result<(), Error> {
    for name in manifests.topic_names() {
        let described = manifests.topics.iter().find(|topic| topic.topic == name);
        let config = described.map_or_else(TopicConfig::default, crate::manifest::KafkaTopic::config);
        bus.create_topic(&name, &config).await?;
    }
    Ok(())
}

/// Deletes old records until the shutdown.
async fn retain(bus: Arc<dyn Bus>, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(RETENTION_PERIOD) => {}
        }
        if let Err(error) = bus.enforce_retention(now()).await {
            warn!(%error, "old records were not deleted");
        }
    }
}

fn default_max_workers() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(cores.saturating_mul(4)).unwrap_or(u32::MAX).max(8)
}

/// Returns the time of this machine's clock.
///
/// # Units
/// UTC milliseconds since the Unix epoch.
#[must_use]
pub fn now() -> Millis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since_epoch.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests;
