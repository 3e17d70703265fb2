//! The engine of HexxlaDB. Modules are in layers; `ARCHITECTURE.md` has the map.
//!
#![doc = include_str!("../README.md")]

mod btree;
mod bytes;
mod cancel;
mod chain;
mod changelog;
mod changes;
mod check;
mod checkpoint;
mod commits;
mod consumers;
mod content;
mod core;
mod create;
mod db;
mod diff;
mod dump;
mod entries;
mod error;
mod format;
#[cfg(feature = "sim")]
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod ids;
mod index;
mod keys;
pub mod lattice;
mod limits;
mod maintenance;
mod options;
mod pager;
#[cfg(feature = "sim")]
pub mod probe;
#[cfg(not(feature = "sim"))]
mod probe;
mod prune;
mod record;
mod recovery;
mod repair;
mod replica;
mod scheduler;
mod segments;
mod stats;
mod sync;
mod tags;
mod time;
mod timeline;
mod tx;
mod wal;

pub use bytes::Bytes;
pub use cancel::{CancelToken, Progress, PutCells};
pub use changelog::{
    ChangelogCursor, ChangelogEntry, ChangelogFilter, ChangelogOp, ChangelogValue,
};
pub use check::{CheckReport, Finding, FindingKind};
pub use commits::Commits;
pub use consumers::{ChangelogConsumer, ConsumerInfo};
pub use content::Record;
pub use db::Db;
pub use diff::{ChangeKind, RecordChange, SnapshotDiff};
pub use dump::{Dump, DumpRow};
pub use entries::{ChangelogEntries, ChangelogFollow, ChangelogReader, Follow};
pub use error::{Error, Result};
pub use hexxladb_vfs as vfs;
pub use history::{History, Version};
pub use lattice::{Coord, PackedCoord};
pub use options::{ChangelogOptions, ChangelogValues, Durability, Options, Retention};
pub use prune::{PruneBefore, PrunePlan, PruneProfile, Pruned};
pub use record::{
    Cell, Edge, EdgeId, Facet, FacetId, Provenance, RecordId, ResolutionStatus, Seam, SeamType,
    Validity, derivation_hash,
};
pub use repair::ChangelogRepair;
pub use replica::{Applied, Seed};
pub use scheduler::PruneScheduler;
pub use segments::{ChangelogInfo, ChangelogSegment, ChangelogVerified};
pub use stats::{FamilyStats, FloorHold, FloorHolder, RecoveryReport, Stats};
pub use tags::SnapshotTag;
pub use time::{Timestamp, Week};
pub use timeline::Commit;
pub use tx::{
    Cells, CellsBy, CoordsBy, Edges, EdgesTo, Facets, FindSeams, IndexKey, PendingCommit, RawScan,
    ReadTx, RingFilter, RingWalk, SeamFilter, Seams, SeamsBy, Snapshot, WriteTx,
};
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
