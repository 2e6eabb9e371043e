//! Manifests: 64 and a line with file, object and field; nothing is started and no memory is eaten.

use std::fs;

use crate::support::Folder;

/// A Trigger with this spec.
fn trigger(spec: &str) -> String {
    format!(
        "{{apiVersion: eventing.knative.dev/v1, kind: Trigger, metadata: {{name: t, namespace: apps}}, spec: {spec}}}"
    )
}

fn deliver(delivery: &str) -> String {
    trigger(&format!("{{broker: b, subscriber: {{uri: 'http://a/'}}, delivery: {delivery}}}"))
}

fn filter(filters: &str) -> String {
    trigger(&format!("{{broker: b, subscriber: {{uri: 'http://a/'}}, filters: {filters}}}"))
}

fn object(kind: &str, spec: &str) -> String {
    let version = match kind {
        "KafkaTopic" => "kafka.strimzi.io/v1",
        "ScaledObject" => "keda.sh/v1alpha1",
        "Deployment" => "apps/v1",
        "Broker" => "eventing.knative.dev/v1",
        _ => "v1",
    };
    format!("{{apiVersion: {version}, kind: {kind}, metadata: {{name: x, namespace: apps}}, spec: {spec}}}")
}

/// Ten aliases of ten aliases, nine times over: a thousand million of the first.
fn laughs() -> String {
    let first = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    (1..10).fold(first, |text, level| {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("{text}a{level}: &a{level} [{aliases}]\n")
    })
}

/// Two thousand maps in each other, a space deeper each.
fn nested_maps() -> Vec<u8> {
    (0..2000).flat_map(|depth| [" ".repeat(depth), "a:\n".to_owned()].concat().into_bytes()).collect()
}

