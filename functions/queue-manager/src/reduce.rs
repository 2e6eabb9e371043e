//! The workflow engine: a pure step from a document and an input to the next document and commands.
//!
//! A terminal document never changes. A batch counts once, whatever is redelivered, because progress is
//! a set of batch numbers. Only the attempt under way may finish or fail a task, but a batch that any
//! attempt brought into the store is in the store.

mod input;

use std::collections::BTreeSet;

use streamforge_events::{Millis, SeriesId, TimeRange};

use crate::{
    batch_set::BatchSet,
    document::{Command, Stage, Status, Task, TaskState, Work, Workflow},
};

pub use input::{Heard, Input, What};

/// How long a task may go without progress before it is sent again.
pub const PROGRESS_MILLIS: Millis = 120_000;

/// How often that time passes before a job that nobody began is sent again: it may wait for a machine, or for the jobs
/// before it, and its record is not lost as long as nobody claimed it.
const JOB_PATIENCE: Millis = 30;

/// The same for what listens: enough for a node and an image, and no hour without the market where the process that took
/// the record died before it said so.
const STREAM_PATIENCE: Millis = 5;

/// How often a task is sent before the workflow fails.
pub const MAX_ATTEMPTS: u32 = 5;

/// How many tasks of a stage are out at once; the rest wait, so that a stop leaves little behind.
pub const MAX_IN_FLIGHT: usize = 64;

/// How long an accepted workflow may stay unplanned, or a decision unpublished, before the clock reminds.
const REMINDER_MILLIS: Millis = 10_000;

/// Pause before a failed first attempt is repeated; it doubles with every attempt.
const RETRY_MILLIS: Millis = 2_000;

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// What is to be done.
    pub commands: Vec<Command>,
    /// Whether the document is another one than before. A document is as long as its workflow has tasks, and comparing
    /// it once for each report would cost the square of them.
    pub has_changed: bool,
}

/// Turns the document into the next one.
pub fn step(workflow: &mut Workflow, input: Input, now: Millis) -> Step {
    let mut commands = Vec::new();
    if workflow.status.is_terminal() {
        return Step::default();
    }
    let mut has_changed = false;
    let end = match input {
        Input::Stop => Some((Status::Stopped, None)),
        Input::Refused(reason) => Some((Status::Error, Some(reason))),
        Input::Planned(_) if workflow.is_planned() => None,
        Input::Planned(stages) => {
            workflow.stages = stages;
            workflow.started_at = Some(now);
            workflow.status = Status::Loading;
            has_changed = true;
            None
        }
        Input::Heard(heard) => match hear(workflow, heard, now, &mut commands) {
            Ok(is_news) => {
                has_changed = is_news;
                None
            }
            Err(message) => Some((Status::Error, Some(message))),
        },
        Input::Overdue => {
            has_changed = accept_clock(workflow, now);
            resend(workflow, now, &mut commands).map(|message| (Status::Error, Some(message)))
        }
    };
    match end {
        Some((status, message)) => finish(workflow, status, message, now, &mut commands),
        None if workflow.is_planned() => has_changed |= advance(workflow, now, &mut commands),
        None => {}
    }
    // Whatever is to be done was noted in the document too.
    has_changed |= !commands.is_empty();
    Step { commands, has_changed }
}

/// When the clock must look at the workflow again; never, when it ended and everything is published.
#[must_use]
pub fn next_deadline(workflow: &Workflow, now: Millis) -> Option<Millis> {
    let reminder = (!workflow.outbox.is_empty()).then(|| now.saturating_add(REMINDER_MILLIS));
    if workflow.status.is_terminal() {
        return reminder;
    }
    if !workflow.is_planned() {
        return Some(workflow.created_at.saturating_add(REMINDER_MILLIS));
    }
    let tasks = workflow.stages.iter().flat_map(|stage| stage.tasks.iter().filter_map(|task| deadline(stage, task)));
    tasks.chain(reminder).min()
}

