//! The one thread of a process that writes: everything that waits goes into one transaction with one fsync.

use std::{
    io,
    path::Path,
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::{
    failure::{Failure, database_error},
    topics,
    watch::Appends,
};
use crate::Error;

/// How many jobs may wait; publishers beyond wait for room.
const QUEUE_CAPACITY: usize = 1024;
/// What one transaction takes at most, so that its publishers do not wait for an ever growing one.
const MAX_TRANSACTION_BYTES: usize = 16 * 1024 * 1024;

/// Hands work to the writer thread.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, path: &Path, appends: Appends) -> Result<Self, io::Error> {
        let (jobs, waiting) = mpsc::channel(QUEUE_CAPACITY);
        let path = path.to_owned();
        let thread = thread::Builder::new()
            .name("bus-writer".to_owned())
            .spawn(move || write_until_closed(connection, &path, waiting, &appends))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs the work in a transaction and answers once that is on the disk.
    ///
    /// Work that is refused leaves no trace; the others in its transaction are kept. `bytes` is what it will write.
    pub(super) async fn run<T, W>(&self, bytes: usize, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Request { bytes, work: Some(work), outcome: Err(Error::Closed), reply });
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
            tracing::error!("the writer of the event log panicked");
        }
    }
}

/// A request of any result type, as the thread sees it.
trait Job: Send {
    fn bytes(&self) -> usize;
    /// Does the work and keeps its outcome; a refusal is told apart so that its traces can be rolled back.
    fn run(&mut self, connection: &Connection) -> Result<Verdict, rusqlite::Error>;
    /// Answers the caller: with the outcome of the work, or with what befell the transaction.
    fn answer(self: Box<Self>, transaction: Result<(), Error>);
}

#[derive(PartialEq, Eq)]
enum Verdict {
    Keep,
    RollBack,
}

struct Request<T, W> {
    bytes: usize,
    work: Option<W>,
    outcome: Result<T, Error>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, W> Job for Request<T, W>
where
    T: Send,
    W: FnOnce(&Connection) -> Result<T, Failure> + Send,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, connection: &Connection) -> Result<Verdict, rusqlite::Error> {
        let Some(work) = self.work.take() else {
            return Ok(Verdict::RollBack);
        };
        match work(connection) {
            Ok(value) => {
                self.outcome = Ok(value);
                Ok(Verdict::Keep)
            }
            Err(Failure::Refused(error)) => {
                self.outcome = Err(error);
                Ok(Verdict::RollBack)
            }
            Err(Failure::Database(error)) => Err(error),
        }
    }

    fn answer(self: Box<Self>, transaction: Result<(), Error>) {
        let outcome = transaction.and(self.outcome);
        // A caller that no longer listens has given up on the answer, not on the write.
        drop(self.reply.send(outcome));
    }
}

fn write_until_closed(
    mut connection: Connection,
    path: &Path,
    mut waiting: mpsc::Receiver<Box<dyn Job>>,
    appends: &Appends,
) {
    while let Some(first) = waiting.blocking_recv() {
        let mut bytes = first.bytes();
        let mut jobs = vec![first];
        while bytes < MAX_TRANSACTION_BYTES
            && jobs.len() < QUEUE_CAPACITY
            && let Ok(job) = waiting.try_recv()
        {
            bytes += job.bytes();
            jobs.push(job);
        }
        let outcome = match write(&mut connection, &mut jobs) {
            Ok(appended) => {
                if let Some(count) = appended {
                    appends.announce(count);
                }
                Ok(())
            }
            Err(error) => Err(database_error(error, path)),
        };
        for job in jobs {
            job.answer(outcome.clone());
        }
    }
}

/// Writes all jobs in one transaction and answers the number of records ever appended, if the transaction raised it.
fn write(connection: &mut Connection, jobs: &mut [Box<dyn Job>]) -> Result<Option<u64>, rusqlite::Error> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before = topics::records_appended(&transaction)?;
    for job in jobs {
        let savepoint = transaction.savepoint()?;
        if job.run(&savepoint)? == Verdict::Keep {
            savepoint.commit()?;
        }
    }
    let after = topics::records_appended(&transaction)?;
    transaction.commit()?;
    Ok((after > before).then_some(after))
}
