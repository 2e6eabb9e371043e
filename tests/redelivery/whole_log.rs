//! After the end, the whole log once more, with the real platform and its workers.

use std::time::Duration;

use fastrand::Rng;

use crate::{
    log::Log,
    outcome::{DAYS, INTERVAL, Outcome, SYMBOLS},
    seed,
    support::{Exchange, Folder},
};

#[test]
fn the_whole_log_again_changes_nothing() {
    let (folder, exchange) = (Folder::new(), Exchange::start(Duration::ZERO));
    folder.run(&folder.request(&SYMBOLS, INTERVAL, DAYS), exchange.url());
    let log = Log::open(&folder);
    let (first, events) = (Outcome::read(&folder), log.events());
    first.assert_good(&log);

    for what in ["from its beginning", "each event twice more, in any order"] {
        eprintln!("the log {what}");
        let (asked, records) = (exchange.requests(), log.len());
        if what == "from its beginning" {
            log.rewind();
        } else {
            log.publish_again(&mut Rng::with_seed(seed()));
        }
        let any = "127.0.0.1:0";
        let mut platform = folder.start(&["up", "--exchange", exchange.url(), "--ingress", any, "--api", any]);
        platform.first_json();
        log.wait_until_read();
        platform.stop();
        assert!(exchange.requests() > asked, "the loaders did their commands again");
        assert!(log.len() > records, "and published again");
        first.assert_same(&Outcome::read(&folder));
        let added: Vec<_> = log.events().difference(&events).cloned().collect();
        assert!(added.is_empty(), "new events: {added:?}");
    }
}
