//! New functions in this repository as it is: made whole, listed everywhere, refused where the name is taken.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use streamforge_events::EventType;
use streamforge_scaffold::{Error, NewFunction, read, write};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn refusal(name: &str, accepts: Option<&str>) -> String {
    let made = NewFunction::new(name, accepts).and_then(|function| function.files(&function.read(&root())?));
    made.map(|files| files.into_keys().collect::<Vec<_>>()).unwrap_err().to_string()
}

#[test]
fn a_function_of_each_type_has_all_its_files() {
    for kind in EventType::ALL {
        let refused = matches!(kind, EventType::ControlStop | EventType::ControlPing);
        let function = NewFunction::new("function-of-a-test", Some(kind.as_str()));
        assert_eq!(matches!(function, Err(Error::EventType { .. })), refused, "{kind}");
        let Ok(function) = function else { continue };
        let files = function.files(&function.read(&root()).unwrap()).unwrap();
        for file in ["Cargo.toml", "src/lib.rs", "src/main.rs", "tests/function.rs", "Containerfile"] {
            let text = &files[&format!("functions/function-of-a-test/{file}")];
            assert!(!text.contains("sample") && !text.contains("Sample") && !text.contains("dummy"), "{file}: {text}");
        }
        assert!(files["functions/function-of-a-test/src/lib.rs"].contains(&format!("&[EventType::{kind:?}]")));
        for folder in ["knative", "triggers", "scaledobjects"] {
            let text = &files[&format!("{folder}/function-of-a-test.yaml")];
            assert!(text.contains("name: function-of-a-test") && !text.contains("dummy"), "{folder}: {text}");
        }
    }
}

#[test]
fn lines_of_the_longest_name_are_not_too_long() {
    let name = format!("a{}", "-b".repeat(14));
    let function = NewFunction::new(&name, None).unwrap();
    let files = function.files(&function.read(&root()).unwrap()).unwrap();
    let sources = files.iter().filter(|(path, _)| Path::new(path).extension().is_some_and(|found| found == "rs"));
    let names = ["-b-b", "_b_b", "ABBB"];
    let new = sources.flat_map(|(_, text)| text.lines()).filter(|line| names.iter().any(|name| line.contains(name)));
    let (too_long, others): (Vec<&str>, Vec<&str>) = new.partition(|line| line.len() > 120);
    assert_eq!((too_long, others.len() > 10), (vec![], true));
}

#[test]
fn what_is_taken_is_refused() {
    for (name, words) in [
        ("dummy-service", "functions/dummy-service is there"),
        ("market-data", "has an object named market-data"),
        ("queue-manager-api", "has an object named queue-manager-api"),
        ("gnn-trainer", "is a crate"),
        ("serde-json", "serde_json is a crate"),
        ("topics", "knative/topics.yaml is there"),
        ("event", "its type would be Event"),
        ("bookkeeper-", "hyphens"),
    ] {
        let refusal = refusal(name, None);
        assert!(refusal.contains(words), "{name}: {refusal}");
    }
    assert!(refusal("function-of-a-test", Some("klines.loaded")).contains("io.streamforge.klines.loaded.v1"));
}

#[test]
fn a_repository_that_looks_otherwise_is_said_to() {
    let function = NewFunction::new("function-of-a-test", None).unwrap();
    let sound = function.read(&root()).unwrap();
    for (file, from) in [
        ("crates/local/src/functions.rs", "    entry::<Dummy>"),
        ("tests/manifests/routing.rs", "use dummy_service::"),
        ("tests/workspace/documents.rs", "Dummy::SETTINGS"),
        ("Cargo.toml", "dummy-service"),
        ("knative/topics.yaml", "name: dummy-service"),
        ("knative/dummy-service.yaml", "# Diagnostics."),
    ] {
        let mut files = sound.clone();
        let text = files.get_mut(file).unwrap();
        assert!(text.contains(from), "{file}");
        *text = text.replace(from, "other");
        let error = function.files(&files).unwrap_err().to_string();
        assert!(error.starts_with(file), "{error}");
        files.remove(file);
        assert!(function.files(&files).unwrap_err().to_string().starts_with(file));
    }
}

#[test]
fn cargo_knows_a_function_that_was_written() {
    let folder = tempfile::tempdir().unwrap();
    copy(&root(), folder.path());
    let function = NewFunction::new("function-of-a-test", None).unwrap();
    write(folder.path(), &function.files(&function.read(folder.path()).unwrap()).unwrap()).unwrap();
    let cargo = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO")).args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    cargo(&["update", "--workspace", "--offline"]);
    let metadata = cargo(&["metadata", "--locked", "--offline", "--format-version", "1"]);
    let metadata: Value = serde_json::from_slice(&metadata).unwrap();
    let is_it = |package: &&Value| package["name"] == "function-of-a-test";
    let package = metadata["packages"].as_array().unwrap().iter().find(is_it).unwrap();
    let names: Vec<&Value> = package["targets"].as_array().unwrap().iter().map(|target| &target["name"]).collect();
    assert_eq!(names, ["function_of_a_test", "function-of-a-test", "function"]);
    let again = function.read(folder.path()).unwrap_err().to_string();
    assert!(again.contains("functions/function-of-a-test is there"), "{again}");
    // Nor where nobody asks for the folder.
    let files = read(folder.path(), &["Cargo.lock"]).unwrap();
    assert!(function.files(&files).unwrap_err().to_string().contains("is a crate"));
}

/// Copies what Cargo looks at, and the manifests.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let name = entry.file_name();
        if entry.path().is_dir() {
            let is_left_out = ["target", "docs", "corpus", "data"].iter().any(|left_out| name == *left_out);
            if !is_left_out && !name.to_string_lossy().starts_with('.') {
                copy(&entry.path(), &to.join(name));
            }
        } else {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}
