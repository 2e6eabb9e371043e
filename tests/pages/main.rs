//! The web pages in a real browser on a real platform, as people use them, and what the binary holds of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "each target needs its own part")]
mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use support::{Folder, binary::path};

const WEB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/visualizer/web");
const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/visualizer/assets");

#[test]
fn people_find_their_way_on_the_pages() {
    let ended = npm(&["test"], &[("STREAMFORGE", path())]);
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{said}{}", String::from_utf8_lossy(&ended.stderr));
    assert!(said.contains("# fail 0") || said.contains("ℹ fail 0"), "{said}");
}

#[test]
fn the_binary_holds_what_the_source_gives() {
    let folder = Folder::new();
    let built = folder.path("assets");
    let ended = npm(&["run", "build", "--", "--outDir", built.to_str().unwrap()], &[]);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let (own, held) = (files(&built), files(Path::new(ASSETS)));
    assert!(own.len() > 3, "{:?}", own.keys());
    assert_eq!(own.keys().collect::<Vec<_>>(), held.keys().collect::<Vec<_>>(), "build them anew: make web");
    for (name, bytes) in own {
        assert!(held[&name] == bytes, "{} is not what its source gives: make web", name.display());
    }
}

fn npm(arguments: &[&str], environment: &[(&str, &Path)]) -> Output {
    assert!(Path::new(WEB).join("node_modules").is_dir(), "the packages are not there: make pages");
    Command::new("npm").args(arguments).current_dir(WEB).envs(environment.iter().copied()).output().unwrap()
}

/// All files below a folder but the compressed ones, which another version of the library may pack otherwise.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in next.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "gz") {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}
