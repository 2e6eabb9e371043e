//! Live addresses of the workers behind each Service, whose turn it is, and the connections kept to them.

mod connection;

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use streamforge_events::Millis;
use tokio::{sync::watch, time::timeout};

use crate::manifest::ObjectName;

pub(crate) use connection::{Broken, Connection};

/// Addresses of workers by Service; clones share them.
///
/// The supervisor sets them, the dispatchers pick from them and wait while a Service has none.
#[derive(Debug, Clone)]
pub struct Endpoints {
    services: Arc<Mutex<HashMap<ObjectName, Service>>>,
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Service {
    workers: Vec<Worker>,
    /// When one of the workers first answered since there was none.
    first_answer: Option<Millis>,
    /// Most requests in flight at one worker.
    limit: usize,
}

struct Worker {
    address: SocketAddr,
    in_flight: usize,
    last_pick: u64,
    /// Connections without a request; they go with the worker.
    idle: Vec<Connection>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Worker")
            .field("address", &self.address)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}

/// The address of a worker for one request; dropping it says that the request is over.
#[derive(Debug)]
pub struct Lease {
    address: SocketAddr,
    service: ObjectName,
    endpoints: Endpoints,
}

impl Lease {
    /// Where the request goes.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection kept from an earlier request, the one used last; the worker may have closed it meanwhile.
    pub(crate) fn take_connection(&self) -> Option<Connection> {
        self.with_worker(|worker| worker.idle.pop()).flatten()
    }

    /// Keeps a connection for a later request, unless the worker has gone.
    pub(crate) fn keep_connection(&self, connection: Connection) {
        self.with_worker(|worker| worker.idle.push(connection));
    }

    /// Notes that the worker answered.
    pub(crate) fn note_answer(&self, at: Millis) {
        if let Some(service) = self.endpoints.lock().get_mut(&self.service) {
            service.first_answer.get_or_insert(at);
        }
    }

    fn with_worker<T>(&self, work: impl FnOnce(&mut Worker) -> T) -> Option<T> {
        let mut services = self.endpoints.lock();
        let workers = &mut services.get_mut(&self.service)?.workers;
        workers.iter_mut().find(|worker| worker.address == self.address).map(work)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut services = self.endpoints.lock();
        let Some(service) = services.get_mut(&self.service) else {
            return;
        };
        let was_full = service.workers.iter().all(|worker| worker.in_flight >= service.limit);
        if let Some(worker) = service.workers.iter_mut().find(|w| w.address == self.address) {
            worker.in_flight = worker.in_flight.saturating_sub(1);
        }
        drop(services);
        if was_full {
            self.endpoints.announce();
        }
    }
}

impl Default for Endpoints {
    fn default() -> Self {
        Self { services: Arc::default(), changed: watch::Sender::new(0) }
    }
}

impl Endpoints {
    /// Replaces a Service's addresses; an empty list says that the Service is managed here and has no worker now.
    pub fn set(&self, service: &ObjectName, addresses: &[SocketAddr]) {
        let mut services = self.lock();
        let known = entry(&mut services, service);
        let mut old = std::mem::take(&mut known.workers);
        if old.is_empty() {
            known.first_answer = None;
        }
        for &address in addresses {
            let before = old.iter().position(|worker| worker.address == address).map(|index| old.swap_remove(index));
            let fresh = || Worker { address, in_flight: 0, last_pick: 0, idle: Vec::new() };
            known.workers.push(before.unwrap_or_else(fresh));
        }
        drop(services);
        self.announce();
    }

    /// Limits the requests in flight at each worker of a Service, so that a burst is left for workers yet to come.
    ///
    /// Without it the first worker gets all that waited for it, as behind a Service in a cluster.
    pub fn set_limit(&self, service: &ObjectName, in_flight: NonZeroUsize) {
        entry(&mut self.lock(), service).limit = in_flight.get();
        self.announce();
    }

    /// Whether the Service's workers are started and stopped here.
    #[must_use]
    pub fn is_managed(&self, service: &ObjectName) -> bool {
        self.lock().contains_key(service)
    }

    /// The worker with the fewest requests in flight, longest unused first; waits until one has room.
    pub async fn pick(&self, service: &ObjectName) -> Lease {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            if let Some(lease) = self.try_pick(service) {
                return lease;
            }
            wait(&mut changed).await;
        }
    }

