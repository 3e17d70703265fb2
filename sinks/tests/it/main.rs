//! From databases into real targets: files, a NATS server, a Kafka cluster, with senders that are
//! killed at every stage.
//!
//! What a target holds is read by other means than the sinks, and compared with what the changelog
//! says, entry by entry.
#![cfg(unix)]

mod file;
mod json;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "nats")]
mod nats_server;
mod pump;
mod sender;
mod source;
