//! What can befall a run, chosen by a seed.

use std::{thread, time::Duration};

use fastrand::Rng;

use crate::{
    support::{Running, process::Worker, until},
    wiring::Wiring,
};

/// What befalls a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `kill -9` of one worker.
    Worker,
    /// `kill -9` of several workers at once.
    Workers,
    /// `kill -9` of the process of dispatcher, scaler and supervisor; its workers notice.
    Platform,
    /// `kill -9` of everything, as by a loss of power, twice.
    Everything,
    /// A worker that is frozen for longer than every lease and then goes on with what it held.
    Zombie,
    /// A worker that is frozen for ever.
    Frozen,
    /// The platform frozen for longer than every lease.
    Pause,
    /// SIGTERM to one worker.
    ToldWorker,
    /// SIGTERM to the platform, which is started again.
    ToldPlatform,
}

/// Longer than every lease of [`Wiring::Hasty`].
const FREEZE: Duration = Duration::from_secs(32);

impl Fault {
    /// What a row of rounds brings; what takes long comes less often.
    const ALL: [Self; 16] = [
        Self::Zombie,
        Self::Worker,
        Self::Workers,
        Self::Platform,
        Self::Everything,
        Self::Frozen,
        Self::ToldWorker,
        Self::ToldPlatform,
        Self::Pause,
        Self::Worker,
        Self::Workers,
        Self::Platform,
        Self::Everything,
        Self::Frozen,
        Self::ToldWorker,
        Self::ToldPlatform,
    ];

    pub(crate) fn of(round: u64) -> Self {
        let count = Self::ALL.len() as u64;
        Self::ALL[usize::try_from(round % count).expect("a small number")]
    }

    pub(crate) fn wiring(self) -> Wiring {
        match self {
            Self::Zombie | Self::Pause => Wiring::Hasty,
            Self::Frozen => Wiring::Watchful,
            _ => Wiring::Usual,
        }
    }

    /// Strikes a run that is on its way; none if there was nobody left to strike, else who it was and whom the run
    /// leaves behind.
    pub(crate) fn strike(
        self,
        run: &mut Running,
        random: &mut Rng,
        start: impl Fn() -> Running,
        wait: impl Fn(&mut Running, &mut Rng) -> bool,
    ) -> Option<(String, Vec<Worker>)> {
        let mut left_behind = Vec::new();
        let who = match self {
            Self::Worker => one(run, random)?.tell("-9"),
            Self::Workers => {
                several(run, random)?.iter().map(|worker| worker.tell("-9")).collect::<Vec<_>>().join(", ")
            }
            Self::Platform => {
                left_behind = run.kill();
                *run = start();
                "the platform alone".to_owned()
            }
            Self::Everything => {
                run.kill_with_workers();
                *run = start();
                if wait(run, random) {
                    run.kill_with_workers();
                    *run = start();
                }
                "the platform with its workers, twice".to_owned()
            }
            Self::Zombie => {
                let worker = one(run, random)?;
                let who = worker.tell("-STOP");
                thread::sleep(FREEZE);
                worker.signal("-CONT");
                who
            }
            Self::Frozen => one(run, random)?.end_by("-STOP"),
            Self::Pause => {
                run.signal("-STOP");
                thread::sleep(FREEZE);
                run.signal("-CONT");
                "the platform".to_owned()
            }
            Self::ToldWorker => one(run, random)?.end_by("-TERM"),
            Self::ToldPlatform => {
                run.signal("-TERM");
                let ended = run.wait();
                // A run that had just ended when it was told to go says so.
                assert!(matches!(ended.code, Some(130 | 0)), "{ended:?}");
                *run = start();
                "the platform".to_owned()
            }
        };
        Some((who, left_behind))
    }
}

impl Worker {
    fn tell(&self, signal: &str) -> String {
        self.signal(signal);
        format!("{} ({})", self.function, self.pid)
    }

    /// Sends a signal and waits until the worker is gone.
    fn end_by(&self, signal: &str) -> String {
        let who = self.tell(signal);
        until("the end of a worker", || (!self.is_running()).then_some(()));
        who
    }
}

fn one(run: &mut Running, random: &mut Rng) -> Option<Worker> {
    let workers = workers(run);
    random.choice(workers)
}

fn several(run: &mut Running, random: &mut Rng) -> Option<Vec<Worker>> {
    let mut workers = workers(run);
    random.shuffle(&mut workers);
    workers.truncate(random.usize(2..5));
    (!workers.is_empty()).then_some(workers)
}

fn workers(run: &mut Running) -> Vec<Worker> {
    let is_known = |worker: &Worker| !worker.function.is_empty();
    until("a worker", || {
        let workers: Vec<Worker> = run.workers().into_iter().filter(is_known).collect();
        (!workers.is_empty() || !run.is_running()).then_some(workers)
    })
}
