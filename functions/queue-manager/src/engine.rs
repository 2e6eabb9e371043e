//! The engine at work: load the document, step, compare-and-set it with its outbox, then empty the outbox.
//!
//! Whoever dies in between leaves the outbox behind; the next delivery or the clock publishes it again, under the same ids.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::try_join_all;
use serde::Deserialize as _;
use serde_json::Value;
use streamforge_events::{FieldError, Millis, QueueId, WorkflowRequest, digest};
use streamforge_function::{PublishError, Publisher};
use streamforge_store::{CreateOutcome, Remembered, Revision, Store, StoredWorkflow, SwapOutcome, WorkflowDocument};

use crate::{
    document::{Command, Status, Work, Workflow},
    folding::Folding,
    outbox::{decide_all, settle},
    outgoing, plan,
    reduce::{Heard, Input, next_deadline},
    underway::Underway,
};

/// Answers the present instant in UTC milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// How often a lost race for a document is run again before the caller is sent away.
const RACES: usize = 100;

/// The store, the broker and the clock that workflows live on; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    store: Arc<dyn Store>,
    publisher: Publisher,
    clock: Clock,
    reports: Folding,
    underway: Underway,
    progress_millis: Option<Millis>,
}

/// A request to start a workflow, and what caused it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Source of the event.
    pub source: String,
    /// Id of the event.
    pub id: String,
    /// What is asked for.
    pub body: Value,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

