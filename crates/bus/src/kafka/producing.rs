//! Appending records: each acknowledged by all replicas in sync before it counts.

use std::time::Duration;

use rdkafka::{
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::FutureRecord,
    types::RDKafkaErrorCode,
};

use super::{clients::Cluster, offsets::number};
use crate::{Error, MAX_RECORD_BYTES, Record, partition_for_key, partitioner::Turns};

/// Wait while the client holds as many records as it may.
const FULL: Duration = Duration::from_millis(2);

/// Appends records in the order given and answers where each lies.
pub(super) async fn publish(
    cluster: &Cluster,
    turns: &Turns,
    topic: &str,
    partitions: u32,
    records: &[Record],
) -> Result<Vec<(u32, u64)>, Error> {
    // Held until all is acknowledged, whatever becomes of it for others.
    let clients = cluster.clients();
    let mut deliveries = Vec::with_capacity(records.len());
    for record in records {
        let partition = match &record.key {
            Some(key) => partition_for_key(key, partitions),
            None => turns.next(topic, partitions),
        };
        let mut sending = FutureRecord::to(topic)
            .partition(number(partition))
            .payload(record.value.as_slice())
            .headers(headers(record));
        // Kafka has no room for an absent time; librdkafka puts the present one there.
        if record.timestamp > 0 {
            sending = sending.timestamp(record.timestamp);
        }
        if let Some(key) = &record.key {
            sending = sending.key(key.as_slice());
        }
        let delivery = loop {
            match clients.producer.send_result(sending) {
                Ok(delivery) => break Ok(delivery),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    sending = back;
                    tokio::time::sleep(FULL).await;
                }
                Err((error, _)) => break Err(refused(cluster, topic, record, &error)),
            }
        };
        deliveries.push(delivery);
    }
    let mut placed = Vec::with_capacity(records.len());
    let mut first_error = None;
    for (delivery, record) in deliveries.into_iter().zip(records) {
        // All are waited for: what a caller is told is over is over.
        let outcome = match delivery {
            Ok(delivery) => match delivery.await {
                Ok(Ok(delivery)) => Ok((delivery.partition, delivery.offset)),
                Ok(Err((error, _))) => Err(refused(cluster, topic, record, &error)),
                Err(_) => Err(Error::Closed),
            },
            Err(error) => Err(error),
        };
        match outcome {
            Ok((partition, offset)) => {
                placed.push((u32::try_from(partition).unwrap_or_default(), u64::try_from(offset).unwrap_or_default()));
            }
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    if !placed.is_empty() {
        cluster.raise(placed.len());
    }
    first_error.map_or(Ok(placed), Err)
}

fn headers(record: &Record) -> OwnedHeaders {
    let empty = OwnedHeaders::new_with_capacity(record.headers.len());
    record
        .headers
        .iter()
        .fold(empty, |headers, (name, value)| headers.insert(Header { key: name, value: Some(value.as_slice()) }))
}

fn refused(cluster: &Cluster, topic: &str, record: &Record, error: &KafkaError) -> Error {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize) => {
            Error::TooLarge { topic: topic.to_owned(), size: record.size(), limit: MAX_RECORD_BYTES }
        }
        _ => cluster.topic_error("append to a topic", topic, error),
    }
}
