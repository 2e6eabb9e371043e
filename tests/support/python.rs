//! The Pythons of the tests, which `make test` sees to: each with the packages of one list.

use std::{env, path::PathBuf};

/// The interpreter that has the packages for this purpose.
pub(crate) fn interpreter(purpose: &str) -> PathBuf {
    let folder = env::var_os("TEST_PYTHONS").map_or_else(
        || PathBuf::from(env::var_os("HOME").expect("HOME is set")).join(".cache/streamforge/tools/python"),
        PathBuf::from,
    );
    let python = folder.join(purpose).join("bin/python");
    assert!(python.is_file(), "{} is not there: `make pythons` puts it there", python.display());
    python
}
