//! Objects in a bucket of a real server: the contract suite, and what is wrong told in words.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use streamforge_servers::{Lifetime, S3, Server as _, Validity};
use streamforge_store::{
    Class, Error, ObjectStore, ObjectSwap, S3Objects, S3Settings, contract::objects::ObjectBackend, object_contract,
};

static SERVER: LazyLock<S3> = LazyLock::new(|| S3::start(Lifetime::WithStarter, None, None).expect("an S3 server"));
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

#[tokio::test]
async fn a_file_of_any_size_becomes_an_object() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let objects = S3Objects::open(&part().0, &settings()).unwrap();
    // Nothing, less than a part of an upload, and more than two.
    for length in [0, 3, 40_000_001_u32] {
        let content: Vec<u8> = (0..length).map(|index| index.to_le_bytes()[(index % 4) as usize]).collect();
        fs::write(&path, &content).unwrap();
        objects.put_file("exports/file", tokio::fs::File::open(&path).await.unwrap()).await.unwrap();
        assert!(objects.get("exports/file").await.unwrap() == Some(content), "{length} bytes");
    }
    let unreadable = tokio::fs::File::create(folder.path().join("other")).await.unwrap();
    objects.put_file("exports/other", unreadable).await.unwrap_err();
    assert_eq!(objects.list("").await.unwrap(), ["exports/file"]);
    let file = tokio::fs::File::open(&path).await.unwrap();
    assert!(matches!(objects.put_file("../x", file).await, Err(Error::ObjectKey { .. })));
}

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

#[tokio::test]
async fn a_server_is_trusted_by_the_authority_that_is_named_and_by_no_other() {
    let server = S3::start(Lifetime::WithStarter, None, Some(Validity::Valid)).unwrap();
    let trusting = |authorities| S3Settings {
        endpoint: Some(server.endpoint()),
        access_key: Some(server.access_key_file()),
        secret_key: Some(server.secret_key_file()),
        authorities,
    };
    let objects = S3Objects::open(&server.url(), &trusting(server.authority_file())).unwrap();
    objects.put("a", b"1".to_vec()).await.unwrap();
    let swapped = objects.compare_and_set("a", Some(b"1"), b"2".to_vec()).await.unwrap();
    assert_eq!((swapped, objects.get("a").await.unwrap()), (ObjectSwap::Won, Some(b"2".to_vec())));
    for authorities in [server.other_authority_file(), None] {
        distrusts(&server, &trusting(authorities)).await;
    }
}

#[tokio::test]
async fn an_expired_certificate_is_not_trusted() {
    let server = S3::start(Lifetime::WithStarter, None, Some(Validity::Expired)).unwrap();
    let settings = S3Settings {
        endpoint: Some(server.endpoint()),
        access_key: Some(server.access_key_file()),
        secret_key: Some(server.secret_key_file()),
        authorities: server.authority_file(),
    };
    let told = distrusts(&server, &settings).await;
    assert!(told.contains("expired"), "{told}");
}

async fn distrusts(server: &S3, settings: &S3Settings) -> String {
    let error = refused(&server.url(), settings).await;
    let told = told(&error);
    assert_eq!(error.class(), Class::Fatal, "{told}");
    assert!(told.contains("S3_CA_FILE") && told.contains("certificate"), "{told}");
    assert!(!told.contains(&fs::read_to_string(server.secret_key_file()).unwrap()), "{told}");
    told
}
