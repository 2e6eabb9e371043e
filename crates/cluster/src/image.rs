//! Images of one program: it, the libraries that it is linked with and the authorities that it trusts, in one layer.
//!
//! The same files make the same image, with or without a builder of images: what is staged is what is packed.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Component, Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    archive::{self, Node},
    containerfile::{Containerfile, ROOT},
};

/// Whom a program runs as: nobody that a machine knows.
const USER: &str = "65532:65532";
/// Authorities that every program trusts, as Debian's package of certificates has them.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Folders that a loader of libraries looks into by itself.
const SYSTEM: [&str; 3] = ["/lib", "/lib64", "/usr/lib"];

/// An image that holds one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    name: String,
    program: PathBuf,
    settings: Containerfile,
    /// Libraries that the program opens by itself: path in the image, path here.
    opened: BTreeMap<PathBuf, PathBuf>,
}

impl Image {
    /// An image of any program, without making it.
    #[must_use]
    pub fn of_program(name: &str, program: &Path) -> Self {
        let file = program.file_name().unwrap_or_default().to_string_lossy();
        let settings = Containerfile {
            entrypoint: vec![format!("/{file}")],
            user: USER.to_owned(),
            folder: "/".to_owned(),
            variables: vec![("PATH".to_owned(), "/".to_owned())],
            labels: BTreeMap::new(),
        };
        Self::new(name, program, settings)
    }

    /// An image of a program as a Containerfile describes it, without making it.
    #[must_use]
    pub fn new(name: &str, program: &Path, settings: Containerfile) -> Self {
        Self { name: name.to_owned(), program: program.to_owned(), settings, opened: BTreeMap::new() }
    }

    /// Adds a library that the program opens by itself, at a path of the image.
    #[must_use]
    pub fn library(mut self, inside: &Path, here: &Path) -> Self {
        self.opened.insert(inside.to_owned(), here.to_owned());
        self
    }

    /// What it is called, such as `streamforge/dummy-service:0.1.0`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is said of it beside its files.
    #[must_use]
    pub fn settings(&self) -> &Containerfile {
        &self.settings
    }

    /// Puts its files below `root` in a folder, the context of its Containerfile.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn stage(&self, folder: &Path) -> Result<()> {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
        }
        let root = folder.join(ROOT);
        fs::create_dir_all(&root).with_context(|| format!("make {}", root.display()))?;
        for (path, node) in self.nodes()? {
            let path = root.join(path);
            match &node {
                Node::Folder => fs::create_dir(&path),
                Node::File(here, _) => fs::copy(here, &path).map(drop),
            }
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(node.mode())))
            .with_context(|| format!("stage {}", path.display()))?;
        }
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).context("stage the root")
    }

    /// Writes it as an archive that container runtimes import.
    ///
    /// # Errors
    /// If the program, or a library of it, cannot be read.
    pub fn write(&self, file: &Path) -> Result<()> {
        archive::write_for_runtime(file, &self.name, &self.settings, &self.nodes()?)
    }

    /// Writes it as an OCI archive, which tools copy to registries; answers its compressed size.
    ///
    /// # Units
    /// Bytes.
    ///
    /// # Errors
    /// If the program, or a library of it, cannot be read.
    pub fn write_oci(&self, file: &Path) -> Result<u64> {
        archive::write_oci(file, &self.name, &self.settings, &self.nodes()?)
    }

    /// What is careless about it: a program beside its own, such as a shell; a user who is root; a missing label.
    ///
    /// # Errors
    /// If the program, or a library of it, cannot be read.
    pub fn problems(&self) -> Result<Vec<String>> {
        let nodes = self.nodes()?;
        let mut problems = Vec::new();
        let entrypoint = self.settings.entrypoint.first().map(String::as_str).unwrap_or_default();
        let program = Path::new(entrypoint.strip_prefix('/').unwrap_or_default());
        if !matches!(nodes.get(program), Some(Node::File(_, mode)) if mode & 0o111 != 0) {
            problems.push(format!("its entrypoint `{entrypoint}` is no program in it"));
        }
        let others = nodes.iter().filter(|(path, node)| matches!(node, Node::File(..)) && path.as_path() != program);
        for (path, _) in others {
            if !is_library(path) && Path::new("/").join(path) != Path::new(AUTHORITIES) {
                problems.push(format!("{} is neither its program nor a library", path.display()));
            }
        }
        let mut ids = self.settings.user.split(':');
        if !(ids.by_ref().take(2).all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)) && ids.next().is_none()) {
            problems.push(format!("its user `{}` is not the number of a user other than root", self.settings.user));
        }
        for label in ["title", "version", "source", "licenses"] {
            let name = format!("org.opencontainers.image.{label}");
            if self.settings.labels.get(&name).is_none_or(String::is_empty) {
                problems.push(format!("it has no label {name}"));
            }
        }
        Ok(problems)
    }

    /// Folders and files by path, from the root.
    fn nodes(&self) -> Result<BTreeMap<PathBuf, Node>> {
        let name = self.program.file_name().context("a program has a name")?;
        let mut files: BTreeMap<PathBuf, Node> =
            [(Path::new("/").join(name), Node::File(self.program.clone(), 0o755))].into();
        let mut linked = BTreeMap::new();
        for file in std::iter::once(&self.program).chain(self.opened.values()) {
            linked.extend(libraries(file)?);
        }
        let all = linked.into_iter().chain(self.opened.clone());
        files.extend(all.map(|(inside, here)| (inside, Node::File(here, 0o755))));
        files.insert(PathBuf::from(AUTHORITIES), Node::File(PathBuf::from(AUTHORITIES), 0o644));
        let mut nodes = BTreeMap::new();
        for (path, node) in files {
            let path = path.strip_prefix("/").with_context(|| format!("{} is not absolute", path.display()))?;
            for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
                nodes.insert(folder.to_owned(), Node::Folder);
            }
            nodes.insert(path.to_owned(), node);
        }
        Ok(nodes)
    }
}

