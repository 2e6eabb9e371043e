//! Custom resources against the schemas that their projects publish, where those lie beside the repository.
//!
//! The schemas are closed first: a field that is not declared is refused unless the schema keeps unknown ones.

use std::{fs, path::PathBuf, sync::OnceLock};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::{
    assert_finds,
    tree::{Object, Tree, root},
};

/// Kinds, and where their definitions are.
const DEFINITIONS: [(&str, &str); 13] = [
    ("Broker", "knative-eventing/broker.yaml"),
    ("Trigger", "knative-eventing/trigger.yaml"),
    ("KafkaSink", "knative-kafka/100-kafka-sink.yaml"),
    ("KafkaTopic", "strimzi/043-Crd-kafkatopic.yaml"),
    ("ScaledObject", "keda/keda.sh_scaledobjects.yaml"),
    ("ScaledJob", "keda/keda.sh_scaledjobs.yaml"),
    ("TriggerAuthentication", "keda/keda.sh_triggerauthentications.yaml"),
    ("Rollout", "argo-rollouts/rollout-crd.yaml"),
    ("AnalysisTemplate", "argo-rollouts/analysis-template-crd.yaml"),
    ("Application", "argo-cd/application-crd.yaml"),
    ("AppProject", "argo-cd/appproject-crd.yaml"),
    ("PodMonitor", "prometheus-operator/crd-podmonitors.yaml"),
    ("PrometheusRule", "prometheus-operator/crd-prometheusrules.yaml"),
];

/// Kinds of Kubernetes itself and of kustomize, which have no such definition.
const BUILT_IN: [&str; 18] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "CustomResourceDefinition",
    "Deployment",
    "EndpointSlice",
    "Kustomization",
    "LimitRange",
    "Namespace",
    "NetworkPolicy",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "ResourceQuota",
    "Role",
    "RoleBinding",
    "Service",
    "ServiceAccount",
];

#[test]
fn custom_resources_fit_their_schemas() {
    if definitions().is_some() {
        crate::assert_sound(problems);
    }
}

#[test]
fn a_resource_that_does_not_fit_is_found() {
    if definitions().is_none() {
        return;
    }
    assert_finds(
        problems,
        &[
            ("knative/topics.yaml", "partitions: 3", "partitions: many", "partitions"),
            ("knative/topics.yaml", "replicas: 3", "replica: 3", "replica"),
            ("knative/topics.yaml", "kafka.strimzi.io/v1", "kafka.strimzi.io/v7", "v7"),
            ("knative/dead-letters.yaml", "contentMode: binary", "contentmode: binary", "contentmode"),
            ("knative/dead-letters.yaml", "contentMode: binary", "contentMode: text", "contentMode"),
            ("scaledobjects/dummy-service.yaml", "cooldownPeriod", "coolDownPeriod", "coolDownPeriod"),
            (
                "scaledobjects/dummy-service.yaml",
                "stabilizationWindowSeconds",
                "stabilisationWindowSeconds",
                "stabilisation",
            ),
            ("scaledobjects/gnn-trainer.yaml", "podFailurePolicy", "podFailurPolicy", "podFailurPolicy"),
            ("scaledobjects/gnn-trainer.yaml", "strategy: gradual", "strategy: default", "strategy"),
            ("scaledobjects/gnn-trainer.yaml", "allowIdleConsumers", "allowIdle", "allowIdle"),
            ("knative/dummy-service.yaml", "setWeight", "setWait", "setWait"),
            ("knative/analysis.yaml", "successCondition", "sucessCondition", "sucessCondition"),
            (
                "scaledobjects/dummy-service.yaml",
                "activationLagThreshold",
                "activationThreshold",
                "activationThreshold",
            ),
        ],
    );
}

#[test]
fn schemas_are_closed() {
    let schema = close(&json!({"type": "object", "properties": {
        "count": {"x-kubernetes-int-or-string": true},
        "empty": {"type": "string", "nullable": true},
        "open": {"type": "object", "properties": {"a": {}}, "x-kubernetes-preserve-unknown-fields": true},
        "rows": {"type": "array", "items": {"type": "object", "properties": {"properties": {"type": "integer"}}}},
    }}));
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (value, fits) in [
        (json!({"count": 1, "empty": null, "open": {"b": 1}, "rows": [{"properties": 1}]}), true),
        (json!({"count": "1"}), true),
        (json!({"count": true}), false),
        (json!({"counts": 1}), false),
        (json!({"rows": [{"b": 1}]}), false),
        (json!({"rows": [{"properties": "1"}]}), false),
    ] {
        assert_eq!(validator.is_valid(&value), fits, "{value}");
    }
}

/// The folder of definitions; none where it does not lie beside the repository.
fn folder() -> Option<PathBuf> {
    let folder = root().join("../shared/crds");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}

