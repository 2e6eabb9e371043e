//! Each image of ours that manifests name is made here, in its version, and each that is made here is named.

use std::{collections::BTreeSet, fs};

use streamforge_cluster::Published;

use crate::{
    assert_finds, assert_sound,
    tree::{Tree, root},
};

/// Manifests that are not in the folders of the functions'.
const DATA_PLANE: &str = "crates/data-plane/manifests/data-plane.yaml";

#[test]
fn images_are_made_and_named() {
    assert_sound(problems);
}

#[test]
fn an_image_that_nobody_makes_is_found() {
    let file = "knative/dummy-service.yaml";
    assert_finds(
        problems,
        &[
            (file, "image: streamforge/dummy-service:0.1.0", "image: streamforge/dummy:0.1.0", "dummy:0.1.0"),
            (file, "image: streamforge/dummy-service:0.1.0", "image: streamforge/dummy-service:0.2.0", "0.2.0"),
            (
                file,
                "image: streamforge/dummy-service:0.1.0",
                "image: streamforge/predictor:0.1.0",
                "dummy-service:0.1.0",
            ),
        ],
    );
}

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let data_plane = fs::read_to_string(root().join(DATA_PLANE)).expect("the data plane has manifests");
    let texts = tree.files.values().chain([&data_plane]);
    let image = |line: &str| {
        let value = line.trim().trim_start_matches("- ").strip_prefix("image: ")?;
        Some(value.trim_matches(['"', '\'']).to_owned())
    };
    let named = texts.flat_map(|text| text.lines()).filter_map(image);
    let named: BTreeSet<String> = named.filter(|image| image.starts_with("streamforge/")).collect();
    let made = Published::all(root()).expect("each program has a Containerfile");
    let made: BTreeSet<String> = made.iter().map(Published::name).collect();
    let unmade = named.difference(&made).map(|image| format!("no Containerfile makes the image {image}"));
    let unnamed = made.difference(&named).map(|image| format!("no manifest names the image {image}"));
    unmade.chain(unnamed).collect()
}
