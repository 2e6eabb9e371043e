//! Status of Brokers, Triggers and `KafkaSink`s, as Knative's controller writes it.
//!
//! # Source
//! <https://knative.dev/docs/eventing/brokers/broker-types/kafka-broker/>,
//! <https://github.com/knative/specs/blob/main/specs/eventing/overview.md>

use serde_json::{Value, json};

/// What is true of an object, or not, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) name: &'static str,
    /// Why it is not so; none where it is.
    pub(crate) objection: Option<Objection>,
}

/// Why a condition does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Objection {
    /// For programs.
    pub(crate) reason: &'static str,
    /// For people.
    pub(crate) message: String,
}

impl Condition {
    pub(crate) fn new(name: &'static str, outcome: Result<(), Objection>) -> Self {
        Self { name, objection: outcome.err() }
    }
}

impl Objection {
    pub(crate) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// The whole status: `Ready` and what it is made of, beside the fields that are the kind's own.
///
/// A condition that was as it is now keeps the time when it became so.
pub(crate) fn status(generation: i64, conditions: &[Condition], own: Value, before: &Value, now: &str) -> Value {
    let objection = conditions.iter().find_map(|condition| condition.objection.clone());
    let ready = Condition { name: "Ready", objection };
    let mut all: Vec<&Condition> = conditions.iter().chain([&ready]).collect();
    all.sort_by_key(|condition| condition.name);
    let all: Vec<Value> = all.into_iter().map(|condition| render(condition, before, now)).collect();
    let mut status = own;
    status["observedGeneration"] = json!(generation);
    status["conditions"] = json!(all);
    status
}

/// Whether there is nothing to write.
pub(crate) fn is_same(status: &Value, before: &Value) -> bool {
    status.as_object().is_some_and(|fields| fields.iter().all(|(name, value)| before[name] == *value))
}

fn render(condition: &Condition, before: &Value, now: &str) -> Value {
    let mut value = json!({
        "type": condition.name,
        "status": if condition.objection.is_some() { "False" } else { "True" },
    });
    if let Some(objection) = &condition.objection {
        value["reason"] = json!(objection.reason);
        value["message"] = json!(objection.message);
    }
    let earlier = before["conditions"].as_array().into_iter().flatten();
    let earlier = earlier.into_iter().find(|earlier| earlier["type"] == value["type"]);
    let is_unchanged = earlier.is_some_and(|earlier| earlier["status"] == value["status"]);
    let since = earlier.filter(|_| is_unchanged).and_then(|earlier| earlier["lastTransitionTime"].as_str());
    value["lastTransitionTime"] = json!(since.unwrap_or(now));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_the_first_objection_and_times_change_with_the_state_alone() {
        let objection = Objection::new("BrokerDoesNotExist", "there is no Broker a/b");
        let conditions = [Condition::new("BrokerReady", Err(objection)), Condition::new("SubscriberResolved", Ok(()))];
        let first = status(3, &conditions, json!({"annotations": {"group.id": "g"}}), &Value::Null, "t1");
        let names: Vec<&str> =
            first["conditions"].as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap()).collect();
        assert_eq!(names, ["BrokerReady", "Ready", "SubscriberResolved"]);
        let ready = &first["conditions"][1];
        assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("BrokerDoesNotExist")));
        assert_eq!((&first["annotations"]["group.id"], &first["observedGeneration"]), (&json!("g"), &json!(3)));

        let again = status(3, &conditions, json!({"annotations": {"group.id": "g"}}), &first, "t2");
        assert!(is_same(&again, &first), "{again}");
        let mended = [Condition::new("BrokerReady", Ok(())), Condition::new("SubscriberResolved", Ok(()))];
        let mended = status(4, &mended, json!({}), &again, "t3");
        let times: Vec<&str> = mended["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["lastTransitionTime"].as_str().unwrap())
            .collect();
        assert_eq!(times, ["t3", "t3", "t1"]);
        assert!(!is_same(&mended, &again));
    }
}
