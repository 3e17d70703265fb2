//! Sends a HexxlaDB changelog on: to NATS JetStream, Kafka, files, or a target of your own.
//!
//! A [`Sink`] is three calls: where the target stands, send, flush. [`deliver`] opens one, asks it
//! where it stands, reads the changelog from right after that, and sends what comes. So nothing is
//! lost, and nothing is repeated where the target can tell what it has; README.md of this package
//! says precisely what each target guarantees.
//!
//! ```
//! use hexxladb::{ChangelogCursor, ChangelogOptions, Db, Options};
//! use hexxladb_sinks::{DeliverOptions, JsonFile, deliver};
//!
//! let dir = tempfile::tempdir()?;
//! let (path, changes) = (dir.path().join("memory.hexx"), dir.path().join("changes.jsonl"));
//! let db = Db::open(&path, Options::new().changelog(ChangelogOptions::new()))?;
//! db.update(|tx| tx.put("kettle", "on"))?;
//! db.update(|tx| tx.delete("kettle"))?;
//!
//! for _ in 0..2 {
//!     // Each time: what the file does not hold yet.
//!     deliver(
//!         &mut || Ok(Box::new(JsonFile::open(&changes)?)),
//!         &mut |cursor| db.read_changelog(cursor, Default::default()),
//!         &DeliverOptions::new(),
//!         &mut |_| Ok(()),
//!     )?;
//! }
//! assert_eq!(std::fs::read_to_string(&changes)?.lines().count(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Features: `nats` and `kafka`, both off. The calls of a sink wait for the network; from an async
//! task, make them on the runtime's threads for blocking work.

mod deliver;
mod error;
mod file;
pub mod json;
mod jsonl;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;
mod position;
mod pump;
mod sink;
mod target;

pub use deliver::{DeliverOptions, deliver};
pub use error::{Error, Result};
pub use file::JsonFile;
pub use jsonl::JsonLines;
#[cfg(feature = "kafka")]
pub use kafka::KafkaSink;
#[cfg(feature = "nats")]
pub use nats::NatsSink;
pub use position::{HEADERS, LastPosition, Position};
pub use pump::{Acknowledged, PumpOptions, Source, pump};
pub use sink::Sink;
pub use target::{KafkaTarget, NatsTarget, Target, open};

/// README.md's examples are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
