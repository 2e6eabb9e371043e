//! How what Kafka or librdkafka says becomes an [`Error`] that names the cluster and what was attempted.

use std::sync::{Mutex, PoisonError};

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};

use crate::Error;

/// The last reason for which a cluster could not be talked to: a call that waits for it says only that it took too long.
#[derive(Debug, Default)]
pub(super) struct Trouble(Mutex<Option<(RDKafkaErrorCode, String)>>);

impl Trouble {
    /// Keeps what a client says of its connections. A refusal is not overwritten by its consequences.
    pub(super) fn note(&self, code: RDKafkaErrorCode, reason: &str) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_refusal = last.as_ref().is_some_and(|(last, _)| is_refusal(*last));
        if is_refusal(code) || !has_refusal && code != RDKafkaErrorCode::AllBrokersDown {
            *last = Some((code, reason.to_owned()));
        }
    }

    /// Forgets it, because a call went well.
    pub(super) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether the cluster has refused us, which waiting does not change.
    pub(super) fn is_refusal(&self) -> bool {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().is_some_and(|(code, _)| is_refusal(*code))
    }

    fn last(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Names the cluster and the action in what was said.
pub(super) fn error(cluster: &str, trouble: &Trouble, action: &'static str, source: &KafkaError) -> Error {
    let code = code_of(source);
    let (code, mut reason) = match (code, trouble.last()) {
        (Some(code), Some((deeper, reason))) if is_wait(code) => (deeper, reason),
        (Some(code), _) => (code, code.to_string()),
        (None, _) => (RDKafkaErrorCode::Fail, source.to_string()),
    };
    if reason.contains("certificate verify failed") {
        // The client tells no more than that.
        reason.push_str("; the certificate has expired, is another host's, or its authority is not trusted");
    }
    let cluster = cluster.to_owned();
    if is_refusal(code) {
        return Error::Denied { cluster, action, reason };
    }
    Error::Cluster { cluster, action, reason }
}

/// As [`error()`], for a call about a topic.
pub(super) fn topic_error(
    cluster: &str,
    trouble: &Trouble,
    action: &'static str,
    topic: &str,
    source: &KafkaError,
) -> Error {
    match code_of(source) {
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition,
        ) => Error::UnknownTopic { topic: topic.to_owned() },
        _ => error(cluster, trouble, action, source),
    }
}

/// The code in an error, that of administration too.
pub(super) fn code_of(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        _ => error.rdkafka_error_code(),
    }
}

/// Whether a code says only that nothing came in time.
fn is_wait(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::TimedOutQueue
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::WaitingForCoordinator
            | RDKafkaErrorCode::CoordinatorNotAvailable
    )
}

/// Whether a code says that we are not let in, or not to this.
fn is_refusal(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::SSL
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
    )
}
