//! Opening a ledger: by many at once, again, and where a newer program was before.

use serde_json::json;
use streamforge_ledger::{Class, Expected, SettingSwap};

use crate::Place;

pub(crate) async fn many_open_it_at_once(place: &Place) {
    let opened = (0..8).map(|number| async move {
        let ledger = place.open().await;
        ledger.set("ada", &format!("place-{number}"), &json!(number), Expected::Nothing).await.unwrap()
    });
    let outcomes = futures::future::join_all(opened).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, SettingSwap::Stored(_))), "{outcomes:?}");
    assert_eq!(place.open().await.settings("ada").await.unwrap().len(), 8);
}

pub(crate) async fn what_is_there_stays(place: &Place) {
    let first = place.open().await;
    first.set("ada", "theme", &json!("dark"), Expected::Anything).await.unwrap();
    drop(first);
    assert_eq!(place.open().await.setting("ada", "theme").await.unwrap().unwrap().value, "dark");
}

pub(crate) async fn tables_of_a_newer_version_are_refused(place: &Place) {
    place.open().await;
    place
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 999, 'of tomorrow', success, checksum, execution_time FROM _sqlx_migrations \
             WHERE version = 1",
        )
        .await;
    let error = place.refusal().await;
    assert_eq!(error.class(), Class::Fatal);
    let told = error.to_string();
    assert!(told.contains("newer version") && told.contains("999"), "{told}");
}
