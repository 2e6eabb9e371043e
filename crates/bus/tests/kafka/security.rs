//! TLS and users: who is let in, what the others are told, and that no secret is in it.

use std::{fs, path::Path, time::Duration};

use streamforge_bus::{Bus as _, Error, KafkaBus, Record, TopicConfig};
use streamforge_servers::{Kafka, Validity, kafka::Settings};

const PATIENCE: Duration = Duration::from_mins(1);

fn secured(validity: Validity) -> Kafka {
    Kafka::start(&Settings { secured: Some(validity), ..Settings::default() }).expect("a Kafka with TLS and users")
}

fn url(kafka: &Kafka, authority: &Path, user: &Path, password: &Path) -> String {
    let (authority, user, password) = (authority.display(), user.display(), password.display());
    let bootstrap = kafka.bootstrap_secured().unwrap();
    format!("kafka+ssl://{bootstrap}?ca={authority}&user={user}&password={password}")
}

/// Opens and must fail; what is said must not hold what is secret.
fn refused(url: &str, secrets: &[String]) -> String {
    let Err(error) = KafkaBus::open(url) else { panic!("{url} is let in") };
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    let said = format!("{error} {error:?}");
    for secret in secrets {
        assert!(!said.contains(secret), "{said}");
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_let_in_and_what_others_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let kafka = secured(Validity::Valid);
    let text = |name: &str| fs::read_to_string(kafka.file(name)).unwrap();
    let (authority, other) = (kafka.file("ca.pem"), kafka.file("other-ca.pem"));
    let (user, password) = (kafka.file("user"), kafka.file("user-password"));
    let wrong = copy("wrong", "hunter2hunter2");
    let secrets = [text("user-password"), "hunter2hunter2".to_owned()];

    let said = refused(&url(&kafka, &authority, &user, &wrong), &secrets);
    assert!(said.to_lowercase().contains("authentication"), "{said}");
    let said = refused(&url(&kafka, &other, &user, &password), &secrets);
    assert!(said.contains("certificate verify failed"), "{said}");

    let bus = KafkaBus::open(&url(&kafka, &authority, &user, &password)).unwrap();
    bus.create_topic("t", &TopicConfig::default()).await.unwrap();
    bus.publish("t", Record::default()).await.unwrap();
    assert_eq!(bus.fetch("t", 0, 0, 1, usize::MAX).await.unwrap().len(), 1);

    // A user without rights, who becomes another one while the log is open.
    let (who, secret) = (copy("who", &text("guest")), copy("secret", &text("guest-password")));
    let guest = KafkaBus::open(&url(&kafka, &authority, &who, &secret)).unwrap();
    let denied = [
        guest.publish("t", Record::default()).await.err(),
        guest.fetch("t", 0, 0, 1, 1).await.err(),
        guest.create_topic("u", &TopicConfig::default()).await.err(),
    ];
    for denied in denied {
        assert!(matches!(denied, Some(Error::Denied { .. })), "{denied:?}");
    }
    copy("who", &text("user"));
    copy("secret", &text("user-password"));
    let let_in = async {
        while let Err(error) = guest.publish("t", Record::default()).await {
            assert!(error.is_retryable(), "{error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, let_in).await.expect("the new credentials are used");
    drop(kafka);

    let expired = secured(Validity::Expired);
    let (user, password) = (expired.file("user"), expired.file("user-password"));
    let said = refused(&url(&expired, &expired.file("ca.pem"), &user, &password), &secrets);
    assert!(said.contains("certificate verify failed") && said.contains("has expired"), "{said}");
}
