//! Who is let in, and which servers are used.

use std::{fs, time::Duration};

use streamforge_store::{
    ArangoAccess, ArangoOptions, ArangoPassword, ArangoStore, Class, Error, SeriesStore,
    arangodb_double::{Double, Mode},
};

use crate::support::{DATABASE, assert_stored, assert_whole, bars, open, open_with, options, series, start};

#[tokio::test]
async fn old_server_is_refused_before_anything_is_made() {
    let double = Double::start().await;
    for version in ["3.11.14", "2.8", "x"] {
        double.set_version(version);
        let error = ArangoStore::open(&double.url(None, DATABASE), options()).await.err().unwrap();
        assert!(matches!(&error, Error::Unfit { reason, .. } if reason.contains(version)), "{error}");
        assert_eq!(error.class(), Class::Fatal);
    }
    for version in ["3.12.0", "3.12.4-1", "3.13.0"] {
        double.set_version(version);
        ArangoStore::open(&double.url(None, DATABASE), options()).await.unwrap();
    }
    double.set_version("3.11.14");
    let error = ArangoStore::open(&double.url(None, DATABASE), options()).await.err().unwrap();
    assert!(matches!(error, Error::Unfit { .. }), "{error}");
}

/// From 4 on collections are described in fewer words than the crate below insists on.
#[tokio::test]
async fn newer_server_is_understood() {
    let double = Double::start().await;
    double.set_version("4.0.0");
    let store = ArangoStore::open(&double.url(None, DATABASE), options()).await.unwrap();
    let rows = bars(0, 3, 1, "1.5");
    assert_whole(&store.upsert_klines(&series(), &rows).await.unwrap(), 3);
    assert_stored(&store, &rows).await;
}

/// A server that asks nobody has no place to log in; a user in the URL does no harm there.
#[tokio::test]
async fn server_without_users_is_used() {
    let double = Double::start().await;
    let store = open(&double).await.unwrap();
    assert_whole(&store.upsert_klines(&series(), &bars(0, 3, 1, "1.5")).await.unwrap(), 3);
}

#[tokio::test]
async fn wrong_password_is_no_secret_but_stays_one() {
    let (double, _store) = start().await;
    let access = ArangoAccess { password: ArangoPassword::Text("falsch".to_owned()), ..ArangoAccess::default() };
    let error = open_with(&double, ArangoOptions { access, ..options() }).await.err().unwrap();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error}");
    assert_eq!(error.class(), Class::Fatal);
    assert!(!error.to_string().contains("falsch") && !format!("{error:?}").contains("falsch"), "{error:?}");
}

/// A password that is exchanged in its file is read with the next login.
#[tokio::test]
async fn exchanged_password_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "geheim\n").unwrap();
    let double = Double::start().await;
    double.require_user("root", "geheim");
    let access = ArangoAccess {
        user: Some("root".to_owned()),
        password: ArangoPassword::File(path.clone()),
        ..ArangoAccess::default()
    };
    let store = ArangoStore::open(&double.url(None, DATABASE), ArangoOptions { access, ..options() }).await.unwrap();
    double.require_user("root", "neu");
    fs::write(&path, "neu\n").unwrap();
    double.forget_tokens();
    assert_whole(&store.upsert_klines(&series(), &bars(0, 3, 1, "1.5")).await.unwrap(), 3);
}

/// Only a server whose certificate an authority of ours has signed is told the password.
#[tokio::test]
async fn server_of_another_authority_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = || rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (own, other) = (certificate(), certificate());
    let double = Double::start_secure(&own.cert.pem(), &own.signing_key.serialize_pem()).await;
    double.require_user("root", "geheim");
    let open_trusting = async |pem: String, patience| {
        let path = folder.path().join("ca.pem");
        fs::write(&path, pem).unwrap();
        let access = ArangoAccess { authorities: Some(path), ..options().access };
        open_with(&double, ArangoOptions { access, patience, ..options() }).await
    };
    let store = open_trusting(own.cert.pem(), Duration::from_mins(1)).await.unwrap();
    let rows = bars(0, 3, 1, "1.5");
    assert_whole(&store.upsert_klines(&series(), &rows).await.unwrap(), 3);
    let asked = double.requests();
    let error = open_trusting(other.cert.pem(), Duration::from_millis(50)).await.err().unwrap();
    assert!(matches!(&error, Error::Unavailable { reason, .. } if reason.contains("certificate")), "{error}");
    assert_eq!(double.requests(), asked);
    let error = open_trusting("no certificate".to_owned(), Duration::ZERO).await.err().unwrap();
    assert!(matches!(error, Error::File { .. }), "{error}");
}

/// What is there is left as it is, whoever made it; what is missing is made, also later on.
#[tokio::test]
async fn schema_is_made_once_and_where_it_is_missing() {
    let (double, store) = start().await;
    let rows = bars(0, 3, 1, "1.5");
    store.upsert_klines(&series(), &rows).await.unwrap();
    let asked = double.requests();
    let again = open(&double).await.unwrap();
    assert!(double.requests() - asked <= 5, "a schema that is there costs little");
    assert_stored(&again, &rows).await;

    double.drop_collection(DATABASE, "candles");
    assert_whole(&store.upsert_klines(&series(), &rows).await.unwrap(), 3);
    assert_stored(&again, &rows).await;
}

#[tokio::test]
async fn processes_make_the_schema_at_once() {
    let double = Double::start().await;
    double.require_user("root", "geheim");
    let opened = futures::future::join_all((0..8).map(|_| open(&double))).await;
    for store in opened {
        store.unwrap();
    }
    assert_eq!(double.documents(DATABASE, "streamforge_schema").len(), 1);
}

/// A server that takes connections and is silent costs one timeout; then the other one is used, and goes on to be.
#[tokio::test]
async fn hung_server_is_left_for_another() {
    let mut double = Double::start().await;
    double.open_another().await;
    double.require_user("root", "geheim");
    let options = ArangoOptions { request_timeout: Duration::from_millis(300), ..options() };
    let store = open_with(&double, options).await.unwrap();
    for (broken, mode) in [(0, Mode::Hung), (1, Mode::Down), (0, Mode::Down), (1, Mode::Hung)] {
        double.set_mode(broken, mode);
        double.set_mode(1 - broken, Mode::Up);
        let rows = bars(0, 50, 1, "1.5");
        assert_whole(&store.upsert_klines(&series(), &rows).await.unwrap(), 50);
        assert_stored(&store, &rows).await;
    }
}

/// Without any server the caller hears so, and may come again.
#[tokio::test]
async fn no_server_at_all_is_told_in_time() {
    let (double, _store) = start().await;
    let options = ArangoOptions { patience: Duration::from_millis(50), ..options() };
    let store = open_with(&double, options).await.unwrap();
    double.set_mode(0, Mode::Down);
    let error = store.upsert_klines(&series(), &bars(0, 3, 1, "1.5")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert_eq!(error.class(), Class::Retryable);
    double.set_mode(0, Mode::Up);
    assert_whole(&store.upsert_klines(&series(), &bars(0, 3, 1, "1.5")).await.unwrap(), 3);
}
