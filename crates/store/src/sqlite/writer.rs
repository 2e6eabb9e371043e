//! The one thread of a process that writes: all batches that wait go into one transaction with one fsync.

use std::{
    io,
    path::Path,
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::{
    failure::{Failure, database_error},
    turn::Turn,
};
use crate::Error;

/// How many jobs may wait; callers beyond wait for room.
const QUEUE_CAPACITY: usize = 256;
/// What one transaction takes at most, so that its callers do not wait for an ever growing one.
const MAX_TRANSACTION_ROWS: usize = 20_000;

/// Hands work to the writer thread.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, turn: Turn, path: &Path) -> Result<Self, io::Error> {
        let (jobs, waiting) = mpsc::channel(QUEUE_CAPACITY);
        let path = path.to_owned();
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write_until_closed(connection, &turn, &path, waiting))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs the work in a transaction and answers once that is on the disk.
    ///
    /// Work that is refused leaves no trace; the others in its transaction are kept. `rows` is what it will write.
    pub(super) async fn run<T, W>(&self, rows: usize, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Request { rows, work: Some(work), outcome: Err(Failure::Refused(Error::Closed)), reply });
        let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
        jobs.send(job).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}

impl Drop for Writer {
    /// Waits until all that was handed over is written.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the store panicked");
        }
    }
}

/// A request of any result type, as the thread sees it.
trait Job: Send {
    fn rows(&self) -> usize;
    /// Does the work and keeps its outcome; answers whether its traces shall stay.
    fn run(&mut self, connection: &Connection) -> Result<bool, rusqlite::Error>;
    /// Answers the caller: with the outcome of the work, or with what befell the transaction.
    fn answer(self: Box<Self>, transaction: Result<(), Error>, path: &Path);
}

struct Request<T, W> {
    rows: usize,
    work: Option<W>,
    outcome: Result<T, Failure>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, W> Job for Request<T, W>
where
    T: Send,
    W: FnOnce(&Connection) -> Result<T, Failure> + Send,
{
    fn rows(&self) -> usize {
        self.rows
    }

    fn run(&mut self, connection: &Connection) -> Result<bool, rusqlite::Error> {
        let Some(work) = self.work.take() else { return Ok(false) };
        match work(connection) {
            Err(Failure::Database(error)) => Err(error),
            outcome => {
                self.outcome = outcome;
                Ok(self.outcome.is_ok())
            }
        }
    }

    fn answer(self: Box<Self>, transaction: Result<(), Error>, path: &Path) {
        let Self { outcome, reply, .. } = *self;
        let outcome = transaction.and_then(|()| outcome.map_err(|failure| failure.into_error(path)));
        // A caller that no longer listens has given up on the answer, not on the write.
        drop(reply.send(outcome));
    }
}

fn write_until_closed(mut connection: Connection, turn: &Turn, path: &Path, mut waiting: mpsc::Receiver<Box<dyn Job>>) {
    while let Some(first) = waiting.blocking_recv() {
        let taken = turn.take();
        if let Err(error) = &taken {
            // SQLite's own lock still keeps writers apart, only less fairly.
            tracing::warn!(%error, "the turn to write could not be taken");
        }
        let mut rows = first.rows();
        let mut jobs = vec![first];
        while rows < MAX_TRANSACTION_ROWS
            && let Ok(job) = waiting.try_recv()
        {
            rows += job.rows();
            jobs.push(job);
        }
        let transaction = write(&mut connection, &mut jobs).map_err(|error| database_error(error, path));
        drop(taken);
        for job in jobs {
            job.answer(transaction.clone(), path);
        }
    }
}

fn write(connection: &mut Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), rusqlite::Error> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in jobs {
        let savepoint = transaction.savepoint()?;
        if job.run(&savepoint)? {
            savepoint.commit()?;
        }
    }
    transaction.commit()
}
