//! The images of this workspace: one for each Containerfile, made of the program that is built beside it.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{Image, containerfile::Containerfile};

/// Folders with a Containerfile of their own beside those of functions, and the programs that they build.
const OTHERS: [(&str, &str); 2] = [("crates/data-plane", "streamforge-data-plane"), ("trainer", "gnn-trainer")];

/// How the name of a variable ends whose value is the path of a library that a program opens by itself.
const LIBRARY: &str = "_DYLIB_PATH";

/// An image that this workspace publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The program in it.
    pub program: String,
    /// Its Containerfile.
    pub file: PathBuf,
    /// Whether the program is a function, whose image has to be small.
    pub is_function: bool,
}

impl Published {
    /// All of them, by program.
    ///
    /// # Errors
    /// If the folder of functions cannot be listed, or a program has no Containerfile.
    pub fn all(root: &Path) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        let functions = root.join("functions");
        for entry in fs::read_dir(&functions).with_context(|| format!("list {}", functions.display()))? {
            let folder = entry?.path();
            if folder.join("Cargo.toml").is_file() {
                let program = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                all.push(Self { program, file: folder.join("Containerfile"), is_function: true });
            }
        }
        let others = OTHERS.map(|(folder, program)| (root.join(folder).join("Containerfile"), program.to_owned()));
        all.extend(others.into_iter().map(|(file, program)| Self { program, file, is_function: false }));
        all.sort_by(|one, other| one.program.cmp(&other.program));
        for published in &all {
            fs::metadata(&published.file).with_context(|| format!("find {}", published.file.display()))?;
        }
        Ok(all)
    }

    /// What it is called, as manifests name it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("streamforge/{}:{}", self.program, env!("CARGO_PKG_VERSION"))
    }

    /// The image of the program in a folder of built programs, of a revision of the sources.
    ///
    /// # Errors
    /// If the Containerfile says what it may not, or names a library that this machine does not have.
    pub fn image(&self, programs: &Path, revision: &str) -> Result<Image> {
        let of_machine = |variable: &str| env::var_os(variable).map(PathBuf::from);
        self.image_with(programs, revision, of_machine)
    }

    /// The same, where `library` knows the path of the library that a variable names.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn image_with(
        &self,
        programs: &Path,
        revision: &str,
        library: impl Fn(&str) -> Option<PathBuf>,
    ) -> Result<Image> {
        let text = fs::read_to_string(&self.file).with_context(|| format!("read {}", self.file.display()))?;
        let settings = Containerfile::parse(&text, &arguments(revision))
            .with_context(|| format!("read {}", self.file.display()))?;
        let mut image = Image::new(&self.name(), &programs.join(&self.program), settings.clone());
        for (variable, inside) in settings.variables.iter().filter(|(name, _)| name.ends_with(LIBRARY)) {
            let here = library(variable).with_context(|| format!("{variable} names no library"))?;
            image = image.library(Path::new(inside), &here);
        }
        Ok(image)
    }
}

/// What is given to a Containerfile as arguments when its image is built.
#[must_use]
pub fn arguments(revision: &str) -> BTreeMap<&'static str, String> {
    [("VERSION", env!("CARGO_PKG_VERSION").to_owned()), ("REVISION", revision.to_owned())].into()
}

/// The commit that is checked out, with `-dirty` where files differ from it; `unknown` without Git.
#[must_use]
pub fn revision(root: &Path) -> String {
    let described = Command::new("git")
        .args(["describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"])
        .current_dir(root)
        .output();
    let text = described.ok().filter(|output| output.status.success());
    let text = text.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    /// Any program and any library do where nothing is said about bytes.
    fn image(published: &Published) -> Image {
        published.image_with(Path::new("/programs"), "abc", |_| Some(PathBuf::from("/bin/true"))).unwrap()
    }

    #[test]
    fn images_say_what_they_are_of_this_workspace() {
        let all = Published::all(&root()).unwrap();
        assert!(all.len() >= 10 && all.iter().any(|image| !image.is_function), "{all:?}");
        for published in all {
            let image = image(&published);
            let settings = image.settings();
            let program = published.program;
            assert_eq!(image.name(), format!("streamforge/{program}:{}", env!("CARGO_PKG_VERSION")));
            assert_eq!(settings.entrypoint, [format!("/{program}")]);
            assert_eq!((settings.user.as_str(), settings.folder.as_str()), ("65532:65532", "/"), "{program}");
            let expected = [
                ("title", program.as_str()),
                ("version", env!("CARGO_PKG_VERSION")),
                ("revision", "abc"),
                ("source", env!("CARGO_PKG_REPOSITORY")),
                ("licenses", env!("CARGO_PKG_LICENSE")),
            ];
            let expected =
                expected.map(|(name, value)| (format!("org.opencontainers.image.{name}"), value.to_owned())).into();
            assert_eq!(settings.labels, expected, "{program}");
        }
    }

    #[test]
    fn a_library_that_a_variable_names_is_needed_and_taken_along() {
        let all = Published::all(&root()).unwrap();
        let predictor = all.iter().find(|published| published.program == "predictor").unwrap();
        let error = predictor.image_with(Path::new("/programs"), "abc", |_| None).unwrap_err();
        assert!(error.to_string().contains("ORT_DYLIB_PATH"), "{error}");
        let with = image(predictor);
        let settings = with.settings().clone();
        assert_ne!(with, Image::new(with.name(), Path::new("/programs/predictor"), settings));
    }
}
