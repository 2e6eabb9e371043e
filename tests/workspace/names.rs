//! One name for a function everywhere: folder, crate, code, Service, `ScaledObject`, Trigger, image.

use std::collections::BTreeSet;

use queue_manager::ApiService;
use streamforge_function::Function as _;
use streamforge_local::{functions, manifest::Manifests};

use crate::{members::members, root};

#[test]
fn a_function_has_one_name_everywhere() {
    let manifests = Manifests::read(root()).expect("the manifests are sound");
    let coded: BTreeSet<String> = functions::NAMES.iter().map(ToString::to_string).collect();
    let crates = members().iter().filter(|member| member.is_in("functions"));
    let folders = members().iter().filter(|member| member.is_in("functions")).map(super::members::Member::folder);
    // The API is the queue manager's second process, called by people and by nothing that scales.
    let served = |name: &&String| *name != ApiService::NAME;
    let found: [(&str, BTreeSet<String>); 6] = [
        ("crates", crates.map(|member| member.name.clone()).collect()),
        ("folders", folders.collect()),
        ("Services", manifests.services.iter().map(|item| &item.name.name).filter(served).cloned().collect()),
        ("workloads", manifests.workloads.iter().map(|item| &item.name.name).filter(served).cloned().collect()),
        ("ScaledObjects", manifests.scaled_objects.iter().map(|item| item.name.name.clone()).collect()),
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
fn what_a_request_can_be_made_of_is_there() {
    let manifests = Manifests::read(root()).expect("the manifests are valid");
    for name in queue_manager::plan::AVAILABLE {
        let is_job = manifests.scaled_jobs.iter().any(|job| job.name.name == name);
        assert!(functions::NAMES.contains(&name) || is_job, "the planner knows {name}, nobody else does");
    }
}
