//! Several platforms started on one data folder by mistake: one works, the others say who does.

use std::thread;

use crate::{
    outcome::{Outcome, exchange, request},
    support::{Ended, Folder, Running, until},
};

/// What a process answers when something that it needs is in use.
const UNAVAILABLE: i32 = 69;

const PLATFORMS: usize = 4;

/// How often all are started at once; the winner of a turn is killed, so that the next turn finds its lock.
const TURNS: usize = 3;

#[test]
fn one_of_four_platforms_works() {
    let folder = Folder::new();
    let any = "127.0.0.1:0";
    for _ in 0..TURNS {
        let start = || folder.start(&["up", "--ingress", any, "--api", any, "--exchange", "synthetic:42"]);
        let mut platforms: Vec<Running> = (0..PLATFORMS).map(|_| start()).collect();
        until("all but one to refuse", || {
            let running = platforms.iter_mut().filter_map(|platform| platform.is_running().then_some(())).count();
            assert!(running > 0, "no platform works");
            (running == 1).then_some(())
        });
        let place = platforms.iter_mut().position(Running::is_running).unwrap();
        let mut winner = platforms.swap_remove(place);
        assert_eq!(winner.first_json()["pid"], winner.pid());
        for mut refused in platforms {
            assert_refused(&refused.wait(), &folder, winner.pid());
        }
        assert!(winner.is_running());
        winner.kill_with_workers();
    }
}

#[test]
fn four_runs_at_once_are_one_run() {
    let (folder, exchange) = (Folder::new(), exchange());
    let request = request(&folder);
    let start = || folder.start(&["run", &request, "--exchange", exchange.url()]);
    let runs: Vec<Running> = (0..PLATFORMS).map(|_| start()).collect();
    let pids: Vec<u32> = runs.iter().map(Running::pid).collect();
    let ended: Vec<Ended> = thread::scope(|scope| {
        let waiting: Vec<_> = runs.into_iter().map(|mut run| scope.spawn(move || run.wait())).collect();
        waiting.into_iter().map(|waiting| waiting.join().unwrap()).collect()
    });
    let (finished, refused): (Vec<&Ended>, Vec<&Ended>) = ended.iter().partition(|ended| ended.code == Some(0));
    for refused in refused {
        // It found the folder locked by a platform that had not said yet how to reach it.
        assert!(pids.iter().any(|pid| is_refused(refused, &folder, *pid)), "{refused:?}");
    }
    let report = finished.first().expect("one run works").last_json();
    for other in finished {
        assert_eq!(other.last_json()["coverage"], report["coverage"]);
    }
    let calm = Outcome::calm();
    calm.assert_same(&Outcome::read(&folder, &report, exchange.requests()), "four runs at once");
}

fn assert_refused(ended: &Ended, folder: &Folder, owner: u32) {
    assert!(is_refused(ended, folder, owner), "{owner}: {ended:?}");
}

fn is_refused(ended: &Ended, folder: &Folder, owner: u32) -> bool {
    let words = format!("data folder `{}` is in use by another platform (process {owner})", folder.data());
    ended.code == Some(UNAVAILABLE) && ended.stdout.is_empty() && ended.stderr.contains(&words)
}
