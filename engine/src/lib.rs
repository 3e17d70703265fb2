//! The engine of HexxlaDB. Modules are in layers; `ARCHITECTURE.md` has the map.
//!
#![doc = include_str!("../README.md")]

mod btree;
mod bytes;
mod cancel;
mod changes;
mod check;
mod checkpoint;
mod commits;
mod core;
mod create;
mod db;
mod dump;
mod error;
mod format;
#[cfg(feature = "sim")]
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod ids;
mod keys;
pub mod lattice;
mod limits;
mod options;
mod pager;
#[cfg(feature = "sim")]
pub mod probe;
#[cfg(not(feature = "sim"))]
mod probe;
mod record;
mod recovery;
mod stats;
mod sync;
mod time;
mod timeline;
mod tx;
mod wal;

pub use bytes::Bytes;
pub use cancel::{CancelToken, Progress, PutCells};
pub use check::{CheckReport, Finding, FindingKind};
pub use commits::Commits;
pub use db::Db;
pub use dump::{Dump, DumpRow};
pub use error::{Error, Result};
pub use hexxladb_vfs as vfs;
pub use history::{History, Record, RecordId, Version};
pub use lattice::{Coord, PackedCoord};
pub use options::{Durability, Options};
pub use record::{
    Cell, Edge, Facet, FacetId, Provenance, ResolutionStatus, Seam, SeamType, Validity,
    derivation_hash,
};
pub use stats::{FamilyStats, RecoveryReport, Stats};
pub use time::{Timestamp, Week};
pub use timeline::Commit;
pub use tx::{Cells, PendingCommit, RawScan, ReadTx, Snapshot, WriteTx};
pub use ulid::Ulid;

/// The bytes that the history hash takes for a cell's value.
///
/// # Errors
/// As [`WriteTx::put_cell`].
#[cfg(feature = "sim")]
pub fn encode_cell_for_hash(cell: &Cell) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    record::encode_cell(cell, &mut bytes)?;
    Ok(bytes)
}
