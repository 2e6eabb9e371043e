//! What a new function adds to the repository and changes in it.

use std::path::Path;

use streamforge_events::EventType;

use crate::{
    Error,
    lists::{has_word, with_copied_lines, with_line_below},
    manifests::{self, Manifest},
    name::Name,
    repository::{self, Files},
};

/// The function whose manifests those of new ones are made of.
pub const MODEL: &str = "dummy-service";
/// The model as its crate and its type are called in code.
const MODEL_CRATE: &str = "dummy_service";
const MODEL_TYPE: &str = "Dummy";

const FUNCTIONS: &str = "crates/local/src/functions.rs";
const ROUTING: &str = "tests/manifests/routing.rs";
const DOCUMENTS: &str = "tests/workspace/documents.rs";
const LOCK: &str = "Cargo.lock";
/// Where members of the workspace are listed.
const MEMBERS: [&str; 3] = ["Cargo.toml", "crates/local/Cargo.toml", "tests/Cargo.toml"];
const CONTAINERFILE: &str = "functions/dummy-service/Containerfile";

/// What a crate of a function is made of: path in it, text.
struct Template {
    name: &'static str,
    type_name: &'static str,
    files: [(&'static str, &'static str); 4],
}

/// Does a task of a workflow.
const COMMAND: Template = Template {
    name: "sample-function",
    type_name: "SampleFunction",
    files: [
        ("Cargo.toml", include_str!("../template/command/Cargo.toml")),
        ("src/lib.rs", include_str!("../template/command/src/lib.rs")),
        ("src/main.rs", include_str!("../template/command/src/main.rs")),
        ("tests/function.rs", include_str!("../template/command/tests/function.rs")),
    ],
};

/// Hears of events of a type.
const LISTENER: Template = Template {
    name: "sample-listener",
    type_name: "SampleListener",
    files: [
        ("Cargo.toml", include_str!("../template/listener/Cargo.toml")),
        ("src/lib.rs", include_str!("../template/listener/src/lib.rs")),
        ("src/main.rs", include_str!("../template/listener/src/main.rs")),
        ("tests/function.rs", include_str!("../template/listener/tests/function.rs")),
    ],
};

/// A function that is not there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFunction {
    name: Name,
    accepts: EventType,
}

impl NewFunction {
    /// A function of a name, which accepts events of a type, or the commands that are meant for it.
    ///
    /// # Errors
    /// [`Error::Name`] or [`Error::EventType`].
    pub fn new(name: &str, accepts: Option<&str>) -> Result<Self, Error> {
        let name = Name::parse(name)?;
        let Some(text) = accepts else { return Ok(Self { name, accepts: EventType::ControlStart }) };
        let refusal = |reason: String| Error::EventType { kind: text.chars().take(100).collect(), reason };
        let known = EventType::ALL.map(EventType::as_str).join(", ");
        let kind = EventType::parse(text).map_err(|_| refusal(format!("the types are {known}")))?;
        match kind {
            EventType::ControlStop | EventType::ControlPing => {
                Err(refusal("the host of each function answers it".to_owned()))
            }
            accepts => Ok(Self { name, accepts }),
        }
    }

    /// Reads what it is made of and listed in.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Taken`] if there is a folder of its name.
    pub fn read(&self, root: &Path) -> Result<Files, Error> {
        let folder = format!("functions/{}", self.name.as_str());
        if root.join(&folder).exists() {
            return Err(self.taken(format!("{folder} is there")));
        }
        repository::read(root, &[&MEMBERS[..], &[LOCK, FUNCTIONS, ROUTING, DOCUMENTS, CONTAINERFILE]].concat())
    }

    /// The texts of all files that are new or change.
    ///
    /// # Errors
    /// [`Error::Taken`] if something has the name already, [`Error::Unexpected`] if the repository does not look as it
    /// did when this was written.
    pub fn files(&self, repository: &Files) -> Result<Files, Error> {
        self.check_free(repository)?;
        let mut files = self.crate_files(repository)?;
        files.extend(self.manifests(repository)?);
        if let Some(path) = files.keys().find(|path| repository.contains_key(*path)) {
            return Err(self.taken(format!("{path} is there")));
        }
        files.extend(self.lists(repository)?);
        Ok(files)
    }

    fn crate_files(&self, repository: &Files) -> Result<Files, Error> {
        let template = self.template();
        let renamed = |text: &str| {
            text.replace(template.name, self.name.as_str())
                .replace(&template.name.replace('-', "_"), &self.name.crate_name())
                .replace(template.type_name, &self.name.type_name())
                .replace("EventType::KlinesLoaded", &format!("EventType::{:?}", self.accepts))
        };
        let path = |file: &str| format!("functions/{}/{file}", self.name.as_str());
        let mut files: Files = template.files.iter().map(|(file, text)| (path(file), renamed(text))).collect();
        let image = Manifest { file: CONTAINERFILE, text: text(repository, CONTAINERFILE)? };
        files.insert(path("Containerfile"), image.renamed(&self.name, &[])?);
        Ok(files)
    }

