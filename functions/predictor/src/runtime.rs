//! ONNX Runtime: a library that is loaded when the first model needs it, once in a process.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ort::{
    environment::Environment,
    session::{Session, builder::GraphOptimizationLevel},
};

use crate::Error;

/// A process has one environment, whichever function asks for it first.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// Where the library lies; nothing is read until a model is opened.
#[derive(Clone, Debug)]
pub struct Runtime {
    library: Option<PathBuf>,
}

impl Runtime {
    /// The runtime at this path, or at the one that was known when this program was built.
    #[must_use]
    pub fn new(library: Option<&str>) -> Self {
        Self { library: library.or(option_env!("ORT_DYLIB_PATH")).map(PathBuf::from) }
    }

    /// Opens a model in one thread: models are small, and a function shares its processors with others.
    pub(crate) fn open(&self, model: &[u8]) -> Result<Session, Error> {
        let environment = self.environment()?;
        session(&environment, model)
            .map_err(|error| Error::Network(format!("ONNX Runtime refused the network: {error}")))
    }

    fn environment(&self) -> Result<Environment, Error> {
        // Nothing is half done where a panic came between.
        let mut loaded = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(environment) = &*loaded {
            return Ok(environment.clone());
        }
        let library = self.library.as_deref().ok_or_else(|| missing("no path of it is known"))?;
        let environment = load(library)?;
        *loaded = Some(environment.clone());
        Ok(environment)
    }
}

fn load(library: &Path) -> Result<Environment, Error> {
    if !library.is_file() {
        return Err(missing(&format!("there is no file `{}`", library.display())));
    }
    let builder = ort::init_from(library).map_err(|error| missing(&error.to_string()))?;
    builder.build().map_err(|error| missing(&error.to_string()))
}

fn missing(reason: &str) -> Error {
    Error::Library(format!(
        "ONNX Runtime could not be loaded: {reason}; set ORT_DYLIB_PATH to the path of libonnxruntime.so, version 1.24 \
         or later"
    ))
}

fn session(environment: &Environment, model: &[u8]) -> ort::Result<Session> {
    let builder = Session::builder(environment)?;
    let builder = builder.with_optimization_level(GraphOptimizationLevel::Level3)?;
    builder.with_intra_threads(1)?.with_inter_threads(1)?.commit_from_memory(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_there_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("libonnxruntime.so");
        std::fs::write(&other, "no library").unwrap();
        for (path, word) in [(Path::new("/no/such/file.so"), "there is no file `/no/such/file.so`"), (&other, "failed")]
        {
            let error = load(path).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("set ORT_DYLIB_PATH"), "{error}");
        }
    }
}