    /// Waits until the Service has had no worker at all for so long.
    pub async fn absent_for(&self, service: &ObjectName, patience: Duration) {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            if self.has_worker(service) {
                wait(&mut changed).await;
                continue;
            }
            let appearing = async {
                while !self.has_worker(service) {
                    wait(&mut changed).await;
                }
            };
            if timeout(patience, appearing).await.is_err() {
                return;
            }
        }
    }

    /// Whether the Service has a worker, busy or not.
    pub(crate) fn has_worker(&self, service: &ObjectName) -> bool {
        self.lock().get(service).is_some_and(|service| !service.workers.is_empty())
    }

    /// When one of the Service's workers first answered since there was none.
    pub(crate) fn first_answer(&self, service: &ObjectName) -> Option<Millis> {
        self.lock().get(service)?.first_answer
    }

    /// The same without waiting.
    pub(crate) fn try_pick(&self, name: &ObjectName) -> Option<Lease> {
        let mut services = self.lock();
        let service = services.get_mut(name)?;
        let turn = service.workers.iter().map(|worker| worker.last_pick).max()? + 1;
        let with_room = service.workers.iter_mut().filter(|w| w.in_flight < service.limit);
        let worker = with_room.min_by_key(|worker| (worker.in_flight, worker.last_pick))?;
        worker.in_flight += 1;
        worker.last_pick = turn;
        Some(Lease { address: worker.address, service: name.clone(), endpoints: self.clone() })
    }

    fn announce(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectName, Service>> {
        // A panic while holding the lock cannot leave the map half changed.
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry<'a>(services: &'a mut HashMap<ObjectName, Service>, name: &ObjectName) -> &'a mut Service {
    services.entry(name.clone()).or_insert_with(|| Service {
        workers: Vec::new(),
        first_answer: None,
        limit: usize::MAX,
    })
}

async fn wait(changed: &mut watch::Receiver<u64>) {
    if changed.changed().await.is_err() {
        // The sender lives as long as the endpoints, so this cannot happen; waiting on is the honest answer.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[tokio::test]
    async fn the_least_busy_worker_is_picked_and_equals_take_turns() {
        let (endpoints, service) = (Endpoints::default(), ObjectName::new("n", "s"));
        endpoints.set(&service, &[address(1), address(2)]);
        let first = endpoints.pick(&service).await;
        let second = endpoints.pick(&service).await;
        assert_eq!((first.address(), second.address()), (address(1), address(2)));
        drop(second);
        assert_eq!(endpoints.pick(&service).await.address(), address(2));
        drop(first);
        assert_eq!(endpoints.pick(&service).await.address(), address(1));
        assert_eq!(endpoints.pick(&service).await.address(), address(2));
    }

    #[tokio::test]
    async fn a_pick_waits_for_the_first_worker() {
        let (endpoints, service) = (Endpoints::default(), ObjectName::new("n", "s"));
        endpoints.set(&service, &[]);
        let waiting = tokio::spawn({
            let (endpoints, service) = (endpoints.clone(), service.clone());
            async move { endpoints.pick(&service).await.address() }
        });
        endpoints.set(&service, &[address(7)]);
        assert_eq!(waiting.await.unwrap(), address(7));
    }

    #[tokio::test]
    async fn a_limit_leaves_requests_for_other_workers() {
        let (endpoints, service) = (Endpoints::default(), ObjectName::new("n", "s"));
        endpoints.set_limit(&service, NonZeroUsize::MIN);
        endpoints.set(&service, &[address(1)]);
        let first = endpoints.pick(&service).await;
        assert!(endpoints.try_pick(&service).is_none());
        endpoints.set(&service, &[address(1), address(2)]);
        let second = endpoints.pick(&service).await;
        assert_eq!(second.address(), address(2));
        let waiting = tokio::spawn({
            let (endpoints, service) = (endpoints.clone(), service.clone());
            async move { endpoints.pick(&service).await.address() }
        });
        drop(first);
        assert_eq!(waiting.await.unwrap(), address(1));
    }

    #[tokio::test(start_paused = true)]
    async fn absence_counts_from_the_last_worker() {
        let (endpoints, service) = (Endpoints::default(), ObjectName::new("n", "s"));
        endpoints.set(&service, &[address(1)]);
        let patience = Duration::from_secs(5);
        let absent = endpoints.absent_for(&service, patience);
        tokio::pin!(absent);
        assert!(timeout(patience * 10, &mut absent).await.is_err());
        endpoints.set(&service, &[]);
        assert!(timeout(patience * 2, &mut absent).await.is_ok());
    }
}
