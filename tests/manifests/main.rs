//! The manifests against each other, against the code and against the schemas of their kinds.
//!
//! Each check is a function from the tree to its problems, so that it is also tried on a tree with a mistake in it.

mod accounts;
mod argocd;
mod canaries;
#[path = "../support/dashboards.rs"]
mod dashboards;
mod delivery;
mod disruption;
mod images;
mod jobs;
mod keys;
mod kustomizations;
mod monitoring;
mod network;
mod new_functions;
mod overlays;
mod pods;
mod policy;
#[path = "../support/promql.rs"]
mod promql;
mod quota;
mod rights;
mod routing;
mod scaling;
mod schemas;
mod tree;
mod wiring;

use tree::Tree;

/// Fails with all problems of the repository's own manifests.
fn assert_sound(check: fn(&Tree) -> Vec<String>) {
    let problems = check(&Tree::read());
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// Fails unless the check finds each of these mistakes: file, text, what stands in its place, word of the complaint.
fn assert_finds(check: fn(&Tree) -> Vec<String>, mistakes: &[(&str, &str, &str, &str)]) {
    let sound = Tree::read();
    for (file, from, to, word) in mistakes {
        let problems = match sound.with(file, from, to) {
            Ok(tree) => check(&tree),
            Err(refusal) => vec![refusal],
        };
        let found = problems.iter().any(|problem| problem.contains(word));
        assert!(found, "{file} with `{to}`: expected a complaint with `{word}`, not {problems:?}");
    }
}
