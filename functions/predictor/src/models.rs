//! The models of the registry, kept open between events and changed when another version comes into use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use streamforge_events::{ModelName, ModelVersion};
use streamforge_store::{ModelRegistry, ObjectStore};
use tokio::task::spawn_blocking;

use crate::{Error, Runtime, model::ReadyModel};

/// How many models stay open in a process.
const OPEN: usize = 8;

/// Models by name and version.
pub(crate) struct Models {
    registry: ModelRegistry,
    runtime: Runtime,
    /// The one used last comes first.
    open: Mutex<Vec<Arc<ReadyModel>>>,
}

impl Models {
    pub(crate) fn new(objects: Arc<dyn ObjectStore>, runtime: Runtime) -> Self {
        Self { registry: ModelRegistry::new(objects), runtime, open: Mutex::default() }
    }

    /// A version, without one the one in use; its files are read and checked unless they are those of an open one.
    ///
    /// # Errors
    /// Why it cannot be had or used.
    pub(crate) async fn get(&self, name: &ModelName, version: Option<&ModelVersion>) -> Result<Arc<ReadyModel>, Error> {
        let current = match version {
            Some(version) => Some(version.clone()),
            None => self.registry.latest(name).await?,
        };
        if let Some(current) = current
            && let Some(manifest) = self.registry.manifest(name, &current).await?
            && let Some(known) = self.take(|model| model.manifest == manifest)
        {
            return Ok(self.keep(known));
        }
        let model = self.registry.load(name, version).await?;
        let runtime = self.runtime.clone();
        let ready = spawn_blocking(move || ReadyModel::open(model, &runtime)).await??;
        Ok(self.keep(Arc::new(ready)))
    }

    fn take(&self, is_it: impl Fn(&ReadyModel) -> bool) -> Option<Arc<ReadyModel>> {
        let mut open = self.open();
        let place = open.iter().position(|model| is_it(model))?;
        Some(open.remove(place))
    }

    fn keep(&self, model: Arc<ReadyModel>) -> Arc<ReadyModel> {
        let mut open = self.open();
        open.retain(|other| other.manifest != model.manifest);
        open.insert(0, Arc::clone(&model));
        open.truncate(OPEN);
        model
    }

    fn open(&self) -> MutexGuard<'_, Vec<Arc<ReadyModel>>> {
        // A panic while holding the lock leaves a list of models all the same.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
