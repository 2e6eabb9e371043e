//! What every source file looks like.

use std::{fs, path::Path};

use crate::{assert_none, files, root, shown};

/// Longer files hold more than one idea.
///
/// # Units
/// Lines.
const LONGEST: usize = 450;

#[test]
fn sources_say_their_idea_first_and_are_short() {
    let sources = files("rs");
    assert!(sources.len() > 100, "only {} sources were found", sources.len());
    let problems: Vec<String> = sources.iter().filter_map(|path| problem(path, &read(path))).collect();
    assert_none(&problems);
}

#[test]
fn a_source_without_idea_or_too_long_is_found() {
    let path = Path::new("a.rs");
    assert_eq!(problem(path, "//! An idea.\n"), None);
    assert!(problem(path, "use std::fs;\n").is_some());
    assert!(problem(path, &format!("//! An idea.\n{}", "\n".repeat(LONGEST))).is_some());
}

#[test]
fn functions_leave_the_environment_to_their_host() {
    let sources = files("rs");
    let of_functions = sources.iter().filter(|path| {
        let folders = path.strip_prefix(root()).unwrap_or(path);
        folders.starts_with("functions") && folders.iter().any(|folder| folder == "src")
    });
    let readers = of_functions.filter(|path| read(path).lines().any(reads_environment));
    let problems: Vec<String> = readers.map(|path| format!("{} reads the environment", shown(path))).collect();
    assert_none(&problems);
}

/// The seed of a test beside the code is no setting.
fn reads_environment(line: &str) -> bool {
    line.contains("env::var") && !line.contains("\"STREAMFORGE_SEED\"")
}

fn problem(path: &Path, text: &str) -> Option<String> {
    let lines = text.lines().count();
    if !text.starts_with("//! ") {
        return Some(format!("{} does not begin with `//!` and its idea", shown(path)));
    }
    (lines > LONGEST).then(|| format!("{} has {lines} lines, {LONGEST} are the most", shown(path)))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
