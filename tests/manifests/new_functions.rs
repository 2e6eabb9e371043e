//! The manifests of a function that `cargo xtask new-function` makes stand up to every check of these.

use streamforge_events::EventType;
use streamforge_function::Function as _;
use streamforge_scaffold::{MODEL, NewFunction};

use crate::{
    canaries, delivery, disruption, images, jobs, keys, kustomizations, pods, rights, routing, scaling, schemas,
    tree::{Tree, root},
    wiring,
};

/// What nobody calls a function.
const NAME: &str = "function-of-a-test";

/// Not the quota: whether there is room for one more is said where the repository's own functions are counted.
const CHECKS: [fn(&Tree) -> Vec<String>; 13] = [
    canaries::problems,
    delivery::problems,
    disruption::problems,
    images::problems,
    jobs::problems,
    keys::problems,
    kustomizations::problems,
    pods::problems,
    rights::problems,
    routing::problems,
    scaling::problems,
    schemas::problems,
    wiring::problems,
];

/// What is said of a function that has manifests and no crate; these checks read the crates of the repository.
const WITHOUT_CRATE: [&str; 2] = [
    "no Containerfile makes the image streamforge/function-of-a-test:",
    "events come to function-of-a-test, which is no function",
];

#[test]
fn a_new_function_stands_up_to_every_check() {
    assert_eq!(dummy_service::Dummy::NAME, MODEL, "the function that others are made of");
    // What is wrong with the others is told elsewhere.
    let known = problems(&Tree::read());
    for kind in EventType::ALL {
        let Ok(function) = NewFunction::new(NAME, Some(kind.as_str())) else { continue };
        let tree = with(&function);
        let is_new = |problem: &String| {
            !known.contains(problem) && !WITHOUT_CRATE.iter().any(|known| problem.starts_with(known))
        };
        let problems: Vec<String> = problems(&tree).into_iter().filter(is_new).collect();
        assert!(problems.is_empty(), "{kind}\n{}\n", problems.join("\n"));
        let readers = routing::readers(&tree.manifests, kind, NAME);
        assert_eq!(readers.iter().filter(|reader| *reader == NAME).count(), 1, "{kind} comes to {readers:?}");
    }
}

fn problems(tree: &Tree) -> Vec<String> {
    CHECKS.iter().flat_map(|check| check(tree)).collect()
}

/// The repository's manifests with those of a function.
fn with(function: &NewFunction) -> Tree {
    let repository = function.read(root()).expect("the repository is there");
    let mut files = Tree::read().files;
    let new = function.files(&repository).expect("the function is not there yet");
    files.extend(new.into_iter().filter(|(path, _)| is_manifest(path)));
    Tree::parse(files).expect("the manifests of a new function can be read")
}

fn is_manifest(path: &str) -> bool {
    streamforge_local::manifest::FOLDERS.iter().any(|folder| path.starts_with(&format!("{folder}/")))
}
