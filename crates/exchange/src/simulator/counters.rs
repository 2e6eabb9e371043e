//! What the simulator was asked, for those who test a client against it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Running totals since the server started.
#[derive(Debug, Default)]
pub struct Counters {
    requests: AtomicU64,
    weight: AtomicU64,
    heaviest_minute: AtomicU64,
    too_many: AtomicU64,
    banned: AtomicU64,
    impatient: AtomicU64,
    faults: AtomicU64,
    connections: AtomicU64,
    compressed: AtomicU64,
    frames: AtomicU64,
}

impl Counters {
    /// Requests of every kind, refused ones too.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Weight charged in the minute of the last request.
    pub fn weight(&self) -> u64 {
        self.weight.load(Relaxed)
    }

    /// Weight charged in the heaviest minute of all.
    pub fn heaviest_minute(&self) -> u64 {
        self.heaviest_minute.load(Relaxed)
    }

    /// Answers with HTTP 429.
    pub fn too_many(&self) -> u64 {
        self.too_many.load(Relaxed)
    }

    /// Answers with HTTP 418.
    pub fn banned(&self) -> u64 {
        self.banned.load(Relaxed)
    }

    /// Requests that came before the `Retry-After` of an earlier answer was over.
    pub fn impatient(&self) -> u64 {
        self.impatient.load(Relaxed)
    }

    /// Connections for streams, refused ones too.
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    /// Frames that streams have sent.
    pub fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    pub(super) fn count_connection(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    /// Those of them whose frames are compressed.
    #[must_use]
    pub fn compressed(&self) -> u64 {
        self.compressed.load(Relaxed)
    }

    pub(super) fn count_compressed(&self) {
        self.compressed.fetch_add(1, Relaxed);
    }

    pub(super) fn count_frame(&self) {
        self.frames.fetch_add(1, Relaxed);
    }

    /// Failures that were imitated.
    pub fn faults(&self) -> u64 {
        self.faults.load(Relaxed)
    }

    pub(super) fn count_request(&self, weight: u32) {
        self.requests.fetch_add(1, Relaxed);
        self.weight.store(u64::from(weight), Relaxed);
        self.heaviest_minute.fetch_max(u64::from(weight), Relaxed);
    }

    pub(super) fn count_too_many(&self) {
        self.too_many.fetch_add(1, Relaxed);
    }

    pub(super) fn count_banned(&self) {
        self.banned.fetch_add(1, Relaxed);
    }

    pub(super) fn count_impatient(&self) {
        self.impatient.fetch_add(1, Relaxed);
    }

    pub(super) fn count_fault(&self) {
        self.faults.fetch_add(1, Relaxed);
    }
}
