//! Each folder's kustomization lists the folder's files, each once and none besides.

use std::collections::BTreeSet;

use streamforge_local::manifest::FOLDERS;

use crate::{assert_finds, assert_sound, tree::Tree};

#[test]
fn kustomizations_list_their_folders() {
    assert_sound(problems);
}

#[test]
fn a_file_left_out_is_found() {
    assert_finds(
        problems,
        &[
            ("triggers/kustomization.yaml", "  - queue-manager.yaml\n", "", "queue-manager.yaml"),
            ("knative/kustomization.yaml", "- topics.yaml", "- topic.yaml", "topic.yaml"),
            ("knative/kustomization.yaml", "- topics.yaml", "- topics.yaml\n  - topics.yaml", "twice"),
        ],
    );
}

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let mut problems = Vec::new();
    for folder in FOLDERS {
        let own = format!("{folder}/kustomization.yaml");
        let Some(kustomization) = tree.objects.iter().find(|object| object.file == own) else {
            problems.push(format!("{own} is not there"));
            continue;
        };
        let entries = kustomization.list("/resources");
        let listed: BTreeSet<String> =
            entries.iter().filter_map(|entry| Some(format!("{folder}/{}", entry.as_str()?))).collect();
        let inside = tree.files.keys().filter(|file| file.starts_with(&format!("{folder}/")) && **file != own);
        let inside: BTreeSet<String> = inside.cloned().collect();
        problems.extend(inside.difference(&listed).map(|file| format!("{own} leaves out {file}")));
        problems.extend(listed.difference(&inside).map(|file| format!("{own} lists {file}, which is not there")));
        if listed.len() != entries.len() {
            problems.push(format!("{own} lists a file twice"));
        }
    }
    problems
}
