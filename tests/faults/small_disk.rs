//! A data folder with little space: on a small file system of its own, or, where none may be mounted, with a limit on
//! the size of files.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::support::{Folder, Running, binary};

/// More than a calm run needs.
const SIZE: &str = "size=96m";

/// Largest file of a process whose disk is full.
const LARGEST: &str = "65536";

/// A folder whose space can be taken away and given back.
pub(crate) struct SmallDisk {
    folder: Folder,
    kind: Kind,
}

enum Kind {
    /// A process keeps a mount namespace with the file system alive; both are gone when it ends.
    Mounted { holder: Child, is_root: bool },
    /// Writes beyond a limit fail.
    Limited,
}

impl SmallDisk {
    pub(crate) fn new() -> Self {
        let folder = Folder::new();
        let mount = folder.path("disk");
        fs::create_dir(&mount).unwrap();
        let kind = [true, false].into_iter().find_map(|is_root| {
            let holder = hold(&mount, is_root)?;
            Some(Kind::Mounted { holder, is_root })
        });
        Self { folder, kind: kind.unwrap_or(Kind::Limited) }
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What makes the space small.
    pub(crate) fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Mounted { is_root: true, .. } => "a mounted file system",
            Kind::Mounted { is_root: false, .. } => "a file system in a user namespace",
            Kind::Limited => "a limit on the size of files",
        }
    }

    /// The data folder, as processes see it that were started by [`Self::start`].
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path("disk/data")
    }

    /// A file of the data folder, as this process sees it.
    pub(crate) fn seen_from_here(&self, name: &str) -> PathBuf {
        self.path(&self.data().join(name))
    }

    /// Words that a log line must have when the disk is full.
    pub(crate) fn words(&self) -> Vec<String> {
        let words = match self.kind {
            Kind::Mounted { .. } => ["disk full while writing", "free some space"],
            Kind::Limited => ["failed to use the", ".db"],
        };
        [words.map(str::to_owned).to_vec(), vec![self.data().display().to_string()]].concat()
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = match &self.kind {
            Kind::Mounted { holder, is_root } => {
                let mut command = Command::new("nsenter");
                command.args(["--mount", "--target", &holder.id().to_string()]);
                if !is_root {
                    command.args(["--user", "--preserve-credentials"]);
                }
                command
            }
            Kind::Limited => {
                let mut command = Command::new("sh");
                // Without the signal a write beyond the limit fails as one on a full disk does.
                command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
                command
            }
        };
        command.arg(binary::path());
        Running::spawn(command, arguments)
    }

    /// Takes all space away.
    pub(crate) fn fill(&self, run: &Running) {
        let Kind::Mounted { .. } = self.kind else {
            return limit(run, LARGEST);
        };
        let mut filler = File::create(self.filler()).unwrap();
        for size in [1 << 20, 1 << 12] {
            while filler.write(&vec![0; size]).is_ok() {}
        }
    }

    /// Gives the space back.
    pub(crate) fn free(&self, run: &Running) {
        match self.kind {
            Kind::Mounted { .. } => fs::remove_file(self.filler()).unwrap(),
            Kind::Limited => limit(run, "unlimited"),
        }
    }

    /// Copies the data folder to where commands look for it.
    pub(crate) fn bring_home(&self) {
        let source = self.path(&self.data());
        let target = self.folder.path("data");
        fs::create_dir(&target).unwrap();
        for entry in fs::read_dir(source).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, target.join(path.file_name().unwrap())).unwrap();
            }
        }
    }

    fn filler(&self) -> PathBuf {
        self.path(&self.folder.path("disk/filler"))
    }

    fn path(&self, path: &Path) -> PathBuf {
        match &self.kind {
            Kind::Mounted { holder, .. } => {
                let root = PathBuf::from(format!("/proc/{}/root", holder.id()));
                root.join(path.strip_prefix("/").expect("an absolute path"))
            }
            Kind::Limited => path.to_owned(),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Kind::Mounted { holder, .. } = &mut self.kind {
            holder.kill().unwrap();
            holder.wait().unwrap();
        }
    }
}

/// Mounts the file system where only a new process and those that enter its namespace see it; none if nobody may.
fn hold(mount: &Path, is_root: bool) -> Option<Child> {
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !is_root {
        command.args(["--user", "--map-root-user"]);
    }
    let script = format!("mount -t tmpfs -o {SIZE} none \"$0\" && echo mounted && exec cat");
    let mut holder = command
        .args(["sh", "-c", &script])
        .arg(mount)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut line = String::new();
    let said = holder.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
    if matches!(said, Some(Ok(_))) && line == "mounted\n" {
        return Some(holder);
    }
    holder.kill().ok();
    holder.wait().ok();
    None
}

/// Limits the size of the files that a platform and its workers write.
fn limit(run: &Running, size: &str) {
    let workers = run.workers().into_iter().map(|worker| worker.pid);
    for pid in std::iter::once(run.pid()).chain(workers) {
        let limit = format!("--fsize={size}:unlimited");
        // A worker that has just gone has no limit to set.
        Command::new("prlimit").args(["--pid", &pid.to_string(), &limit]).stderr(Stdio::null()).status().unwrap();
    }
}