/// Folds a report in and tells whether it changed anything.
///
/// # Errors
/// The reason when the workflow has failed with it.
fn hear(workflow: &mut Workflow, heard: Heard, now: Millis, commands: &mut Vec<Command>) -> Result<bool, String> {
    let found = workflow.stages.iter_mut().find_map(|stage| {
        let index = stage.tasks.iter().position(|task| task.id == heard.task)?;
        Some((stage, index))
    });
    let Some((stage, index)) = found else { return Ok(false) };
    let is_load = matches!(stage.work, Work::Load(_));
    let is_stream = stage.work == Work::Stream;
    let mut kept = None;
    let task = &mut stage.tasks[index];
    if !task.is_in_flight() {
        return Ok(false);
    }
    let before = (task.clone(), stage.heard_at);
    let is_current = heard.attempt.is_none_or(|attempt| attempt == task.attempt);
    let is_working = matches!(task.state, TaskState::Sent | TaskState::Started);
    let has_progress = match heard.what {
        What::Stored { batch, rows } => is_load && count(batch, rows, task, &mut workflow.records_written),
        What::Restated { batch, rows, restated } => {
            let is_new = is_load && count(batch, rows, task, &mut workflow.records_written);
            // Another attempt may find restated what the first has stored.
            (is_load && task.stored.contains(batch) && task.note_restated(batch, restated)) || is_new
        }
        _ if !is_current => false,
        What::Failed { batch: Some(batch), .. } if task.stored.contains(batch) => false,
        What::Failed { message, is_final: true, batch } if is_working || batch.is_some() => {
            return Err(format!("task `{}` failed: {message}", task.id));
        }
        // The delivery of a batch is repeated by the dispatcher; what it cannot deliver falls due.
        What::Failed { batch: Some(_), .. } => false,
        _ if !is_working => false,
        What::Finished { .. } if is_stream => {
            retry(task, Some("what comes in has no end".to_owned()), now);
            false
        }
        What::Finished { complete_until: None, .. } if is_load => {
            retry(task, Some("the loader does not say up to when it loaded".to_owned()), now);
            false
        }
        What::Finished { made, .. } if made.lacks(stage.makes).is_some() => {
            retry(task, made.lacks(stage.makes).map(str::to_owned), now);
            false
        }
        What::Finished { announced, complete_until, made } => {
            kept = (!is_load).then_some(made);
            task.state = if is_load { TaskState::Loaded } else { TaskState::Done };
            task.announced = announced;
            task.complete_until = complete_until;
            task.retry_at = None;
            true
        }
        // It has failed: what it said before may come late or again.
        _ if task.retry_at.is_some() => false,
        What::Started => {
            let is_first = task.state == TaskState::Sent;
            task.state = TaskState::Started;
            is_first
        }
        What::Progressed => {
            task.state = TaskState::Started;
            if is_stream {
                task.proven = task.attempt;
            }
            true
        }
        What::HandedOn if is_stream => {
            if task.tries() >= MAX_ATTEMPTS {
                return Err(exhausted(task));
            }
            send(task, now, commands);
            true
        }
        What::Interrupted | What::HandedOn => {
            retry(task, None, now);
            false
        }
        What::Failed { message, .. } => {
            retry(task, Some(message), now);
            false
        }
    };
    if has_progress {
        task.heard_at = now;
        stage.heard_at = now;
    }
    let has_changed = (&*task, stage.heard_at) != (&before.0, before.1);
    if let Some(made) = kept {
        workflow.keep(made);
    }
    Ok(has_changed)
}

/// Counts the rows of a batch, unless it was counted before.
fn count(batch: u32, rows: u64, task: &mut Task, total: &mut u64) -> bool {
    let is_new = task.stored.insert(batch);
    if is_new {
        task.records_written = task.records_written.saturating_add(rows);
        *total = total.saturating_add(rows);
    }
    is_new
}

fn retry(task: &mut Task, message: Option<String>, now: Millis) {
    let doublings = task.tries().saturating_sub(1).min(MAX_ATTEMPTS);
    task.retry_at.get_or_insert(now.saturating_add(RETRY_MILLIS << doublings));
    task.error_message = message.or(task.error_message.take());
}

/// Forgets times that lie ahead: the clock was set back, and a deadline counted from them would be as much too late.
/// Tells whether there were any.
fn accept_clock(workflow: &mut Workflow, now: Millis) -> bool {
    let latest_retry = now.saturating_add(RETRY_MILLIS << MAX_ATTEMPTS);
    let mut has_changed = false;
    let mut lower = |time: &mut Millis, latest: Millis| {
        has_changed |= *time > latest;
        *time = latest.min(*time);
    };
    for stage in &mut workflow.stages {
        lower(&mut stage.heard_at, now);
        for task in &mut stage.tasks {
            lower(&mut task.heard_at, now);
            task.retry_at.iter_mut().for_each(|retry_at| lower(retry_at, latest_retry));
        }
    }
    has_changed
}

/// Sends again what is overdue; the answer is the reason when a task has used up its attempts.
fn resend(workflow: &mut Workflow, now: Millis, commands: &mut Vec<Command>) -> Option<String> {
    for stage in &mut workflow.stages {
        for index in 0..stage.tasks.len() {
            let is_due = deadline(stage, &stage.tasks[index]).is_some_and(|deadline| deadline <= now);
            if !is_due {
                continue;
            }
            let task = &mut stage.tasks[index];
            if task.tries() >= MAX_ATTEMPTS {
                return Some(exhausted(task));
            }
            send(task, now, commands);
            stage.status = Status::Loading;
        }
    }
    None
}

fn exhausted(task: &Task) -> String {
    let reason = match (&task.error_message, task.state) {
        (Some(message), _) => message.clone(),
        (None, TaskState::Loaded) => "its batches were not all stored".to_owned(),
        (None, _) => "no progress was reported".to_owned(),
    };
    format!("task `{}` failed after {} attempts: {reason}", task.id, task.tries())
}

fn send(task: &mut Task, now: Millis, commands: &mut Vec<Command>) {
    task.state = TaskState::Sent;
    task.attempt += 1;
    task.heard_at = now;
    task.retry_at = None;
    task.announced = BatchSet::default();
    commands.push(Command::Start { task: task.id.clone(), attempt: task.attempt });
}

