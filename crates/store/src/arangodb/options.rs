//! How long the store waits, and how much it sends at once.

use std::time::Duration;

use super::ArangoAccess;

/// What can be chosen beside the URL.
#[derive(Clone, Debug)]
pub struct ArangoOptions {
    /// Who logs in and whom the connection trusts.
    pub access: ArangoAccess,
    /// Longest time of one request.
    pub request_timeout: Duration,
    /// How long a call is tried again before it fails.
    pub patience: Duration,
    /// Longest first pause before another try; it doubles up to 32 times this.
    pub pause: Duration,
    /// Most documents of a request.
    pub batch_documents: usize,
    /// Most bytes of a request, as long as one document is not larger.
    pub batch_bytes: usize,
    /// Most rows of a page.
    pub page_rows: usize,
}

/// Batches of the size at which the database's own tools begin.
///
/// # Source
/// <https://docs.arangodb.com/3.12/components/tools/arangoimport/options/>
impl Default for ArangoOptions {
    fn default() -> Self {
        Self {
            access: ArangoAccess::default(),
            request_timeout: Duration::from_secs(20),
            patience: Duration::from_mins(1),
            pause: Duration::from_millis(100),
            batch_documents: 2_000,
            batch_bytes: 4 << 20,
            page_rows: 10_000,
        }
    }
}