/// Why the engine could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request can never be done.
    #[error("request field `{}` is refused ({}): {}", .0.field, .0.code, .0.message)]
    Refused(FieldError),
    /// The cause started another workflow before.
    #[error("idempotency_conflict: `{0}` came before with another request")]
    IdempotencyConflict(String),
    /// Too many others changed the document at the same time.
    #[error("workflow `{0}` is being changed by others")]
    Contended(QueueId),
    /// What is stored is not a workflow.
    #[error("document of workflow `{id}` could not be read")]
    Document {
        /// The workflow.
        id: QueueId,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// An event could not be built.
    #[error("event of workflow `{id}` could not be built")]
    Event {
        /// The workflow.
        id: QueueId,
        /// Why.
        #[source]
        source: streamforge_events::Error,
    },
    /// The store failed.
    #[error("store failed")]
    Store(#[from] streamforge_store::Error),
    /// The broker did not take an event.
    #[error("decision could not be published")]
    Publish(#[from] PublishError),
}

impl Engine {
    /// An engine over this store that publishes through this publisher.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, publisher: Publisher, clock: Clock) -> Self {
        Self {
            store,
            publisher,
            clock,
            reports: Folding::default(),
            underway: Underway::default(),
            progress_millis: None,
        }
    }

    /// The same engine with another patience for tasks that it plans.
    #[must_use]
    pub fn with_progress_deadline(self, patience: Duration) -> Self {
        Self { progress_millis: Some(Millis::try_from(patience.as_millis()).unwrap_or(Millis::MAX)), ..self }
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Millis {
        (self.clock)()
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(crate) fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// Reads a workflow.
    ///
    /// # Errors
    /// [`Error::Store`] or [`Error::Document`].
    pub async fn load(&self, id: &QueueId) -> Result<Option<Workflow>, Error> {
        let stored = self.store.get(id).await?;
        stored.map(|stored| read(&stored.document)).transpose()
    }

    /// Writes a request down as a pending workflow; the same cause with the same body is the same workflow.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::IdempotencyConflict`], or a failure of the store.
    pub async fn accept(&self, request: &Request) -> Result<QueueId, Error> {
        let parsed = WorkflowRequest::parse(&request.body).map_err(Error::Refused)?;
        let cause = format!("{} {}", request.source, request.id);
        let workflow = plan::pending(&parsed, request, self.now());
        // A repeated cause is answered as it was the first time, whatever the clock says meanwhile.
        if self.store.get(&workflow.id).await?.is_none() {
            plan::check(&parsed, self.now()).map_err(Error::Refused)?;
        }
        let body = digest(&[&request.body.to_string()]);
        if self.store.remember(&cause, &body, &workflow.id).await? == Remembered::Other {
            return Err(Error::IdempotencyConflict(cause));
        }
        match self.store.create(&self.document(&workflow)?).await? {
            CreateOutcome::Exists(stored) if read(&stored.document)?.request != request.body => {
                Err(Error::IdempotencyConflict(cause))
            }
            CreateOutcome::Created(_) | CreateOutcome::Exists(_) => Ok(workflow.id),
        }
    }

    /// Does what is due: plans a pending workflow, sends overdue tasks again, publishes what is left over.
    ///
    /// # Errors
    /// A failure of the store or of the broker; the call may be repeated.
    pub async fn attend(&self, id: &QueueId) -> Result<Option<Workflow>, Error> {
        let Some(workflow) = self.load(id).await? else {
            return Ok(None);
        };
        let input = if workflow.status == Status::Pending { self.plan(&workflow).await? } else { Input::Overdue };
        self.apply(id, input).await
    }

    /// Gives a workflow what was heard of one of its tasks, together with what else is heard meanwhile; answers
    /// whether there is such a workflow.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub async fn hear(&self, id: &QueueId, heard: Heard) -> Result<bool, Error> {
        let (engine, workflow) = (self.clone(), id.clone());
        let write = move |inputs: Vec<Input>| {
            let (engine, workflow) = (engine.clone(), workflow.clone());
            async move { Ok(engine.apply_all(&workflow, &inputs).await?.is_some()) }
        };
        self.reports.add(id, Input::Heard(heard), write).await
    }

    /// Gives an input to a workflow and does what follows from it; none if there is no such workflow.
    ///
    /// # Errors
    /// [`Error::Contended`], or a failure of the store or of the broker; the call may be repeated.
    pub async fn apply(&self, id: &QueueId, input: Input) -> Result<Option<Workflow>, Error> {
        self.apply_all(id, &[input]).await
    }

    async fn apply_all(&self, id: &QueueId, inputs: &[Input]) -> Result<Option<Workflow>, Error> {
        let Some(mut stored) = self.store.get(id).await? else {
            return Ok(None);
        };
        for _ in 0..RACES {
            let decision = decide_all(read(&stored.document)?, inputs, self.now());
            let revision = if decision.is_news {
                match self.store.compare_and_set(&self.document(&decision.workflow)?, &stored.revision).await? {
                    SwapOutcome::Won(revision) => revision,
                    SwapOutcome::Missing => return Ok(None),
                    SwapOutcome::Lost(current) => {
                        stored = current;
                        continue;
                    }
                }
            } else {
                stored.revision
            };
            return self.publish(decision.workflow, &decision.due, revision).await.map(Some);
        }
        Err(Error::Contended(id.clone()))
    }

    async fn plan(&self, workflow: &Workflow) -> Result<Input, Error> {
        let request = match WorkflowRequest::parse(&workflow.request) {
            Ok(request) => request,
            Err(error) => return Ok(Input::Refused(Error::Refused(error).to_string())),
        };
        let mut loaded = BTreeMap::new();
        for series in plan::series(&request) {
            let ranges = self.store.loaded(&series).await?;
            loaded.insert(series, ranges);
        }
        Ok(match plan::plan(&request, &loaded, self.now()) {
            Ok(mut stages) => {
                for stage in &mut stages {
                    stage.progress_millis = self.progress_millis;
                }
                Input::Planned(stages)
            }
            Err(error) => Input::Refused(Error::Refused(error).to_string()),
        })
    }

    /// Does the commands that are due and in nobody else's hands, then takes them out of the document's outbox.
    async fn publish(
        &self,
        mut workflow: Workflow,
        due: &[Command],
        mut revision: Revision,
    ) -> Result<Workflow, Error> {
        let claim = self.underway.claim(&workflow.id, due);
        let due = claim.commands();
        if due.is_empty() {
            return Ok(workflow);
        }
        let mut events = Vec::new();
        let mut marks = Vec::new();
        let time = self.time_of(&workflow, due).await?;
        for command in due {
            if let Command::MarkLoaded { series, range } = command {
                marks.push(self.store.mark_loaded(series, *range));
            }
            let event = outgoing::event(&workflow, command, time);
            events.extend(event.map_err(|source| Error::Event { id: workflow.id.clone(), source })?);
        }
        // All together, so that they share what the disk takes for one.
        try_join_all(marks).await?;
        // A stop takes back the starts that are due, so there is no order to keep.
        self.publisher.publish_unordered(events).await?;
        for _ in 0..RACES {
            settle(&mut workflow, due);
            match self.store.compare_and_set(&self.document(&workflow)?, &revision).await? {
                SwapOutcome::Won(_) | SwapOutcome::Missing => return Ok(workflow),
                SwapOutcome::Lost(StoredWorkflow { document, revision: current }) => {
                    workflow = read(&document)?;
                    revision = current;
                }
            }
        }
        Err(Error::Contended(workflow.id))
    }

    /// The time that commands carry: later than every graph in the store, because it becomes the version of the next
    /// one, and a clock that was set back would let the old graph win.
    async fn time_of(&self, workflow: &Workflow, commands: &[Command]) -> Result<Millis, Error> {
        let now = self.now();
        let mut computing = workflow.stages.iter().filter(|stage| stage.work == Work::Compute);
        let starts =
            |id: &String| commands.iter().any(|command| matches!(command, Command::Start { task, .. } if task == id));
        if !computing.any(|stage| stage.tasks.iter().any(|task| starts(&task.id))) {
            return Ok(now);
        }
        let newest = self.store.graphs().await?.first().map(|graph| graph.version);
        let after = newest.and_then(|version| Millis::try_from(version).ok()).map(|version| version.saturating_add(1));
        Ok(after.map_or(now, |after| after.max(now)))
    }

    fn document(&self, workflow: &Workflow) -> Result<WorkflowDocument, Error> {
        let json =
            serde_json::to_value(workflow).map_err(|source| Error::Document { id: workflow.id.clone(), source })?;
        Ok(WorkflowDocument {
            id: workflow.id.clone(),
            status: workflow.status.as_str().to_owned(),
            created_at: workflow.created_at,
            next_deadline: next_deadline(workflow, self.now()),
            json,
        })
    }
}

/// Reads the workflow of a stored document.
///
/// # Errors
/// [`Error::Document`] if it was written by something else.
pub(crate) fn read(document: &WorkflowDocument) -> Result<Workflow, Error> {
    Workflow::deserialize(&document.json).map_err(|source| Error::Document { id: document.id.clone(), source })
}