/// The definitions, read once: they are long.
struct Definitions {
    /// Kind, `apiVersion` and what checks it.
    validators: Vec<(&'static str, String, Validator)>,
    scalers: Value,
}

fn definitions() -> Option<&'static Definitions> {
    static DEFINITIONS_READ: OnceLock<Option<Definitions>> = OnceLock::new();
    let read = DEFINITIONS_READ.get_or_init(|| {
        let folder = folder()?;
        let validators = DEFINITIONS.into_iter().flat_map(|(kind, file)| validators(kind, &yaml(&folder.join(file))));
        Some(Definitions { validators: validators.collect(), scalers: yaml(&folder.join("keda/scalers-schema.json")) })
    });
    read.as_ref()
}

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let Some(definitions) = definitions() else { return Vec::new() };
    let mut problems = scaler_metadata(tree, &definitions.scalers);
    problems.extend(unfitting(&tree.objects));
    problems
}

/// Whether there are definitions to check against.
pub(crate) fn are_there() -> bool {
    definitions().is_some()
}

/// What does not fit the definitions, where those are there.
pub(crate) fn unfitting(objects: &[Object]) -> Vec<String> {
    let Some(definitions) = definitions() else { return Vec::new() };
    let mut problems = Vec::new();
    for object in objects {
        let (kind, version) = (object.text("/kind"), object.text("/apiVersion"));
        if BUILT_IN.contains(&kind) {
            continue;
        }
        let mut validators = definitions.validators.iter();
        let found = match validators.find(|(known, served, _)| *known == kind && served == version) {
            None => vec![format!("{version} has no schema here")],
            Some((_, _, validator)) => misfits(validator, object),
        };
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", object.label())));
    }
    problems
}

fn misfits(validator: &Validator, object: &Object) -> Vec<String> {
    validator.iter_errors(&object.value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Keys of `metadata` that KEDA's scaler of that type does not read.
fn scaler_metadata(tree: &Tree, scalers: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for object in tree.of_kind("ScaledObject").chain(tree.of_kind("ScaledJob")) {
        for trigger in object.list("/spec/triggers") {
            let scaler =
                scalers["scalers"].as_array().into_iter().flatten().find(|scaler| scaler["type"] == trigger["type"]);
            let is_known = |key: &str| {
                let parameters = scaler.and_then(|scaler| scaler["parameters"].as_array()).into_iter().flatten();
                parameters
                    .into_iter()
                    .any(|parameter| parameter["name"] == key && parameter["metadataVariableReadable"] == true)
            };
            let keys = trigger["metadata"].as_object().into_iter().flatten().map(|(key, _)| key);
            let unknown = keys.filter(|key| !is_known(key));
            problems.extend(unknown.map(|key| format!("{}: KEDA does not know {key}", object.label())));
        }
    }
    problems
}

/// What checks each version that a definition serves.
fn validators(kind: &'static str, definition: &Value) -> Vec<(&'static str, String, Validator)> {
    let group = definition.pointer("/spec/group").and_then(Value::as_str).unwrap_or_default();
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    let served = versions.filter(|version| version["served"] == true);
    served
        .map(|version| {
            let mut schema = close(&version["schema"]["openAPIV3Schema"]);
            // Every object has these three, whether its schema names them or not.
            for (field, kind) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
                schema["properties"][field] = json!({"type": kind});
            }
            let validator = jsonschema::validator_for(&schema).expect("the published schema is one");
            (kind, format!("{group}/{}", version["name"].as_str().unwrap_or_default()), validator)
        })
        .collect()
}

/// A structural schema of Kubernetes as a JSON Schema that knows its fields.
fn close(schema: &Value) -> Value {
    let Some(fields) = schema.as_object() else { return schema.clone() };
    let each = |value: &Value| -> Value {
        let fields = value.as_object().into_iter().flatten();
        Value::Object(fields.map(|(name, schema)| (name.clone(), close(schema))).collect())
    };
    let mut closed = Map::new();
    for (name, value) in fields {
        let value = match name.as_str() {
            "properties" => each(value),
            "items" | "additionalProperties" => close(value),
            // Alternatives say nothing about which fields there are; the schema around them does.
            "allOf" | "anyOf" | "oneOf" | "not" | "enum" | "pattern" | "required" | "type" | "minimum" | "maximum"
            | "minLength" | "maxLength" | "minItems" | "maxItems" => value.clone(),
            _ => continue,
        };
        closed.insert(name.clone(), value);
    }
    let keeps_unknown = fields.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
    if fields.contains_key("properties") && !fields.contains_key("additionalProperties") && !keeps_unknown {
        closed.insert("additionalProperties".to_owned(), json!(false));
    }
    if fields.get("x-kubernetes-int-or-string") == Some(&json!(true)) {
        closed.insert("type".to_owned(), json!(["integer", "string"]));
    }
    if let (Some(Value::Bool(true)), Some(Value::String(kind))) = (fields.get("nullable"), closed.get("type")) {
        let kinds = json!([kind, "null"]);
        closed.insert("type".to_owned(), kinds);
    }
    Value::Object(closed)
}

/// A file of one document; JSON is YAML.
fn yaml(path: &PathBuf) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_some_and(|extension| extension == "json") {
        return serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    documents.into_iter().find(Value::is_object).expect("a definition is an object")
}
