//! The binary `streamforge`, as the sources are now.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// Returns the path of the binary, after building it where it is missing or older than its sources.
pub(crate) fn path() -> &'static Path {
    BINARY.get_or_init(build)
}

/// Builds with the profile and into the target folder of this test: `TARGET/PROFILE/deps/TEST`.
fn build() -> PathBuf {
    let test = env::current_exe().expect("a running test has a path");
    let folder = test.ancestors().nth(2).expect("a test lies in `deps` of its profile's folder");
    let target = folder.parent().expect("a profile's folder lies in the target folder");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    for (name, _) in env::vars_os() {
        // What Cargo tells a running test of its package would make build scripts that look at it run anew, and
        // everything above them be compiled again.
        let is_of_this_test = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(is_of_this_test) {
            command.env_remove(name);
        }
    }
    let built = command
        // The test is named for the features that tests have alone: with those of `make test` nothing is compiled twice.
        .args(["build", "--quiet", "--workspace", "--all-features", "--bin", "streamforge", "--bin", "loader-ws"])
        .args(["--bin", "gnn-trainer", "--test", "jobs"])
        .args(["--profile", profile])
        .arg("--target-dir")
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the binary could not be built");
    folder.join("streamforge")
}
