//! Notices what others append to the topics that this process looks at, and credentials that change.

use std::{
    sync::{Arc, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use tracing::{debug, warn};

use super::{clients::Cluster, offsets};

/// How often the ends of topics are asked for.
const PERIOD: Duration = Duration::from_millis(250);

/// How long a topic that nobody looks at any more is watched.
const FORGOTTEN: Duration = Duration::from_mins(5);

/// How often the credentials are looked at.
const RENEWAL: Duration = Duration::from_secs(2);

/// A topic that somebody looks at.
pub(super) struct Watched {
    looked: Instant,
    /// Sum of its ends when last asked for; none before.
    end: Option<u64>,
}

/// Keeps in mind that somebody looks at a topic.
pub(super) fn watch(cluster: &Cluster, topic: &str) {
    let mut watched = cluster.watched.lock().unwrap_or_else(PoisonError::into_inner);
    match watched.get_mut(topic) {
        Some(known) => known.looked = Instant::now(),
        None => {
            watched.insert(topic.to_owned(), Watched { looked: Instant::now(), end: None });
        }
    }
}

/// Starts to watch, for as long as the cluster is used.
pub(super) fn start(cluster: &Arc<Cluster>) {
    let cluster = Arc::downgrade(cluster);
    thread::spawn(move || run(&cluster));
}

fn run(cluster: &Weak<Cluster>) {
    let mut renewed = Instant::now();
    loop {
        thread::sleep(PERIOD);
        let Some(cluster) = cluster.upgrade() else { return };
        if renewed.elapsed() > RENEWAL {
            renewed = Instant::now();
            if let Err(error) = cluster.renew() {
                warn!(%error, "credentials could not be read anew");
            }
        }
        if cluster.appended.receiver_count() > 0 {
            look(&cluster);
        }
    }
}

fn look(cluster: &Cluster) {
    let topics: Vec<String> = {
        let mut watched = cluster.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, topic| topic.looked.elapsed() < FORGOTTEN);
        watched.keys().cloned().collect()
    };
    for topic in topics {
        let end: u64 = match offsets::ends(cluster, &topic) {
            Ok(ends) => ends.iter().sum(),
            Err(error) => {
                debug!(%error, "end of a topic is not known");
                continue;
            }
        };
        let mut watched = cluster.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = watched.get_mut(&topic) else { continue };
        let before = known.end.replace(end);
        drop(watched);
        // One that was never asked for may have grown since somebody looked.
        if before.is_none_or(|before| end > before) {
            cluster.raise(1);
        }
    }
}
