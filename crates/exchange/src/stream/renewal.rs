//! Connections one after the other: a new one before the old one's time is over, and after each that broke.

use std::time::Duration;

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use super::{
    FeedConfig, FeedEvent, Outlet,
    connection::{self, Notice},
    pace::Pace,
};

/// Longest wait for a new connection that shall take over.
const TAKING_OVER: Duration = Duration::from_mins(1);
/// Both connections are read for so long: whatever the old one still has is told by the new one as well.
const OVERLAP: Duration = Duration::from_secs(2);

/// A connection at work.
struct Link {
    task: JoinHandle<String>,
    notices: mpsc::Receiver<Notice>,
    leave: watch::Sender<bool>,
    opened: Instant,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keeps a connection for ever.
pub(super) async fn keep(config: FeedConfig, outlet: Outlet) {
    let begun = Instant::now();
    let mut chance = fastrand::Rng::new();
    let mut pace = Pace::new(config.shortest_pause, config.longest_pause);
    let mut next = None;
    loop {
        let mut link = if let Some(link) = next.take() {
            link
        } else {
            sleep_until(pace.next(Instant::now(), chance.f64())).await;
            open(&config, &outlet, begun)
        };
        // Not all connections of a process at once, nor all of a fleet.
        let renewal = link.opened + config.renew_after.mul_f64(1.0 - chance.f64() / 24.0);
        let reason = loop {
            tokio::select! {
                ended = &mut link.task => break Some(ended.unwrap_or_else(|error| error.to_string())),
                Some(notice) = link.notices.recv() => match notice {
                    Notice::Standing => outlet.tell(FeedEvent::Connected).await,
                    Notice::Shutdown => break None,
                },
                () = sleep_until(renewal) => break None,
            }
        };
        if let Some(reason) = reason {
            pace.ended(link.opened.elapsed());
            outlet.tell(FeedEvent::Disconnected { reason }).await;
            continue;
        }
        sleep_until(pace.next(Instant::now(), chance.f64())).await;
        let mut new = open(&config, &outlet, begun);
        let mut is_gone = false;
        let stands = timeout(TAKING_OVER, async {
            loop {
                tokio::select! {
                    biased;
                    // What is said from now on, until the new one hears it, is said to nobody.
                    ended = &mut link.task, if !is_gone => {
                        is_gone = true;
                        let reason = ended.unwrap_or_else(|error| error.to_string());
                        outlet.tell(FeedEvent::Disconnected { reason }).await;
                    }
                    _ = &mut new.task => return false,
                    notice = new.notices.recv() => return notice == Some(Notice::Standing),
                }
            }
        });
        match (stands.await == Ok(true), is_gone) {
            (true, true) => {
                outlet.tell(FeedEvent::Connected).await;
                next = Some(new);
            }
            (true, false) => {
                tokio::time::sleep(OVERLAP).await;
                link.leave.send_replace(true);
                // It closes in its own time; what it says meanwhile comes a second time.
                timeout(OVERLAP * 2, &mut link.task).await.ok();
                next = Some(new);
            }
            (false, true) => pace.ended(Duration::ZERO),
            (false, false) => {
                // The old one serves until the exchange ends it.
                pace.ended(Duration::ZERO);
                link.opened = Instant::now();
                next = Some(link);
            }
        }
    }
}

fn open(config: &FeedConfig, outlet: &Outlet, begun: Instant) -> Link {
    let (sender, notices) = mpsc::channel(8);
    let (leave, left) = watch::channel(false);
    let (config, outlet) = (config.clone(), outlet.clone());
    let task = tokio::spawn(async move { connection::run(&config, &outlet, begun, sender, left).await });
    Link { task, notices, leave, opened: Instant::now() }
}
