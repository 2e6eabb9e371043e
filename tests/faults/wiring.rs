//! The manifests as they are, and with leases short enough for a test to outlast them.

use std::{fs, path::Path, process::Command};

use crate::support::{Folder, binary};

/// Which leases a platform works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wiring {
    /// Those of the manifests.
    Usual,
    /// Deliveries, tasks and publications are given up after half a minute at most.
    Hasty,
    /// Liveness probes fail after about two seconds.
    Watchful,
}

/// What stands in the manifests, and what a test puts in its place.
const DELIVERY: (&str, &str) = ("timeout: PT330S", "timeout: PT30S");
const PROBE: (&str, &str) =
    ("periodSeconds: 10\n            failureThreshold: 6", "periodSeconds: 1\n            failureThreshold: 2");

/// Leases that are set by the environment. A function gives up before its delivery does, as in the manifests: work that
/// nobody waits for any more would only hold up its repetition.
const HASTE: [(&str, &str); 3] =
    [("STREAMFORGE_DEADLINE", "27s"), ("STREAMFORGE_PUBLISH_TIMEOUT", "5s"), ("STREAMFORGE_PROGRESS_DEADLINE", "30s")];

impl Wiring {
    /// The binary with these leases, and the arguments that go with them.
    pub(crate) fn command(self, folder: &Folder) -> (Command, Vec<String>) {
        let mut command = Command::new(binary::path());
        let (from, to) = match self {
            Self::Usual => return (command, Vec::new()),
            Self::Hasty => {
                command.envs(HASTE);
                DELIVERY
            }
            Self::Watchful => PROBE,
        };
        let manifests = folder.path("manifests");
        if !manifests.exists() {
            copy(&manifests, from, to);
        }
        (command, vec!["--manifests".to_owned(), manifests.display().to_string()])
    }
}

/// Copies the manifests, with `to` wherever `from` stands.
fn copy(target: &Path, from: &str, to: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    let mut replaced = 0;
    for name in ["knative", "triggers", "scaledobjects"] {
        fs::create_dir_all(target.join(name)).expect("a folder");
        for entry in fs::read_dir(root.join(name)).expect("the manifests are there") {
            let path = entry.expect("a file").path();
            let text = fs::read_to_string(&path).expect("a manifest is text");
            replaced += text.matches(from).count();
            let copy = target.join(name).join(path.file_name().expect("a file has a name"));
            fs::write(copy, text.replace(from, to)).expect("a file");
        }
    }
    assert!(replaced > 0, "no manifest says `{from}`");
}
