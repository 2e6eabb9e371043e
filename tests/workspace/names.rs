//! One name for a function everywhere: folder, crate, code, Service, `ScaledObject`, Trigger, image.

use std::collections::BTreeSet;

use queue_manager::ApiService;
use self_healer::SelfHealer;
use streamforge_function::Function as _;
use streamforge_local::{functions, manifest::Manifests};
use visualizer::Visualizer;

use crate::{members::members, root};

#[test]
fn a_function_has_one_name_everywhere() {
    let manifests = Manifests::read(root()).expect("the manifests are sound");
    let coded: BTreeSet<String> = functions::NAMES.iter().map(ToString::to_string).collect();
    // The healer and the pages take no events: nothing delivers to them. The listener is a job.
    let fed = |name: &String| ![SelfHealer::NAME, Visualizer::NAME, loader_ws::NAME].contains(&name.as_str());
    let own = || members().iter().filter(|member| member.is_in("functions") && fed(&member.name));
    let (crates, folders) = (own(), own().map(super::members::Member::folder));
    // The API is the queue manager's second process, called by people and by nothing that scales.
    let served = |name: &&String| *name != ApiService::NAME && fed(name);
    let found: [(&str, BTreeSet<String>); 6] = [
        ("crates", crates.map(|member| member.name.clone()).collect()),
        ("folders", folders.collect()),
        ("Services", manifests.services.iter().map(|item| &item.name.name).filter(served).cloned().collect()),
        ("workloads", manifests.workloads.iter().map(|item| &item.name.name).filter(served).cloned().collect()),
        ("ScaledObjects", manifests.scaled_objects.iter().map(|item| item.name.name.clone()).filter(fed).collect()),
        ("Triggers", {
            let triggers: BTreeSet<&str> = manifests.triggers.iter().map(|item| item.name.name.as_str()).collect();
            coded.iter().filter(|name| triggers.contains(name.as_str())).cloned().collect()
        }),
    ];
    for (what, names) in found {
        assert_eq!(names, coded, "names of {what} and Function::NAME");
    }
}

#[test]
fn what_takes_no_events_has_the_same_name_and_nothing_that_brings_them() {
    let manifests = Manifests::read(root()).expect("the manifests are sound");
    let name = SelfHealer::NAME;
    assert!(members().iter().any(|member| member.name == name && member.folder() == name), "{name}");
    let healers = manifests.workloads.iter().filter(|workload| workload.name.name == name);
    let kinds: Vec<&str> = healers.map(|workload| workload.kind).collect();
    assert_eq!(kinds, ["Deployment"]);
    assert!(!functions::NAMES.contains(&name));
    let others = manifests.services.iter().map(|item| &item.name.name);
    let mut others = others.chain(manifests.triggers.iter().map(|item| &item.name.name));
    assert!(others.all(|other| other != name));
}

#[test]
fn what_serves_pages_has_the_same_name_and_nothing_that_brings_events() {
    let manifests = Manifests::read(root()).expect("the manifests are sound");
    let name = Visualizer::NAME;
    assert!(members().iter().any(|member| member.name == name && member.folder() == name), "{name}");
    let workloads = manifests.workloads.iter().filter(|workload| workload.name.name == name);
    assert_eq!(workloads.map(|workload| workload.kind).collect::<Vec<_>>(), ["Deployment"]);
    assert!(manifests.services.iter().any(|service| service.name.name == name));
    assert!(manifests.triggers.iter().all(|trigger| trigger.name.name != name));
}

#[test]
fn what_a_request_can_be_made_of_is_there() {
    let manifests = Manifests::read(root()).expect("the manifests are valid");
    for name in queue_manager::plan::AVAILABLE {
        let is_job = manifests.scaled_jobs.iter().any(|job| job.name.name == name);
        assert!(functions::NAMES.contains(&name) || is_job, "the planner knows {name}, nobody else does");
    }
}
