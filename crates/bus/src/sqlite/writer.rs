//! The one thread of a process that writes: everything that waits goes into one transaction with one fsync.

use std::{
    io,
    path::Path,
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::{failure::Failure, ledger::Ledger, topics, watch::Appends};
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

    /// Runs the work in a transaction and answers once that is as durable as asked for.
    ///
    /// Work that is refused, or finds damage, must not have written; the others in its transaction are kept. `bytes` is what it will
    /// write.
    pub(super) async fn run<T, W>(&self, durability: Durability, bytes: usize, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(&mut Batch<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Request { durability, bytes, work: Some(work), outcome: Err(Error::Closed), reply });
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

/// What a transaction has to survive before its work is answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// The end of the process. A power failure takes it back unless a transaction on the disk came later.
    Process,
    /// A power failure.
    Disk,
}

/// The transaction that a piece of work belongs to.
pub(super) struct Batch<'a> {
    connection: &'a Connection,
    path: &'a Path,
    ledger: Ledger,
}

impl Batch<'_> {
    /// Returns what an append needs.
    pub(super) fn appending(&mut self) -> (&Connection, &mut Ledger) {
        (self.connection, &mut self.ledger)
    }

    /// Returns the connection once the tables say all that was appended so far.
    pub(super) fn tables(&mut self) -> Result<&Connection, Failure> {
        self.ledger.write_back(self.connection)?;
        Ok(self.connection)
    }
}

/// A request of any result type, as the thread sees it.
trait Job: Send {
    fn durability(&self) -> Durability;
    fn bytes(&self) -> usize;
    /// Does the work and keeps its outcome, a refusal too; fails if the whole transaction has to.
    fn run(&mut self, batch: &mut Batch<'_>) -> Result<(), Failure>;
    /// Answers the caller: with the outcome of the work, or with what befell the transaction.
    fn answer(self: Box<Self>, transaction: Result<(), Error>);
}

struct Request<T, W> {
    durability: Durability,
    bytes: usize,
    work: Option<W>,
    outcome: Result<T, Error>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, W> Job for Request<T, W>
where
    T: Send,
    W: FnOnce(&mut Batch<'_>) -> Result<T, Failure> + Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        self.outcome = match work(batch) {
            Ok(value) => Ok(value),
            Err(failure @ Failure::Database(_)) => return Err(failure),
            // The others in the transaction need not suffer.
            Err(failure) => Err(failure.into_error(batch.path)),
        };
        Ok(())
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
    let mut durability = Durability::Disk;
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
        let outcome = match write(&mut connection, path, &mut jobs, &mut durability) {
            Ok(appended) => {
                if let Some(count) = appended {
                    appends.announce(count);
                }
                Ok(())
            }
            Err(failure) => Err(failure.into_error(path)),
        };
        for job in jobs {
            job.answer(outcome.clone());
        }
    }
}

/// Writes all jobs in one transaction and answers the number of records ever appended, if the transaction raised it.
fn write(
    connection: &mut Connection,
    path: &Path,
    jobs: &mut [Box<dyn Job>],
    durability: &mut Durability,
) -> Result<Option<u64>, Failure> {
    let needed = jobs.iter().map(|job| job.durability()).max().unwrap_or(Durability::Disk);
    if needed != *durability {
        // In WAL mode only FULL has the log on the disk when a commit returns:
        // https://sqlite.org/pragma.html#pragma_synchronous
        let synchronous = if needed == Durability::Disk { "full" } else { "normal" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        *durability = needed;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut batch = Batch { connection: &transaction, path, ledger: Ledger::default() };
    for job in jobs {
        job.run(&mut batch)?;
    }
    batch.tables()?;
    let has_appended = batch.ledger.appended() > 0;
    let count = if has_appended { Some(topics::records_appended(&transaction)?) } else { None };
    transaction.commit()?;
    Ok(count)
}
