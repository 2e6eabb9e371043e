//! Settings: compare and set, from whichever process.

use serde_json::{Value, json};
use streamforge_ledger::{Class, Expected, Setting, SettingSwap};

use crate::Place;

fn setting(value: &Value, revision: i64) -> Setting {
    Setting { user: "ada".to_owned(), name: "layout".to_owned(), value: value.clone(), revision }
}

pub(crate) async fn what_was_set_is_read(place: &Place) {
    let ledger = place.open().await;
    assert_eq!(ledger.setting("ada", "layout").await.unwrap(), None);
    let value = json!({"columns": [1, 2.5, null, "ä'\"\\"], "on": true});
    let stored = ledger.set("ada", "layout", &value, Expected::Anything).await.unwrap();
    assert_eq!(stored, SettingSwap::Stored(setting(&value, 1)));
    for (user, name) in [("ada", "b"), ("ada", "B"), ("eve", "layout")] {
        ledger.set(user, name, &json!(name), Expected::Anything).await.unwrap();
    }
    assert_eq!(place.open().await.setting("ada", "layout").await.unwrap(), Some(setting(&value, 1)));
    let names: Vec<String> = ledger.settings("ada").await.unwrap().into_iter().map(|found| found.name).collect();
    assert_eq!(names, ["B", "b", "layout"], "in the order of bytes");
    assert!(ledger.settings("nobody").await.unwrap().is_empty());
}

pub(crate) async fn a_change_needs_the_present_revision(place: &Place) {
    let ledger = place.open().await;
    let set = async |value: i64, expected| ledger.set("ada", "layout", &json!(value), expected).await.unwrap();
    assert_eq!(set(1, Expected::Revision(1)).await, SettingSwap::Lost(None));
    assert_eq!(set(1, Expected::Nothing).await, SettingSwap::Stored(setting(&json!(1), 1)));
    assert_eq!(set(2, Expected::Nothing).await, SettingSwap::Lost(Some(setting(&json!(1), 1))));
    assert_eq!(set(2, Expected::Revision(1)).await, SettingSwap::Stored(setting(&json!(2), 2)));
    assert_eq!(set(3, Expected::Revision(1)).await, SettingSwap::Lost(Some(setting(&json!(2), 2))));
    assert_eq!(set(4, Expected::Anything).await, SettingSwap::Stored(setting(&json!(4), 3)));
}

pub(crate) async fn the_same_change_again_is_one(place: &Place) {
    let ledger = place.open().await;
    for expected in [Expected::Nothing, Expected::Nothing, Expected::Anything] {
        let stored = ledger.set("ada", "layout", &json!("a"), expected).await.unwrap();
        assert_eq!(stored, SettingSwap::Stored(setting(&json!("a"), 1)), "{expected:?}");
    }
    for _ in 0..3 {
        let stored = ledger.set("ada", "layout", &json!("b"), Expected::Revision(1)).await.unwrap();
        assert_eq!(stored, SettingSwap::Stored(setting(&json!("b"), 2)));
    }
}

pub(crate) async fn racing_changes_are_each_made_once(place: &Place) {
    place.open().await.set("ada", "layout", &json!(0), Expected::Nothing).await.unwrap();
    let racers = (0..4).map(|_| async {
        let ledger = place.open().await;
        for _ in 0..10 {
            loop {
                let current = ledger.setting("ada", "layout").await.unwrap().unwrap();
                // Different from what any other would write, so that nobody takes another's change for its own.
                let value = json!([current.value[0].as_i64().unwrap_or(0) + 1, fastrand::u64(..)]);
                let expected = Expected::Revision(current.revision);
                if let SettingSwap::Stored(_) = ledger.set("ada", "layout", &value, expected).await.unwrap() {
                    break;
                }
            }
        }
    });
    futures::future::join_all(racers).await;
    let last = place.open().await.setting("ada", "layout").await.unwrap().unwrap();
    assert_eq!((last.value[0].as_i64(), last.revision), (Some(40), 41));
}

pub(crate) async fn names_that_are_none_are_refused(place: &Place) {
    let ledger = place.open().await;
    let long = "a".repeat(101);
    for (user, name) in [("", "a"), ("a", ""), ("a/b", "a"), ("a", "a b"), ("a", "a\0"), ("a", &long)] {
        let error = ledger.set(user, name, &json!(1), Expected::Anything).await.unwrap_err();
        assert_eq!(error.class(), Class::Rejected, "{user:?} {name:?}: {error}");
    }
}