#[test]
fn every_manifest_says_what_to_write_instead() {
    let not = |depth: usize| format!("{}{{cesql: 'true'}}{}", "{not: ".repeat(depth), "}".repeat(depth));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("no YAML", b"kind: [".to_vec(), "line 1"),
        ("a tab", b"kind:\n\t- x".to_vec(), "line 2"),
        ("no UTF-8", b"kind: \xff\xfe".to_vec(), "UTF-8"),
        ("a list", b"[1]".to_vec(), "must be a mapping"),
        ("a text", b"hello".to_vec(), "must be a mapping"),
        ("no kind", b"{apiVersion: v1}".to_vec(), "kind: is missing"),
        ("no version", b"{kind: Trigger}".to_vec(), "apiVersion: is missing"),
        ("a key twice", format!("kind: Broker\n{}", object("Broker", "{}")).replace("kind: Broker\n", "kind: A\nkind: Broker\n").into_bytes(), "triggers/bad.yaml"),
        ("100,000 open lists", "[".repeat(100_000).into_bytes(), "triggers/bad.yaml"),
        ("50,000 nested lists", format!("{}{}", "[".repeat(50_000), "]".repeat(50_000)).into_bytes(), "triggers/bad.yaml"),
        ("10,000 indented maps", nested_maps(), "triggers/bad.yaml"),
        ("a thousand million laughs", laughs().into_bytes(), "triggers/bad.yaml"),
        ("an alias to nothing", b"a: *b".to_vec(), "line 1"),
        ("an alias to itself", b"a: &a [*a]".to_vec(), "triggers/bad.yaml"),
        ("a misspelt field", trigger("{brokr: b}").into_bytes(), "spec"),
        ("a number as broker", trigger("{broker: 5, subscriber: {uri: 'http://a/'}}").into_bytes(), "quote it"),
        ("no subscriber", trigger("{broker: b}").into_bytes(), "spec.subscriber: is missing"),
        ("a path as subscriber", trigger("{broker: b, subscriber: {uri: ../x}}").into_bytes(), "absolute http or https URL"),
        ("a file as subscriber", trigger("{broker: b, subscriber: {uri: 'file:///etc/passwd'}}").into_bytes(), "absolute http or https URL"),
        ("minus one retry", deliver("{retry: -1}").into_bytes(), "whole number of at least 0"),
        ("2^32 retries", deliver("{retry: 4294967296}").into_bytes(), "whole number"),
        ("2^64 retries", deliver("{retry: 18446744073709551616}").into_bytes(), "whole number"),
        ("NaN retries", deliver("{retry: .nan}").into_bytes(), "non-finite"),
        ("infinite retries", deliver("{retry: .inf}").into_bytes(), "non-finite"),
        ("half a retry", deliver("{retry: 1.5}").into_bytes(), "whole number"),
        ("a delay in words", deliver("{backoffDelay: soon}").into_bytes(), "ISO 8601 duration"),
        ("a negative delay", deliver("{backoffDelay: '-PT1S'}").into_bytes(), "ISO 8601 duration"),
        ("a delay of 2^64 s", deliver("{backoffDelay: PT18446744073709551616S}").into_bytes(), "ISO 8601 duration"),
        ("a delay of 1e300 s", deliver("{backoffDelay: PT1e300S}").into_bytes(), "ISO 8601 duration"),
        ("another policy", deliver("{backoffPolicy: random}").into_bytes(), "backoffPolicy"),
        ("an unknown filter", filter("[{colour: red}]").into_bytes(), "filters[0]"),
        ("a filter of a text", filter("red").into_bytes(), "must be a list"),
        ("half an expression", filter("[{cesql: 'type ='}]").into_bytes(), "unexpected end"),
        ("1,000 parentheses", filter(&format!("[{{cesql: '{}'}}]", "(".repeat(1000))).into_bytes(), "nested too deeply"),
        ("1,000 negations", filter(&format!("[{{cesql: '{}true'}}]", "NOT ".repeat(1000))).into_bytes(), "nested too deeply"),
        ("1,000 signs", filter(&format!("[{{cesql: '{}1'}}]", "- ".repeat(1000))).into_bytes(), "nested too deeply"),
        ("10,000 sums", filter(&format!("[{{cesql: '1{} = 1'}}]", "+1".repeat(10_000))).into_bytes(), "longer than 4096 bytes"),
        ("50 nested filters", filter(&format!("[{}]", not(50))).into_bytes(), "nested too deeply"),
        ("no partitions", object("KafkaTopic", "{partitions: 0}").into_bytes(), "at least 1"),
        ("minus one partition", object("KafkaTopic", "{partitions: -1}").into_bytes(), "whole number"),
        ("2^32 - 1 partitions", object("KafkaTopic", "{partitions: 4294967295}").into_bytes(), "at most"),
        ("a retention in words", object("KafkaTopic", "{config: {retention.ms: long}}").into_bytes(), "whole number or -1"),
        ("a retention of 2^64", object("KafkaTopic", "{config: {retention.bytes: 18446744073709551616}}").into_bytes(), "whole number or -1"),
        ("a path as topic", object("KafkaTopic", "{topicName: ../x}").into_bytes(), "topicName"),
        ("a topic of 300 letters", object("KafkaTopic", &format!("{{topicName: {}}}", "x".repeat(300))).into_bytes(), "topicName"),
        ("a path as name", object("Broker", "{}").replace("name: x", "name: ../x").into_bytes(), "metadata.name"),
        ("no name", object("Broker", "{}").replace("name: x, ", "").into_bytes(), "metadata.name"),
        ("a line break in a name", object("Broker", "{}").replace("name: x", r#"name: "a\nb""#).into_bytes(), "metadata.name"),
        ("negative replicas", object("ScaledObject", "{scaleTargetRef: {name: d}, maxReplicaCount: -1}").into_bytes(), "maxReplicaCount"),
        ("a lag in words", object("ScaledObject", "{scaleTargetRef: {name: d}, triggers: [{type: kafka, metadata: {consumerGroup: g, topic: t, lagThreshold: many}}]}").into_bytes(), "lagThreshold"),
        ("a lag of nought", object("ScaledObject", "{scaleTargetRef: {name: d}, triggers: [{type: kafka, metadata: {consumerGroup: g, topic: t, lagThreshold: '0'}}]}").into_bytes(), "lagThreshold"),
        ("a number as argument", object("Deployment", "{template: {spec: {containers: [{name: a, args: [1]}]}}}").into_bytes(), "quote it"),
    ];
    let mut problems = Vec::new();
    for (name, text, words) in cases {
        let folder = Folder::new();
        folder.write("manifests/triggers/bad.yaml", text);
        let manifests = folder.path("manifests").display().to_string();
        let arguments = ["up", "--exchange", "synthetic:42", "--ingress", "127.0.0.1:0", "--manifests", &manifests];
        let mut process = folder.start(&arguments);
        let ended = process.wait_or_kill(std::time::Duration::from_mins(2));
        let is_told = ended.stderr.contains("triggers/bad.yaml") && ended.stderr.contains(words);
        if ended.code != Some(64) || !is_told || ended.stderr.lines().count() != 1 || ended.stderr.len() > 4000 {
            let shown: String = ended.stderr.chars().take(600).collect();
            problems.push(format!("{name}: `{words}`: {:?} {shown}", ended.code));
        }
        if folder.path("data").exists() {
            problems.push(format!("{name} left a data folder behind"));
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn a_manifest_that_is_too_large_is_not_read() {
    let folder = Folder::new();
    let file = folder.write("manifests/triggers/huge.yaml", "");
    fs::File::options().write(true).open(&file).unwrap().set_len(1 << 40).unwrap();
    let manifests = folder.path("manifests").display().to_string();
    let ended =
        folder.command(&["up", "--exchange", "synthetic:42", "--ingress", "127.0.0.1:0", "--manifests", &manifests]);
    assert!(ended.code == Some(64) && ended.stderr.contains("larger than"), "{ended:?}");
}
