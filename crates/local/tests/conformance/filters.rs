//! Which events each filter lets through.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{
    measured,
    platform::{Platform, broker, trigger},
    rows,
    subscriber::{Subscriber, id},
};

#[tokio::test(flavor = "multi_thread")]
async fn filters_let_through_what_they_were_measured_to() {
    let measured = measured();
    let subscriber = Subscriber::start().await;
    let rows_of_filters = rows(&measured, "filters");
    let mut objects = vec![broker("filters")];
    for (name, row) in &rows_of_filters {
        let mut spec = json!({"broker": "filters",
            "subscriber": {"uri": format!("http://{}/f/{name}", subscriber.address)}});
        match &row["filter"] {
            Value::Array(filters) => {
                spec["filters"] = filters.iter().map(manifest_form).collect();
            }
            legacy => spec["filter"] = legacy.clone(),
        }
        objects.push(trigger(name, "unordered", &spec));
    }
    let platform = Platform::start(&objects).await;
    let events = rows(&measured, "filter_events");
    for (event, attributes) in &events {
        let mut all = vec![("id", *event), ("source", "/s")];
        let attributes = attributes.as_object().expect("attributes by name");
        all.extend(attributes.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())));
        platform.post("filters", &all, "{}").await;
    }
    platform.dispatch(|_| {}).await;
    platform.committed("filters", events.len() as u64).await;
    for (name, row) in &rows_of_filters {
        let expected: Vec<String> = serde_json::from_value(row["delivered"].clone()).unwrap();
        let seen = subscriber.seen(&format!("/f/{name}"));
        let delivered: BTreeSet<&str> = seen.iter().map(|seen| id(&seen.request)).collect();
        assert_eq!(delivered, expected.iter().map(String::as_str).collect(), "{name}");
        assert_eq!(seen.len(), expected.len(), "{name}: each event once");
    }
    assert!(!rows_of_filters.is_empty());
}

/// The rows show filters as Knative's control plane hands them to its data plane; manifests leave a level out.
fn manifest_form(filter: &Value) -> Value {
    let mut form = Map::new();
    for (dialect, inner) in filter.as_object().expect("a dialect") {
        let value = match dialect.as_str() {
            "not" => manifest_form(&inner["filter"]),
            "all" | "any" => {
                let filters = inner["filters"].as_array().expect("a list of filters");
                filters.iter().map(manifest_form).collect()
            }
            "cesql" => inner["expression"].clone(),
            _ => inner["attributes"].clone(),
        };
        form.insert(dialect.clone(), value);
    }
    Value::Object(form)
}
