//! Ingress and dispatchers of the local platform, wired by the Brokers and Triggers of a cluster.
//!
//! It is for clusters without Knative's Kafka Broker and writes the same status. Several replicas share the partitions of
//! each consumer group as Kafka hands them out, so that one may die; all of them take events.

mod control;
mod objects;
mod plan;
mod status;

pub use control::{Settings, run};
