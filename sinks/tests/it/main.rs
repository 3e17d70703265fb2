//! From databases into real targets: files, a NATS server, a Kafka cluster, with senders that are
//! killed at every stage.
//!
//! What a target holds is read by other means than the sinks, and compared with what the changelog
//! says, entry by entry.
#![cfg(unix)]

mod file;
mod json;
//N mod kafka;
//N mod nats;
//N mod nats_server;
mod pump;
mod sender;
mod source;
