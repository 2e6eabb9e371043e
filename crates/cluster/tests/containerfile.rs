//! A builder of images makes of each Containerfile what our own builder makes of it: the same files, the same settings.
//!
//! It needs buildah and root; where either is missing the test says so and passes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use streamforge_cluster::{Image, Published, arguments};

/// Whatever program and library do: that they are the right ones is not the question here.
const PROGRAM: &str = "/bin/true";

#[test]
fn a_builder_of_images_makes_the_same_of_each_containerfile() {
    let folder = tempfile::tempdir().unwrap();
    let buildah = Buildah::new(folder.path());
    // What it cannot do without: a place for images, which only root has.
    if let Err(reason) = buildah.run(&["images"]) {
        eprintln!("skipped: {reason}");
        return;
    }
    let programs = folder.path().join("programs");
    fs::create_dir(&programs).unwrap();
    for published in Published::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap() {
        fs::copy(PROGRAM, programs.join(&published.program)).unwrap();
        let image = published.image_with(&programs, "abc", |_| Some(PathBuf::from(PROGRAM))).unwrap();
        let (ours, theirs) = (ours(folder.path(), &image), buildah.build(&published, &image));
        assert_eq!(ours, theirs, "{}", published.program);
    }
}

/// Kind, mode, user, group and the checksum of the content by path.
type Files = BTreeMap<PathBuf, (u8, u32, u64, u64, String)>;

/// What a container sees, and what it is started with.
#[derive(Debug, PartialEq)]
struct Seen {
    files: Files,
    settings: Value,
}

fn ours(folder: &Path, image: &Image) -> Seen {
    let archive = folder.join("ours.tar");
    image.write(&archive).unwrap();
    let mut seen = Seen { files: Files::new(), settings: Value::Null };
    for entry in tar::Archive::new(fs::File::open(archive).unwrap()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        match name.as_str() {
            "manifest.json" => {}
            "layer.tar" => seen.files = files(&mut entry),
            _ => seen.settings = settings(&serde_json::from_reader(&mut entry).unwrap()),
        }
    }
    seen
}

fn settings(config: &Value) -> Value {
    let of = |name: &str| config["config"][name].clone();
    json!({
        "architecture": config["architecture"], "os": config["os"], "entrypoint": of("Entrypoint"), "user": of("User"),
        "folder": of("WorkingDir"), "variables": of("Env"), "labels": of("Labels"), "command": of("Cmd"),
    })
}

fn files(archive: impl Read) -> Files {
    let mut files = Files::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path: PathBuf = entry.path().unwrap().components().filter(|part| part.as_os_str() != ".").collect();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let content = format!("{:x}", Sha256::digest(bytes));
        let header = entry.header();
        let (kind, mode) = (header.entry_type().as_byte(), header.mode().unwrap() & 0o7777);
        files.insert(path, (kind, mode, header.uid().unwrap(), header.gid().unwrap(), content));
    }
    // The root itself, which not every archive names.
    files.remove(Path::new(""));
    files
}

/// A builder of images that keeps all that it has in one folder.
struct Buildah<'a> {
    folder: &'a Path,
}

impl<'a> Buildah<'a> {
    fn new(folder: &'a Path) -> Self {
        fs::write(folder.join("policy.json"), r#"{"default": [{"type": "insecureAcceptAnything"}]}"#).unwrap();
        Self { folder }
    }

    fn build(&self, published: &Published, image: &Image) -> Seen {
        let context = self.folder.join("context");
        image.stage(&context).unwrap();
        let file = published.file.display().to_string();
        let context = context.display().to_string();
        let arguments: Vec<String> =
            arguments("abc").iter().map(|(name, value)| format!("--build-arg={name}={value}")).collect();
        let mut build = vec!["build", "--isolation=chroot", "--identity-label=false", "--timestamp=0", "--tag=theirs"];
        build.extend(arguments.iter().map(String::as_str));
        build.extend(["--file", &file, &context]);
        self.run(&build).unwrap();
        let described = self.run(&["inspect", "--type=image", "theirs"]).unwrap();
        let described: Value = serde_json::from_str(&described).unwrap();
        let container = self.run(&["from", "theirs"]).unwrap();
        let mounted = self.run(&["mount", container.trim()]).unwrap();
        let tree = self.folder.join("tree.tar");
        let mut pack = Command::new("tar");
        let packed = pack.arg("--create").arg("--file").arg(&tree).args(["--directory", mounted.trim(), "."]).status();
        assert!(packed.unwrap().success());
        for end in [["rm", container.trim()], ["rmi", "theirs"]] {
            self.run(&end).unwrap();
        }
        Seen { files: files(fs::File::open(tree).unwrap()), settings: settings(&described["OCIv1"]) }
    }

    /// What it prints, or why it cannot.
    fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("buildah");
        let at = |name: &str| self.folder.join(name);
        command.args(["--storage-driver=vfs", "--root"]).arg(at("storage")).arg("--runroot").arg(at("run"));
        let (name, rest) = arguments.split_first().unwrap();
        command.arg(name);
        if *name == "build" || *name == "from" {
            command.arg("--signature-policy").arg(at("policy.json"));
        }
        let output = command.args(rest).output().map_err(|error| format!("buildah cannot be started: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
