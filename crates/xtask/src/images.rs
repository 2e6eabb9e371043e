//! Images for registries: staged for their Containerfiles, written as OCI archives, and held to what they may be.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use streamforge_cluster::{Published, revision};

use crate::new_function::root;

/// Most that a registry keeps of a function.
///
/// # Units
/// Bytes.
const MOST: u64 = 30_000_000;

/// Stages all images of programs in a folder, writes them to another, and prints how large they are.
///
/// # Errors
/// If a program is not built, or an image is too large or careless.
pub(crate) fn images(programs: &Path, to: &Path) -> Result<()> {
    let root = root()?;
    fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    let revision = revision(&root);
    let mut output = io::stdout().lock();
    let mut problems = Vec::new();
    writeln!(output, "{:24} {:>9} {:>9}", "image", "files", "stored")?;
    for published in Published::all(&root)? {
        if !programs.join(&published.program).is_file() {
            bail!("{} is not in {}; build it first", published.program, programs.display());
        }
        let image = published.image(programs, &revision)?;
        let staged = to.join(&published.program);
        image.stage(&staged)?;
        let stored = image.write_oci(&to.join(format!("{}.tar", published.program)))?;
        writeln!(output, "{:24} {:>6} MB {:>6} MB", published.program, megabytes(size(&staged)?), megabytes(stored))?;
        let mut found = image.problems()?;
        found.extend(too_large(&published, stored));
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", published.program)));
    }
    writeln!(output, "revision {revision}, in {}", to.display())?;
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    Ok(())
}

fn too_large(published: &Published, stored: u64) -> Option<String> {
    let is_too_large = published.is_function && stored > MOST;
    is_too_large.then(|| format!("its image has {stored} bytes, a function may have {MOST}"))
}

/// Bytes of the files below a folder.
fn size(folder: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        size += if metadata.is_dir() { self::size(&entry.path())? } else { metadata.len() };
    }
    Ok(size)
}

/// Rounded up, so that what is above a limit does not look as if it were not; tenths.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn only_a_function_can_be_too_large() {
        let published = |is_function| Published { program: "a".to_owned(), file: PathBuf::new(), is_function };
        for (is_function, stored, is_found) in [(true, MOST, false), (true, MOST + 1, true), (false, MOST + 1, false)] {
            assert_eq!(too_large(&published(is_function), stored).is_some(), is_found, "{is_function} {stored}");
        }
        assert_eq!((megabytes(MOST), megabytes(MOST + 1)), ("30.0".to_owned(), "30.1".to_owned()));
    }
}