    /// Its own manifests.
    fn manifests(&self, repository: &Files) -> Result<Files, Error> {
        let name = self.name.as_str();
        let does = format!("# {name} answers `{}`.", self.accepts);
        let scales = format!("# As many workers as the lag of {name}'s inbox asks for.");
        let routes = manifests::routes(self.accepts);
        let routes: Vec<_> = routes.iter().map(|(from, times, to)| (*from, *times, to.as_str())).collect();
        let changes = [
            ("knative", vec![("# Diagnostics.", 1, does.as_str())]),
            ("triggers", routes),
            ("scaledobjects", vec![("# Scales like a real function, to try scaling out.", 1, scales.as_str())]),
        ];
        let mut files = Files::new();
        for (folder, changes) in changes {
            let file = format!("{folder}/{MODEL}.yaml");
            let model = Manifest { file: &file, text: text(repository, &file)? };
            files.insert(format!("{folder}/{name}.yaml"), model.renamed(&self.name, &changes)?);
        }
        Ok(files)
    }

    /// Wherever functions are listed.
    fn lists(&self, repository: &Files) -> Result<Files, Error> {
        let name = self.name.as_str();
        let inbox = format!("Inbox of {name}. Key: {}.", manifests::key(self.accepts));
        let mut files = Files::new();
        for (file, comment) in [("knative/topics.yaml", inbox.as_str()), ("knative/brokers.yaml", "")] {
            let listed = Manifest { file, text: text(repository, file)? }.with_document(&self.name, comment)?;
            files.insert(file.to_owned(), listed);
        }
        let unexpected = |file: &str, what: &str| Error::Unexpected { file: file.to_owned(), what: what.to_owned() };
        for (file, text) in repository.iter().filter(|(path, _)| path.ends_with("/kustomization.yaml")) {
            files.extend(with_copied_lines(text, MODEL, name).map(|listed| (file.clone(), listed)));
        }
        for file in MEMBERS {
            let listed = with_copied_lines(text(repository, file)?, MODEL, name);
            files.insert(file.to_owned(), listed.ok_or_else(|| unexpected(file, &format!("a line for {MODEL}")))?);
        }
        let type_name = self.name.type_name();
        let imported = format!("use {}::{type_name};", self.name.crate_name());
        let entries = [
            (FUNCTIONS, "    entry::<Dummy>(|| main(Dummy::from_config)),"),
            (ROUTING, "        entry(&Dummy::from_config(&config).await.expect(built)),"),
            (DOCUMENTS, "        Dummy::SETTINGS,"),
        ];
        for (file, entry) in entries {
            let listed = with_line_below(text(repository, file)?, entry, &entry.replace(MODEL_TYPE, &type_name));
            let listed = listed.ok_or_else(|| unexpected(file, &format!("the line `{}`", entry.trim())))?;
            files.insert(file.to_owned(), with_import(&listed, &imported).ok_or_else(|| unexpected(file, "imports"))?);
        }
        Ok(files)
    }

    /// Refuses a name that something else has.
    fn check_free(&self, repository: &Files) -> Result<(), Error> {
        let name = self.name.as_str();
        let lock = text(repository, LOCK)?;
        let mut crates = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        if let Some(known) = crates.find(|known| known.replace('_', "-") == name) {
            return Err(self.taken(format!("{known} is a crate that the workspace uses")));
        }
        let route = format!("route-{name}");
        for (path, text) in
            repository.iter().filter(|(path, _)| Path::new(path).extension().is_some_and(|found| found == "yaml"))
        {
            if let Some(known) = [name, &route].into_iter().find(|known| manifests::names_object(text, known)) {
                return Err(self.taken(format!("{path} has an object named {known}")));
            }
        }
        let type_name = self.name.type_name();
        let own = self.template().files.map(|(_, text)| ("its own code", text));
        let files = [FUNCTIONS, ROUTING, DOCUMENTS].map(|file| (file, repository.get(file).map_or("", String::as_str)));
        let is_used = |(_, text): &&(&str, &str)| has_word(text, &type_name);
        match own.iter().chain(&files).find(is_used) {
            Some((place, _)) => {
                Err(self.taken(format!("its type would be {type_name}, which means something in {place}")))
            }
            None => Ok(()),
        }
    }

    fn template(&self) -> &'static Template {
        if self.accepts == EventType::ControlStart { &COMMAND } else { &LISTENER }
    }

    fn taken(&self, what: String) -> Error {
        Error::Taken { name: self.name.as_str().to_owned(), what }
    }
}

/// The same with an import where the order of the imports puts it.
fn with_import(text: &str, import: &str) -> Option<String> {
    let model = text.lines().find(|line| line.starts_with(&format!("use {MODEL_CRATE}::")))?;
    with_copied_lines(text, model, import)
}

fn text<'a>(repository: &'a Files, file: &str) -> Result<&'a str, Error> {
    let found = repository.get(file).map(String::as_str);
    found.ok_or_else(|| Error::Unexpected { file: file.to_owned(), what: "the file".to_owned() })
}
