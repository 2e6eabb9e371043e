//! A Git repository on this machine, with what is in the working tree.

use std::{fs, path::PathBuf, process::Command};

use crate::{support::Folder, world::root};

/// A bare repository, and a clone of it to push from.
pub(crate) struct Repository {
    folder: Folder,
}

impl Repository {
    /// A repository of the working tree's files; nothing is pushed yet.
    pub(crate) fn of_working_tree() -> Self {
        let repository = Self { folder: Folder::new() };
        for name in ["bare", "clone"] {
            fs::create_dir(repository.folder.path(name)).unwrap();
        }
        git(&repository.folder.path("bare"), &["init", "--quiet", "--bare", "--initial-branch=main"]);
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.git(&["remote", "add", "origin", &repository.url()]);
        let listed = git(&root(), &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        // A file that was deleted is listed until that is committed.
        for name in listed.split('\0').filter(|name| root().join(name).is_file()) {
            let copy = repository.path(name);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(root().join(name), copy).unwrap();
        }
        repository
    }

    /// Where it is cloned from.
    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.folder.path("bare").display())
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    /// Puts another text in the place of one that has to be there.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "{file} does not contain `{from}`");
        self.write(file, &text.replace(from, to));
    }

    /// Commits and pushes whatever has changed; answers the commit.
    pub(crate) fn push(&self) -> String {
        self.git(&["add", "--all"]);
        let author = ["-c", "user.name=e2e", "-c", "user.email=e2e@localhost"];
        self.git(&[&author[..], &["commit", "--quiet", "--message", "Change the manifests"]].concat());
        self.git(&["push", "--quiet", "origin", "main"]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Makes the files as they were before the last commit.
    pub(crate) fn revert(&self) {
        self.git(&["checkout", "--quiet", "HEAD~1", "--", "."]);
        let added = self.git(&["diff", "--name-only", "--diff-filter=A", "HEAD~1", "HEAD"]);
        for file in added.lines() {
            fs::remove_file(self.path(file)).unwrap();
        }
    }

    /// Runs a program in it, which has to succeed.
    pub(crate) fn run(&self, arguments: &[&str]) {
        let output = Command::new(arguments[0]).args(&arguments[1..]).current_dir(self.path("")).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Where a file of it lies.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path("clone").join(file)
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(&self.folder.path("clone"), arguments)
    }
}

fn git(folder: &std::path::Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
