//! What pods may ask of the API server: only what is written down here, in their own namespace.

use serde_json::{Value, json};

use crate::{assert_finds, assert_sound, tree::Tree};

/// Group, resource, verbs.
type Right = (&'static str, &'static str, &'static [&'static str]);

/// Who may do what.
const RIGHTS: [(&str, &[Right]); 1] = [(
    "self-healer",
    &[("batch", "jobs", &["list", "delete"]), ("", "pods", &["list"]), ("events.k8s.io", "events", &["create"])],
)];

#[test]
fn nobody_may_more_than_it_does() {
    assert_sound(problems);
}

#[test]
fn a_right_too_many_is_found() {
    let file = "knative/self-healer.yaml";
    assert_finds(
        problems,
        &[
            (file, "verbs: [list, delete]", "verbs: [list, delete, create]", "rules"),
            (file, "resources: [pods]", "resources: [pods, secrets]", "rules"),
            (file, "verbs: [create]", "verbs: ['*']", "rules"),
            (file, "kind: Role\nmetadata:", "kind: ClusterRole\nmetadata:", "ClusterRole"),
            (file, "kind: ServiceAccount\n    name: self-healer", "kind: ServiceAccount\n    name: default", "account"),
        ],
    );
}

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let wide = tree.of_kind("ClusterRole").chain(tree.of_kind("ClusterRoleBinding"));
    let mut problems: Vec<String> = wide.map(|role| format!("{}: rights beyond its namespace", role.label())).collect();
    for role in tree.of_kind("Role") {
        let rights = RIGHTS.iter().find(|(name, _)| *name == role.name()).map_or(&[][..], |(_, rights)| rights);
        let rule = |(group, resource, verbs): &(&str, &str, &[&str])| json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
        let expected: Vec<Value> = rights.iter().map(rule).collect();
        if role.at("/rules") != &json!(expected) {
            problems.push(format!("{}: its rules are not those that it needs", role.label()));
        }
    }
    for binding in tree.of_kind("RoleBinding") {
        let name = binding.text("/roleRef/name");
        let subject =
            json!([{"kind": "ServiceAccount", "name": name, "namespace": binding.text("/metadata/namespace")}]);
        if binding.at("/subjects") != &subject {
            problems.push(format!("{}: it is not for the account {name} alone", binding.label()));
        }
    }
    problems
}
