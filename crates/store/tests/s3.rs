//! Objects in a bucket of a real server: the contract suite, and what is wrong told in words.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use streamforge_servers::{Lifetime, S3, Server as _};
use streamforge_store::{
    Class, Error, ObjectStore, S3Objects, S3Settings, contract::objects::ObjectBackend, object_contract,
};

static SERVER: LazyLock<S3> = LazyLock::new(|| S3::start(Lifetime::WithStarter, None).expect("an S3 server"));
static NUMBER: AtomicU32 = AtomicU32::new(0);

fn settings() -> S3Settings {
    S3Settings {
        endpoint: Some(SERVER.endpoint()),
        access_key: Some(SERVER.access_key_file()),
        secret_key: Some(SERVER.secret_key_file()),
        authorities: None,
    }
}

/// A part of the bucket of its own.
struct Part(String);

fn part() -> Part {
    Part(format!("{}/part-{}", SERVER.url(), NUMBER.fetch_add(1, Ordering::Relaxed)))
}

impl ObjectBackend for Part {
    async fn open(&self) -> Result<Arc<dyn ObjectStore>, Error> {
        Ok(Arc::new(S3Objects::open(&self.0, &settings())?))
    }
}

object_contract!(part());

async fn refused(url: &str, settings: &S3Settings) -> Error {
    match S3Objects::open(url, settings) {
        Ok(objects) => objects.get("models/a/1/card.json").await.unwrap_err(),
        Err(error) => error,
    }
}

fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn a_wrong_secret_a_missing_bucket_and_a_missing_file_are_told_and_final() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong");
    fs::write(&wrong, "not-the-secret-key").unwrap();
    let cases = [
        (SERVER.url(), S3Settings { secret_key: Some(wrong), ..settings() }),
        ("s3://not-there".to_owned(), settings()),
    ];
    for (url, settings) in cases {
        let error = refused(&url, &settings).await;
        assert!(matches!(error, Error::Objects { .. }), "{error:?}");
        assert_eq!(error.class(), Class::Fatal, "{error:?}");
        let told = told(&error);
        assert!(told.contains(&url) && !told.contains("not-the-secret-key"), "{told}");
    }
    let missing = S3Settings { secret_key: Some(folder.path().join("nothing")), ..settings() };
    let told = told(&refused(&SERVER.url(), &missing).await);
    assert!(told.contains("S3_SECRET_KEY_FILE names"), "{told}");
}

#[tokio::test]
async fn a_server_that_is_not_there_may_come_back() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let elsewhere = S3Settings { endpoint: Some(format!("http://127.0.0.1:{port}")), ..settings() };
    assert_eq!(refused(&SERVER.url(), &elsewhere).await.class(), Class::Retryable);
}
