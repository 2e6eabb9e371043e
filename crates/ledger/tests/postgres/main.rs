//! A real server that is not there, does not let us in, is not trusted, or is killed in the middle of writes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use serde_json::json;
use streamforge_ledger::{Class, Error, Expected, Ledger, PostgresAccess, SettingSwap};
use streamforge_servers::{Lifetime, Postgres, Server as _, postgres::USER};

static SECURED: LazyLock<Postgres> =
    LazyLock::new(|| Postgres::start(Lifetime::WithStarter, true).expect("a server of PostgreSQL"));

fn access(server: &Postgres, authority: Option<&str>) -> PostgresAccess {
    PostgresAccess {
        user: Some(USER.to_owned()),
        password: Some(server.password_file()),
        authorities: authority.map(|name| server.file(name)),
    }
}

async fn refused(url: &str, access: &PostgresAccess, secret: &Path) -> Error {
    let error = Ledger::open_with(url, access).await.unwrap_err();
    let secret = fs::read_to_string(secret).unwrap();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(&secret), "{shown}");
    error
}

fn assert_told(error: &Error, class: Class, words: &[&str]) {
    let told = error.to_string();
    assert_eq!(error.class(), class, "{told}");
    assert!(words.iter().all(|word| told.contains(word)), "{told}");
}

/// The seed of what is drawn: that of `STREAMFORGE_SEED`, or a new one; printed, so that a failure can be repeated.
fn seed() -> u64 {
    let given = std::env::var("STREAMFORGE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("STREAMFORGE_SEED={seed}");
    seed
}

#[tokio::test]
async fn who_is_not_let_in_is_told_what_to_check() {
    let folder = tempfile::tempdir().unwrap();
    let wrong: PathBuf = folder.path().join("wrong");
    fs::write(&wrong, "not-the-password").unwrap();
    let good = access(&SECURED, Some("ca.pem"));
    let url = SECURED.url();
    let ledger = Ledger::open_with(&url, &good).await.unwrap();
    assert!(ledger.settings("ada").await.unwrap().is_empty());
    assert!(!format!("{ledger:?}").contains(USER) || !ledger.place().contains('@'), "{ledger:?}");

    let error = refused(&url, &PostgresAccess { password: Some(wrong.clone()), ..good.clone() }, &wrong).await;
    assert_told(&error, Class::Fatal, &["password authentication failed", "POSTGRES_PASSWORD_FILE", "postgres+ssl://"]);
    let stranger = url.replace(&format!("{USER}@"), "eve@");
    assert_told(&refused(&stranger, &good, &SECURED.password_file()).await, Class::Fatal, &["POSTGRES_USER"]);
    let elsewhere = SECURED.url_of("not_there");
    let words = ["\"not_there\" does not exist", "createdb"];
    assert_told(&refused(&elsewhere, &good, &SECURED.password_file()).await, Class::Fatal, &words);
}

#[tokio::test]
async fn a_server_that_cannot_show_who_it_is_is_not_trusted() {
    let url = SECURED.url();
    let password = SECURED.password_file();
    for authority in [None, Some("other-ca.pem")] {
        let error = refused(&url, &access(&SECURED, authority), &password).await;
        assert_told(&error, Class::Fatal, &["is not trusted", "POSTGRES_CA_FILE"]);
    }
    // A server without TLS is none for a URL that asks for it.
    let plain = Postgres::start(Lifetime::WithStarter, false).unwrap();
    let url = plain.url().replacen("postgres:", "postgres+ssl:", 1);
    let error = refused(&url, &access(&plain, None), &plain.password_file()).await;
    assert_told(&error, Class::Fatal, &["is not trusted"]);
}

#[tokio::test]
async fn a_server_that_is_not_there_may_come_back() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let access = access(&SECURED, None);
    let error = refused(&format!("postgres://127.0.0.1:{port}/db"), &access, &SECURED.password_file()).await;
    assert_told(&error, Class::Retryable, &["is not available", "refused"]);
}

/// Counts up to `last`, one revision at a time; each change is made again until there is an answer, as a redelivered event
/// would make it.
async fn count(ledger: Ledger, name: String, last: i64) {
    for count in 1..=last {
        let expected = if count == 1 { Expected::Nothing } else { Expected::Revision(count - 1) };
        loop {
            match ledger.set("ada", &name, &json!(count), expected).await {
                Ok(SettingSwap::Stored(stored)) => {
                    assert_eq!(stored.revision, count);
                    break;
                }
                Ok(SettingSwap::Lost(current)) => panic!("{name}, count {count}: {current:?} is there"),
                Err(error) => {
                    assert_eq!(error.class(), Class::Retryable, "{error}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_the_server_is_killed() {
    const LAST: i64 = 1_000;
    let mut server = Postgres::start(Lifetime::WithStarter, false).unwrap();
    let ledger = Ledger::open_with(&server.url(), &access(&server, None)).await.unwrap();
    let names: Vec<String> = (0..4).map(|number| format!("counter-{number}")).collect();
    let writers: Vec<_> = names.iter().map(|name| tokio::spawn(count(ledger.clone(), name.clone(), LAST))).collect();
    let mut random = fastrand::Rng::with_seed(seed());
    let sum = async || -> Result<i64, Error> {
        Ok(ledger.settings("ada").await?.iter().map(|setting| setting.revision).sum())
    };
    for _ in 0..3 {
        let until = sum().await.unwrap() + random.i64(50..400);
        while sum().await.unwrap() < until {
            tokio::task::yield_now().await;
        }
        server.kill();
        assert!(writers.iter().any(|writer| !writer.is_finished()), "the server outlived the writers");
        server.restart().unwrap();
        // The ledger's own connections are to the server that is gone.
        while sum().await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    for name in names {
        let last = ledger.setting("ada", &name).await.unwrap().unwrap();
        assert_eq!((last.value, last.revision), (json!(LAST), LAST));
    }
}
