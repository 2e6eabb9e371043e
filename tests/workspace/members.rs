//! The workspace's members and their dependencies, as Cargo sees them.

use std::{path::PathBuf, process::Command, sync::OnceLock};

use serde_json::Value;

use crate::root;

/// A member of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its `Cargo.toml`.
    pub(crate) manifest: PathBuf,
    /// Crates that it names itself, for any purpose.
    pub(crate) dependencies: Vec<String>,
}

impl Member {
    /// Name of its folder.
    pub(crate) fn folder(&self) -> String {
        let folder = self.manifest.parent().and_then(|folder| folder.file_name());
        folder.and_then(|name| name.to_str()).unwrap_or_default().to_owned()
    }

    /// Whether its folder lies in this one.
    pub(crate) fn is_in(&self, parent: &str) -> bool {
        self.manifest.starts_with(root().join(parent))
    }
}

/// All members.
pub(crate) fn members() -> &'static [Member] {
    static MEMBERS: OnceLock<Vec<Member>> = OnceLock::new();
    MEMBERS.get_or_init(|| {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
            .current_dir(root())
            .output()
            .expect("cargo can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
        list(&metadata["packages"]).map(member).collect()
    })
}

fn member(package: &Value) -> Member {
    Member {
        name: string(&package["name"]),
        manifest: PathBuf::from(string(&package["manifest_path"])),
        dependencies: list(&package["dependencies"]).map(|dependency| string(&dependency["name"])).collect(),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("cargo writes a list").iter()
}

fn string(value: &Value) -> String {
    value.as_str().expect("cargo writes a string").to_owned()
}