/// When a task falls due. One that nobody began may wait its turn as long as its stage makes progress.
fn deadline(stage: &Stage, task: &Task) -> Option<Millis> {
    if !task.is_in_flight() {
        return None;
    }
    let heard_at = match task.state {
        TaskState::Started => task.heard_at,
        // Others that listen never leave off making progress.
        _ if stage.work == Work::Stream => task.heard_at,
        _ => task.heard_at.max(stage.heard_at),
    };
    let patience = stage.progress_millis.unwrap_or(PROGRESS_MILLIS);
    let patience = match (&stage.work, task.state) {
        // It is quiet for as long as it lives.
        (Work::Live, TaskState::Started) => return task.retry_at,
        (Work::Job, TaskState::Sent) => patience.saturating_mul(JOB_PATIENCE),
        (Work::Stream, TaskState::Sent) => patience.saturating_mul(STREAM_PATIENCE),
        _ => patience,
    };
    Some(task.retry_at.unwrap_or_else(|| heard_at.saturating_add(patience)))
}

/// Moves tasks and stages on as far as they go; tells whether any did, apart from the commands.
fn advance(workflow: &mut Workflow, now: Millis, commands: &mut Vec<Command>) -> bool {
    let mut has_changed = close_stored_tasks(workflow, now, commands);
    while close_and_open_stages(workflow, now) {
        has_changed = true;
    }
    for stage in workflow.stages.iter_mut().filter(|stage| stage.status == Status::Loading) {
        let free = MAX_IN_FLIGHT.saturating_sub(stage.tasks.iter().filter(|task| task.is_in_flight()).count());
        for task in stage.tasks.iter_mut().filter(|task| task.state == TaskState::Waiting).take(free) {
            send(task, now, commands);
        }
    }
    if workflow.stages.iter().all(|stage| stage.status == Status::Finished) {
        finish(workflow, Status::Finished, None, now, commands);
    }
    has_changed
}

/// Closes the tasks whose batches are all stored; tells whether there were any.
fn close_stored_tasks(workflow: &mut Workflow, now: Millis, commands: &mut Vec<Command>) -> bool {
    let mut has_changed = false;
    for stage in &mut workflow.stages {
        let Work::Load(kind) = stage.work else {
            continue;
        };
        for task in &mut stage.tasks {
            if task.state != TaskState::Loaded || !task.announced.is_subset(&task.stored) {
                continue;
            }
            task.state = TaskState::Done;
            task.error_message = None;
            stage.heard_at = now;
            has_changed = true;
            let complete = task.complete_until.map(|until| until.min(task.range.to()));
            // A slice that holds nothing complete, such as one that ends inside the open bar, is loaded again next time.
            if let Some(range) = complete.and_then(|until| TimeRange::new(task.range.from(), until).ok()) {
                workflow.last_loaded_timestamp = workflow.last_loaded_timestamp.max(Some(range.to()));
                let series = SeriesId { symbol: task.symbol.clone(), kind };
                commands.push(Command::MarkLoaded { series, range });
            }
        }
    }
    has_changed
}

/// Closes the stages whose work is done, opens those that waited for them; tells whether any changed.
fn close_and_open_stages(workflow: &mut Workflow, now: Millis) -> bool {
    let next: Vec<Status> = workflow.stages.iter().map(|stage| next_status(stage, workflow)).collect();
    let mut has_changed = false;
    for (stage, status) in workflow.stages.iter_mut().zip(next) {
        if stage.status != status {
            stage.status = status;
            stage.heard_at = now;
            has_changed = true;
        }
    }
    has_changed
}

fn next_status(stage: &Stage, workflow: &Workflow) -> Status {
    let is_finished =
        |name: &String| workflow.stages.iter().any(|other| other.name == *name && other.status == Status::Finished);
    let (done, total) = stage.progress(workflow);
    match (stage.status, &stage.work) {
        (Status::Pending, _) if stage.after.iter().all(is_finished) => Status::Loading,
        (Status::Loading, Work::Store(source)) if done == total && is_finished(source) => Status::Finished,
        (Status::Loading, work) if !matches!(work, Work::Store(_)) && done == total => Status::Finished,
        (status, _) => status,
    }
}

fn finish(workflow: &mut Workflow, status: Status, message: Option<String>, now: Millis, commands: &mut Vec<Command>) {
    workflow.status = status;
    workflow.error_message = message.map(|text| text.chars().take(1000).collect());
    workflow.finished_at = Some(now);
    // No start may leave after the stop.
    commands.retain(|command| !matches!(command, Command::Start { .. }));
    workflow.outbox.retain(|command| !matches!(command, Command::Start { .. }));
    let mut targets = BTreeSet::new();
    for stage in workflow.stages.iter_mut().filter(|stage| stage.status == Status::Loading) {
        stage.status = status;
        // A connector stores whatever reaches it and has no tasks to leave off.
        if !matches!(stage.work, Work::Store(_)) {
            targets.insert(stage.function.clone());
        }
    }
    commands.extend(targets.into_iter().map(|target| Command::Stop { target }));
    commands.push(Command::Finish);
}

#[cfg(test)]
mod tests;
