//! Where servers are fetched to, and where they keep their data.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

/// What the data folders of tests are called, before the id of the process that they belong to.
const PREFIX: &str = "streamforge-server-";

/// The folder that fetched servers are kept in: that of `TEST_SERVERS`, which the Makefile sets, or one in the
/// user's cache.
///
/// # Errors
/// If there is no home folder.
pub fn cache() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("TEST_SERVERS") {
        return Ok(PathBuf::from(folder));
    }
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    Ok(PathBuf::from(home).join(".cache/streamforge/servers"))
}

/// Runs a script that puts a server into a folder of the cache, unless it is there; answers the folder.
pub(crate) fn fetched(script: &Path, name: &str) -> Result<PathBuf> {
    let folder = cache()?.join(name);
    let output = Command::new(script).arg(&folder).output().with_context(|| format!("start {}", script.display()))?;
    if !output.status.success() {
        bail!("{name} could not be fetched: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(folder)
}

/// A new folder for the data of a server of this process.
///
/// A test binary ends without a last word, so folders of processes that are gone are taken away here.
pub(crate) fn for_this_process(name: &str) -> Result<PathBuf> {
    let parent = std::env::temp_dir();
    for entry in fs::read_dir(&parent).context("list the temporary folder")?.flatten() {
        let file_name = entry.file_name();
        let owner = file_name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Another process may be at the same.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
    let own = std::process::id();
    let folder = parent.join(format!("{PREFIX}{own}-{name}-{:08x}", fastrand::u32(..)));
    fs::create_dir(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}
