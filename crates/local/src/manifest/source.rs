//! Finds the manifests' documents, in a folder or in memory, and sorts them by kind.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    Manifests, ObjectName, eventing,
    node::{FieldError, Node},
    scaling, workload,
};
use crate::{Error, bounded_text};

/// The folders that are read, below the manifests' root.
pub const FOLDERS: [&str; 3] = ["knative", "triggers", "scaledobjects"];

/// No object of a cluster is larger, and a file holds a few of them.
///
/// # Source
/// <https://etcd.io/docs/latest/dev-guide/limit/>: 1.5 MiB a request.
const LARGEST_FILE: u64 = 1 << 20;

/// What is wrong with one manifest, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, below the manifests' root.
    pub file: String,
    /// Kind, namespace and name, as far as known.
    pub object: Option<String>,
    /// The field and what is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.file)?;
        if let Some(object) = &self.object {
            write!(formatter, "{object}: ")?;
        }
        formatter.write_str(&self.message)
    }
}

impl Manifests {
    /// Reads all YAML files below the three [`FOLDERS`] of `root`; a missing folder is empty.
    ///
    /// # Errors
    /// [`Error::ReadManifest`] if a file cannot be read; [`Error::Manifests`] with everything that is wrong in them.
    pub fn read(root: &Path) -> Result<Self, Error> {
        let mut files = Vec::new();
        for folder in FOLDERS {
            collect(&root.join(folder), &mut files)
                .map_err(|source| Error::ReadManifest { path: root.join(folder), source })?;
        }
        files.sort();
        let mut texts = Vec::new();
        for path in files {
            let text = bounded_text::read_file(&path, LARGEST_FILE)
                .map_err(|source| Error::ReadManifest { path: path.clone(), source })?;
            let name = path.strip_prefix(root).unwrap_or(&path);
            texts.push((name.display().to_string(), text));
        }
        Self::parse(texts.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// Reads manifests that are in memory as pairs of path and text.
    ///
    /// # Errors
    /// [`Error::Manifests`] with everything that is wrong in them.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let mut manifests = Self::default();
        let mut problems = Vec::new();
        for (file, text) in files {
            if !is_manifest(Path::new(file)) {
                continue;
            }
            match serde_saphyr::from_multiple::<Value>(text) {
                Ok(documents) => {
                    for document in documents {
                        if let Err(problem) = manifests.add(file, &document) {
                            problems.push(problem);
                        }
                    }
                }
                Err(error) => {
                    problems.push(Problem { file: file.to_owned(), object: None, message: error.to_string() });
                }
            }
        }
        if problems.is_empty() {
            return Ok(manifests);
        }
        Err(Error::Manifests(problems))
    }

    fn add(&mut self, file: &str, document: &Value) -> Result<(), Problem> {
        if document.is_null() {
            return Ok(());
        }
        let root = Node::root(document);
        let identity = identify(&root).map_err(|error| problem(file, None, &error))?;
        let Some((kind, name)) = identity else {
            return Ok(());
        };
        let object = format!("{kind} {name}");
        self.add_object(kind, name, &root).map_err(|error| problem(file, Some(object), &error))
    }

    fn add_object(&mut self, kind: &'static str, name: ObjectName, root: &Node) -> Result<(), FieldError> {
        match kind {
            "Broker" => insert(&mut self.brokers, eventing::broker(name, root)?, |b| &b.name),
            "Trigger" => insert(&mut self.triggers, eventing::trigger(name, root)?, |t| &t.name),
            "KafkaSink" => insert(&mut self.sinks, eventing::sink(name, root)?, |s| &s.name),
            "KafkaTopic" => insert(&mut self.topics, workload::topic(name, root)?, |t| &t.name),
            "Service" => insert(&mut self.services, workload::service(name, root)?, |s| &s.name),
            "Deployment" | "Rollout" => {
                let workload = workload::workload(kind, name, root)?;
                insert(&mut self.workloads, workload, |w| &w.name)
            }
            "ScaledObject" => {
                let scaled = scaling::scaled_object(name, root)?;
                insert(&mut self.scaled_objects, scaled, |s| &s.name)
            }
            _ => insert(&mut self.scaled_jobs, scaling::scaled_job(name, root)?, |s| &s.name),
        }
    }
}

/// Two objects of one kind and name would overwrite each other on a cluster.
fn insert<T>(list: &mut Vec<T>, item: T, name: fn(&T) -> &ObjectName) -> Result<(), FieldError> {
    if list.iter().any(|known| name(known) == name(&item)) {
        return Err(FieldError { path: "metadata.name".to_owned(), message: "is defined twice".to_owned() });
    }
    list.push(item);
    Ok(())
}

/// Kind and name of a document, or nothing if the local platform does not act on its kind.
///
/// The API group decides too, because Knative Serving has a Service of its own.
fn identify(root: &Node) -> Result<Option<(&'static str, ObjectName)>, FieldError> {
    let api_version = root.field("apiVersion")?.required_text()?;
    let kind = root.field("kind")?.required_text()?;
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let known = match (group, kind.as_str()) {
        ("eventing.knative.dev", "Broker") => "Broker",
        ("eventing.knative.dev", "Trigger") => "Trigger",
        ("eventing.knative.dev", "KafkaSink") => "KafkaSink",
        ("kafka.strimzi.io", "KafkaTopic") => "KafkaTopic",
        ("", "Service") => "Service",
        ("apps", "Deployment") => "Deployment",
        ("argoproj.io", "Rollout") => "Rollout",
        ("keda.sh", "ScaledObject") => "ScaledObject",
        ("keda.sh", "ScaledJob") => "ScaledJob",
        _ => return Ok(None),
    };
    let metadata = root.field("metadata")?;
    let namespace = metadata.field("namespace")?;
    let namespace = if namespace.is_present() { namespace.object_name()? } else { "default".to_owned() };
    Ok(Some((known, ObjectName::new(namespace, metadata.field("name")?.object_name()?))))
}

fn problem(file: &str, object: Option<String>, error: &FieldError) -> Problem {
    let message = match error.path.as_str() {
        "" => format!("the document {}", error.message),
        path => format!("{path}: {}", error.message),
    };
    Problem { file: file.to_owned(), object, message }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if is_manifest(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_manifest(path: &Path) -> bool {
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let is_kustomization = path.file_stem().is_some_and(|stem| stem == "kustomization");
    is_yaml && !is_kustomization
}
