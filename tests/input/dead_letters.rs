//! Poison never blocks what is good and never vanishes: it is written down byte by byte and can be replayed.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    platform::text,
    raw::{self, Until},
    subscriber::{POISON, REASON, Subscriber},
    support::{Folder, Log, Running, until},
};

const GOOD: usize = 1000;
const POISONED: usize = 50;

fn up(folder: &Folder, manifests: &[&str]) -> (Running, String) {
    let any = "127.0.0.1:0";
    let ports = ["up", "--exchange", "synthetic:42", "--ingress", any, "--api", any];
    let mut platform = folder.start(&[&ports, manifests].concat());
    let started = platform.first_json();
    (platform, text(&started, "ingress").trim_start_matches("http://").to_owned())
}

fn letters(folder: &Folder, count: usize) -> Vec<Value> {
    until("dead letters", || Some(folder.dead_letters()).filter(|letters| letters.len() >= count))
}

#[test]
fn poison_between_good_events_is_kept_and_comes_back_as_it_was() {
    assert_poison_comes_back(Log::Folder);
}

#[test]
fn poison_on_kafka_is_kept_and_comes_back_as_it_was() {
    assert_poison_comes_back(Log::Kafka);
}

fn assert_poison_comes_back(log: Log) {
    let folder = Folder::on(log);
    let subscriber = Subscriber::start();
    let url = &subscriber.url;
    let manifest = format!(
        "
{{apiVersion: eventing.knative.dev/v1, kind: Broker, metadata: {{name: orders, namespace: shop}}}}
---
{{apiVersion: eventing.knative.dev/v1alpha1, kind: KafkaSink, metadata: {{name: letters, namespace: shop}},
 spec: {{topic: dead-letters}}}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {{name: orders, namespace: shop}}
spec:
  broker: orders
  subscriber: {{uri: '{url}'}}
  delivery: {{retry: 2, backoffDelay: PT0.1S, deadLetterSink: {{ref: {{kind: KafkaSink, name: letters}}}}}}
"
    );
    folder.write("manifests/triggers/orders.yaml", manifest);
    let manifests = folder.path("manifests").display().to_string();
    let (platform, ingress) = up(&folder, &["--manifests", &manifests]);

    let total = GOOD + POISONED;
    for number in 0..total {
        let is_poison = number % (total / POISONED) == 0;
        // Bytes that are no text, and headers of every kind, have to survive as well.
        let body = if is_poison { [POISON, b"\xff\0", &number.to_be_bytes()].concat() } else { b"{}".to_vec() };
        let headers = format!(
            "ce-specversion: 1.0\r\nce-id: {number}\r\nce-source: /shop\r\nce-type: shop.order.placed\r\n\
             ce-subject: a%20b \u{e4}\r\nce-time: 2026-03-01T00:00:00.10Z\r\nce-colour: red\r\ncontent-type: x/y; z=1\r\n"
        );
        let reply = raw::send(&ingress, &raw::post("/shop/orders", &headers, body), Until::Answer);
        assert_eq!(reply.status, 202, "{reply:?}");
    }
    until("all good events", || (subscriber.taken().len() >= GOOD).then_some(()));
    let found = letters(&folder, POISONED);
    assert_eq!((subscriber.taken().len(), found.len()), (GOOD, POISONED));
    for letter in &found {
        let fields = ["code", "answer", "type", "source"].map(|name| text(letter, name));
        assert_eq!(fields, ["422", REASON, "shop.order.placed", "/shop"]);
        assert_eq!(letter["replayed"], false);
    }
    let refused = subscriber.refused();
    assert_eq!(refused.len(), POISONED, "a refusal for good is not tried again");

    subscriber.mend();
    let replay = ["dead-letters", "replay", "--all", "--broker", "orders", "--namespace", "shop"];
    let replayed = |arguments: &[&str]| folder.command(arguments).succeeded().lines().count();
    assert_eq!(replayed(&replay), POISONED);
    let poison_taken = || {
        let taken = subscriber.taken().into_iter();
        taken.filter(|seen| seen.body.starts_with(POISON)).collect::<Vec<_>>()
    };
    until("the replayed events", || (poison_taken().len() >= POISONED).then_some(()));
    assert_eq!(poison_taken(), refused, "an event comes back as it was, to the byte");

    assert_eq!(replayed(&replay), 0, "the second time there is nothing left to replay");
    let one = found[0]["letter"].as_str().unwrap();
    let again = folder.command(&["dead-letters", "replay", one, "--broker", "orders", "--namespace", "shop"]);
    assert!(again.code == Some(1) && again.stderr.contains("--again"), "{again:?}");
    assert_eq!(replayed(&[&replay[..], &["--again"]].concat()), POISONED);
    until("the events once more", || (poison_taken().len() >= 2 * POISONED).then_some(()));
    let mut twice = [refused.clone(), refused].concat();
    twice.sort();
    assert_eq!(poison_taken(), twice);
    let after = folder.dead_letters();
    assert_eq!(after.len(), POISONED, "a replay makes no new letters");
    assert!(after.iter().all(|letter| letter["replayed"] == true));
    assert_eq!(platform.stop().code, Some(0));
}

/// Copies the repository's manifests and gives one function an environment that it cannot work in.
fn broken_manifests(folder: &Folder) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut is_broken = false;
    for name in ["knative", "triggers", "scaledobjects"] {
        let mut folders = vec![root.join(name)];
        while let Some(source) = folders.pop() {
            for entry in fs::read_dir(&source).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let mut yaml = fs::read_to_string(&path).unwrap();
                if path.ends_with("knative/dummy-service.yaml") {
                    let broken = "env: [{name: STREAMFORGE_BODY_LIMIT, value: \"10\"}]\n          envFrom:\n";
                    let sound = yaml.clone();
                    yaml = yaml.replacen("envFrom:\n", broken, 1);
                    is_broken = yaml != sound;
                }
                let below = path.strip_prefix(root).unwrap().display().to_string();
                folder.write(&format!("broken/{below}"), yaml);
            }
        }
    }
    assert!(is_broken, "the function has an environment to break");
    folder.path("broken").display().to_string()
}

#[test]
fn letters_of_a_function_with_a_wrong_setting_are_replayed_after_the_setting_is_mended() {
    let folder = Folder::new();
    let manifests = broken_manifests(&folder);
    let (platform, _) = up(&folder, &["--manifests", &manifests]);
    let ping = ["control", "--queue-id", "wf-probe", "--command", "ping", "--target", "dummy-service"];
    folder.json(&ping);
    let [letter] = &letters(&folder, 1)[..] else { panic!("one letter") };
    assert_eq!(text(letter, "code"), "413", "{letter}");
    assert!(text(letter, "answer").contains("larger than 10 bytes"), "{letter}");
    assert_eq!(platform.stop().code, Some(0));

    let (platform, _) = up(&folder, &[]);
    let pongs = || {
        let status = folder.json(&["status"]);
        let topics = status["topics"].as_array().unwrap();
        topics.iter().find(|topic| topic["name"] == "queue-events").unwrap()["end"].as_u64().unwrap()
    };
    assert_eq!(pongs(), 0);
    let replay = ["dead-letters", "replay", "--all"];
    assert_eq!(folder.command(&replay).succeeded().lines().count(), 1);
    until("the pong", || (pongs() == 1).then_some(()));
    assert_eq!(folder.command(&replay).succeeded().lines().count(), 0);
    assert_eq!(folder.dead_letters().len(), 1);
    assert_eq!(platform.stop().code, Some(0));
}
