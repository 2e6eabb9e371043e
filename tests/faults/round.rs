//! One round: a run, a moment, a victim, and the same end as ever.

use std::{thread, time::Duration};

use fastrand::Rng;

use crate::{
    outcome::{Outcome, exchange, request},
    support::{Exchange, Folder, Running, until},
};

/// How long after an answer of the exchange somebody may die, in milliseconds.
const LATEST: u64 = 150;

/// Plays one round; returns whether the moment came before the run was over.
pub(crate) fn round(seed: u64, calm: &Outcome) -> bool {
    let mut random = Rng::with_seed(seed);
    let (folder, exchange) = (Folder::new(), exchange());
    let request = request(&folder);
    let start = || folder.start(&["run", &request, "--exchange", exchange.url()]);
    let mut run = start();
    let (moment, after) = (random.u64(1..calm.requests), random.u64(..LATEST));
    let is_on_its_way = wait(&mut run, &exchange, moment, after);
    let mut left_behind = Vec::new();
    let killed = match seed % 4 {
        _ if !is_on_its_way => "nobody".to_owned(),
        0 | 2 => victim(&mut run, seed / 2),
        1 => {
            run.kill_with_workers();
            run = start();
            let again = exchange.requests() + random.u64(1..calm.requests);
            if wait(&mut run, &exchange, again, random.u64(..LATEST)) {
                run.kill_with_workers();
                run = start();
            }
            "the platform with its workers, twice".to_owned()
        }
        _ => {
            left_behind = run.kill();
            run = start();
            "the platform alone".to_owned()
        }
    };
    let round = format!("STREAMFORGE_SEED={seed}: {after} ms after request {moment} of {}, {killed}", calm.requests);
    eprintln!("{round}");
    let ended = run.wait();
    assert_eq!(ended.code, Some(0), "{round}: {ended:?}");
    calm.assert_same(&Outcome::read(&folder, &ended.last_json(), exchange.requests()), &round);
    for worker in left_behind {
        until("the end of a worker without a platform", || (!worker.is_running()).then_some(()));
    }
    is_on_its_way
}

/// Waits for a request to the exchange and a while longer; returns whether the run is still on its way.
fn wait(run: &mut Running, exchange: &Exchange, request: u64, after: u64) -> bool {
    until("a moment", || (exchange.requests() >= request || !run.is_running()).then_some(()));
    thread::sleep(Duration::from_millis(after));
    run.is_running()
}

/// Kills one worker, another one from round to round, and returns what it was.
fn victim(run: &mut Running, turn: u64) -> String {
    let workers = until("a worker", || Some(run.workers()).filter(|workers| !workers.is_empty() || !run.is_running()));
    let Some(worker) = workers.iter().cycle().nth(usize::try_from(turn % 12).unwrap_or_default()) else {
        return "nobody".to_owned();
    };
    worker.kill();
    worker.function.clone()
}
