//! Images of one program: it and the libraries that it is linked with, in one layer, without any registry.
//!
//! # Source
//! <https://github.com/moby/docker-image-spec/blob/main/v1.2.md>, <https://github.com/opencontainers/image-spec>

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Whom the program runs as: nobody that a machine knows.
const USER: &str = "65532:65532";
/// Authorities that every program trusts, as Debian's package of certificates has them.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Everything is as old as this, so that the same files make the same image.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// An image that holds one program, the libraries that it is linked with, and the authorities that it trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    name: String,
    program: PathBuf,
    /// What it opens by itself.
    files: Vec<PathBuf>,
    labels: BTreeMap<String, String>,
}

impl Image {
    /// Names an image of a program without making it.
    #[must_use]
    pub fn of_program(name: &str, program: &Path) -> Self {
        Self { name: name.to_owned(), program: program.to_owned(), files: Vec::new(), labels: BTreeMap::new() }
    }

    /// Adds a library that the program opens by itself, at the path that it has here.
    #[must_use]
    pub fn library(mut self, path: &Path) -> Self {
        self.files.push(path.to_owned());
        self
    }

    /// Adds a label, such as `org.opencontainers.image.version`.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Writes it as an archive that container runtimes import.
    ///
    /// # Errors
    /// If the program, or a library of it, cannot be read.
    pub fn write(&self, archive: &Path) -> Result<()> {
        let layer = self.layer()?;
        let name = self.program.file_name().context("a program has a name")?.to_string_lossy();
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "created": CREATED,
            "config": {
                "Entrypoint": [format!("/{name}")], "User": USER, "WorkingDir": "/", "Labels": self.labels,
                "Env": ["PATH=/"],
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", digest(&layer))]},
            "history": [{"created": CREATED, "created_by": "streamforge"}],
        })
        .to_string();
        let config_name = format!("{}.json", digest(config.as_bytes()));
        let manifest = json!([{"Config": config_name, "RepoTags": [self.name], "Layers": ["layer.tar"]}]).to_string();
        let file = fs::File::create(archive).with_context(|| format!("make {}", archive.display()))?;
        let mut builder = tar::Builder::new(file);
        for (name, bytes) in [
            ("layer.tar", layer.as_slice()),
            (config_name.as_str(), config.as_bytes()),
            ("manifest.json", manifest.as_bytes()),
        ] {
            append(&mut builder, name, bytes, 0o644)?;
        }
        builder.into_inner().and_then(|file| file.sync_all()).context("write the image")
    }

    /// The files of the image.
    fn layer(&self) -> Result<Vec<u8>> {
        let mut builder = tar::Builder::new(Vec::new());
        let name = self.program.file_name().context("a program has a name")?;
        append_file(&mut builder, Path::new(name), &self.program)?;
        let mut added = BTreeSet::new();
        for file in std::iter::once(&self.program).chain(&self.files) {
            added.extend(libraries(file)?);
        }
        added.extend(self.files.iter().cloned());
        added.insert(PathBuf::from(AUTHORITIES));
        for library in &added {
            append_file(&mut builder, library.strip_prefix("/").unwrap_or(library), library)?;
        }
        Ok(builder.into_inner()?)
    }
}

/// The libraries that a program is linked with, and the loader that finds them, by the names it knows them by.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("start ldd")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = text.lines().find(|line| line.contains("not found")) {
        bail!("{} needs a library that is not there: {}", program.display(), line.trim());
    }
    let path =
        |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(|path| direct(Path::new(path)));
    Ok(text.lines().filter_map(path).collect())
}

/// The same path without detours, which an archive does not take.
fn direct(path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(whole.pop()),
            part => whole.push(part),
        }
    }
    whole
}

fn append_file(builder: &mut tar::Builder<Vec<u8>>, name: &Path, path: &Path) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    append(builder, &name.to_string_lossy(), &bytes, 0o755)
}

fn append<W: std::io::Write>(builder: &mut tar::Builder<W>, name: &str, bytes: &[u8], mode: u32) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(bytes.len())?);
    header.set_mode(mode);
    header.set_mtime(0);
    builder.append_data(&mut header, name, bytes).with_context(|| format!("add {name} to an image"))
}

fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_program_makes_the_same_image_with_its_libraries() {
        let folder = tempfile::tempdir().unwrap();
        let image = Image::of_program("localhost/true:1", Path::new("/bin/true")).label("version", "1");
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        image.write(&one).unwrap();
        image.write(&other).unwrap();
        assert_eq!(fs::read(&one).unwrap(), fs::read(other).unwrap());
        let names: Vec<String> = tar::Archive::new(fs::File::open(one).unwrap())
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!((names.len(), names[0].as_str(), names[2].as_str()), (3, "layer.tar", "manifest.json"));
        let layer = image.layer().unwrap();
        let mut archive = tar::Archive::new(&layer[..]);
        let files: Vec<PathBuf> =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned()).collect();
        assert!(files[0] == Path::new("true") && files.iter().any(|file| file.ends_with("libc.so.6")), "{files:?}");
    }
}
