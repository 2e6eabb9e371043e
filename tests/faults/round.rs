//! One round: a run, a moment, a fault, and the same end as ever.

use std::{thread, time::Duration};

use fastrand::Rng;

use crate::{
    fault::Fault,
    outcome::{Outcome, exchange, request},
    support::{Exchange, Folder, Log, Running, until},
};

/// How many rounds there are, each of another kind.
pub(crate) const ROUNDS: u64 = 52;
/// How many of them have their event log on Kafka.
const ON_KAFKA: u64 = 20;

/// How long after an answer of the exchange a fault may strike, in milliseconds.
const LATEST: u64 = 300;

/// Plays the round of a seed, whose remainder by [`ROUNDS`] says what befalls a run and where its event log is; returns whether the fault struck before the run was over.
pub(crate) fn round(seed: u64, calm: &Outcome) -> bool {
    let mut random = Rng::with_seed(seed);
    let fault = Fault::of(seed % ROUNDS);
    let log = if seed % ROUNDS < ROUNDS - ON_KAFKA { Log::Folder } else { Log::Kafka };
    let (folder, exchange) = (Folder::on(log), exchange());
    let request = request(&folder);
    let start = || {
        let (command, more) = fault.wiring().command(&folder);
        let mut arguments = vec!["run", &request, "--exchange", exchange.url()];
        let more = [more, folder.global()].concat();
        arguments.extend(more.iter().map(String::as_str));
        Running::spawn(command, &arguments)
    };
    let moment = random.u64(1..calm.requests);
    let later = |run: &mut Running, random: &mut Rng| {
        let again = exchange.requests() + random.u64(1..calm.requests);
        wait(run, &exchange, again, random)
    };
    let mut run = start();
    let is_on_its_way = wait(&mut run, &exchange, moment, &mut random);
    let struck = is_on_its_way.then(|| fault.strike(&mut run, &mut random, start, later)).flatten();
    let (who, left_behind) = struck.unwrap_or_else(|| ("nobody".to_owned(), Vec::new()));
    let has_struck = who != "nobody";
    let round = format!(
        "STREAMFORGE_SEED={seed}: log in {log:?}, {fault:?} of {who} after request {moment} of {}",
        calm.requests
    );
    eprintln!("{round}");
    let ended = run.wait();
    assert_eq!(ended.code, Some(0), "{round}: {ended:?}");
    calm.assert_same(&Outcome::read(&folder, &ended.last_json(), exchange.requests()), &round);
    for worker in left_behind {
        until("the end of a worker without a platform", || (!worker.is_running()).then_some(()));
    }
    has_struck
}

/// Waits for a request to the exchange and a while longer; returns whether the run is still on its way.
fn wait(run: &mut Running, exchange: &Exchange, request: u64, random: &mut Rng) -> bool {
    until("a moment", || (exchange.requests() >= request || !run.is_running()).then_some(()));
    thread::sleep(Duration::from_millis(random.u64(..LATEST)));
    run.is_running()
}