/// The libraries that a program is linked with, and the loader that finds them: path in the image, path here.
///
/// What lies in a folder that only this machine has goes beside the C library, where every loader looks.
fn libraries(program: &Path) -> Result<BTreeMap<PathBuf, PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("start ldd")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = text.lines().find(|line| line.contains("not found")) {
        bail!("{} needs a library that is not there: {}", program.display(), line.trim());
    }
    let path =
        |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(|path| direct(Path::new(path)));
    let found: Vec<PathBuf> = text.lines().filter_map(path).collect();
    let c_library = found.iter().find(|path| path.file_name().is_some_and(|name| name == "libc.so.6"));
    let common = c_library.and_then(|path| path.parent()).unwrap_or(Path::new("/lib")).to_owned();
    let inside = |path: &PathBuf| match path.file_name() {
        Some(name) if !SYSTEM.iter().any(|folder| path.starts_with(folder)) => common.join(name),
        _ => path.clone(),
    };
    Ok(found.iter().map(|path| (inside(path), path.clone())).collect())
}

/// Whether a file's name is that of a library, such as `libc.so.6`.
fn is_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_versioned = |(_, version): (&str, &str)| version.split('.').all(|part| part.parse::<u32>().is_ok());
    name.ends_with(".so") || name.split_once(".so.").is_some_and(is_versioned)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Image {
        Image::of_program("localhost/cat:1", Path::new("/bin/cat"))
    }

    #[test]
    fn a_program_comes_with_its_libraries_and_authorities() {
        let nodes = image().nodes().unwrap();
        let names: Vec<&Path> = nodes.keys().map(PathBuf::as_path).collect();
        assert!(nodes[Path::new("cat")].mode() == 0o755 && names.iter().any(|path| path.ends_with("libc.so.6")));
        assert_eq!(nodes[Path::new("etc/ssl/certs/ca-certificates.crt")].mode(), 0o644);
        assert!(matches!(nodes[Path::new("etc/ssl")], Node::Folder), "{names:?}");
    }

    #[test]
    fn a_library_of_this_machine_alone_lies_where_every_loader_looks() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("libz.so");
        fs::copy("/bin/true", &library).unwrap();
        let nodes = image().library(Path::new("/lib/libz.so"), &library).nodes().unwrap();
        assert!(matches!(&nodes[Path::new("lib/libz.so")], Node::File(here, 0o755) if *here == library));
        let is_foreign = |path: &&PathBuf| Path::new("/").join(path).starts_with(folder.path());
        assert_eq!(nodes.keys().find(is_foreign), None);
    }

    #[test]
    fn what_is_staged_is_what_is_packed() {
        let folder = tempfile::tempdir().unwrap();
        let staged = folder.path().join("staged");
        fs::create_dir(&staged).unwrap();
        fs::write(staged.join("of-before"), "").unwrap();
        image().stage(&staged).unwrap();
        let mut found = BTreeMap::new();
        let mut folders = vec![staged.join(ROOT)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
                found.insert(entry.path().strip_prefix(staged.join(ROOT)).unwrap().to_owned(), mode);
                folders.extend(entry.path().is_dir().then(|| entry.path()));
            }
        }
        let packed: BTreeMap<PathBuf, u32> =
            image().nodes().unwrap().into_iter().map(|(path, node)| (path, node.mode())).collect();
        assert_eq!(found, packed);
        assert!(!staged.join("of-before").exists());
    }

    #[test]
    fn a_careless_image_is_found() {
        let label = |name: &str| (format!("org.opencontainers.image.{name}"), "1".to_owned());
        let mut sound = image();
        sound.settings.labels = ["title", "version", "source", "licenses"].map(label).into();
        assert_eq!(sound.problems().unwrap(), [""; 0]);
        let with_shell = sound.clone().library(Path::new("/bin/sh"), Path::new("/bin/sh"));
        let mut as_root = sound.clone();
        as_root.settings.user = "0:0".to_owned();
        let mut as_named = sound.clone();
        as_named.settings.user = "nobody".to_owned();
        let mut in_root_group = sound.clone();
        in_root_group.settings.user = "65532:0".to_owned();
        let mut elsewhere = sound.clone();
        elsewhere.settings.entrypoint = vec!["/false".to_owned()];
        let mut nameless = sound.clone();
        nameless.settings.labels.remove("org.opencontainers.image.source");
        for (image, words) in [
            (with_shell, "bin/sh"),
            (as_root, "`0:0`"),
            (as_named, "`nobody`"),
            (in_root_group, "`65532:0`"),
            (elsewhere, "`/false`"),
            (nameless, "image.source"),
        ] {
            let problems = image.problems().unwrap();
            assert!(problems.iter().any(|problem| problem.contains(words)), "{words}: {problems:?}");
        }
    }

    #[test]
    fn libraries_are_known_by_their_names() {
        for (name, is) in [
            ("libc.so.6", true),
            ("ld-linux-x86-64.so.2", true),
            ("libc10.so", true),
            ("sh", false),
            ("libz.so.x", false),
        ] {
            assert_eq!(is_library(Path::new(name)), is, "{name}");
        }
    }
}
