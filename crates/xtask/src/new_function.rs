//! A new function in the working tree, whole or not at all, and in the lock files.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use streamforge_scaffold::{NewFunction, write};

/// Lock files with the workspace's members in them, and the manifests that they belong to.
const LOCKS: [(&str, &str); 2] = [("Cargo.lock", "Cargo.toml"), ("fuzz/Cargo.lock", "fuzz/Cargo.toml")];

/// Makes a function and prints which files are new or changed.
///
/// # Errors
/// If it cannot have that name or accept that type, or a file cannot be written.
pub(crate) fn new_function(name: &str, options: &[String]) -> Result<()> {
    let accepts = match options {
        [] => None,
        [option, kind] if option == "--accepts" => Some(kind.as_str()),
        _ => bail!("a name may be followed by --accepts TYPE, not by {options:?}"),
    };
    let root = root()?;
    let function = NewFunction::new(name, accepts)?;
    let files = function.files(&function.read(&root)?)?;
    let locks: Vec<(PathBuf, String)> = LOCKS
        .iter()
        .map(|(lock, _)| root.join(lock))
        .map(|path| Ok((path.clone(), fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?)))
        .collect::<Result<_>>()?;
    let written = write(&root, &files)?;
    for (_, manifest) in LOCKS {
        if let Err(error) = lock(&root.join(manifest)) {
            written.undo();
            for (path, text) in locks {
                fs::write(path, text).ok();
            }
            return Err(error);
        }
    }
    let mut output = io::stdout().lock();
    for file in files.keys().map(String::as_str).chain(LOCKS.map(|(lock, _)| lock)) {
        writeln!(output, "{file}")?;
    }
    Ok(())
}

/// The repository that this is called in.
pub(crate) fn root() -> Result<PathBuf> {
    let here = env::current_dir().context("find the current folder")?;
    let root = here.ancestors().find(|folder| folder.join("crates/xtask/Cargo.toml").is_file());
    root.map(Path::to_owned).with_context(|| format!("{} is not in the repository", here.display()))
}

/// Puts new members into a lock file, by what has been fetched already where that is enough.
fn lock(manifest: &Path) -> Result<()> {
    let update = |options: &[&str]| {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(["update", "--workspace", "--quiet", "--manifest-path"]).arg(manifest).args(options).output()
    };
    if update(&["--offline"]).is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    let output = update(&[]).context("start cargo")?;
    if !output.status.success() {
        bail!("{} cannot be locked: {}", manifest.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
