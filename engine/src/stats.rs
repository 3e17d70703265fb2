//! What the database tells of itself: counters, and what the last open found.

use std::fmt;

use crate::options::Retention;

/// Counters of one record family.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FamilyStats {
    /// The family's name.
    pub family: &'static str,
    /// Records that a read at head finds.
    pub visible: u64,
    /// Records with any version.
    pub logical: u64,
    /// Versions, tombstones included.
    pub rows: u64,
}

/// What keeps the prune floor from rising above a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FloorHold {
    /// The floor may rise up to here.
    pub seq: u64,
    /// What keeps it.
    pub by: FloorHolder,
}

/// What can keep the prune floor from rising.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum FloorHolder {
    /// A snapshot tag of this name: delete it to let go.
    Tag(String),
    /// A consumer of the changelog that asks to be waited for: advance it, or remove it.
    Consumer(String),
    /// A snapshot or read transaction of this process: drop it to let go.
    Snapshot,
}

impl fmt::Display for FloorHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            FloorHolder::Tag(name) => write!(f, "snapshot tag {name:?} at commit {}", self.seq),
            FloorHolder::Consumer(name) => {
                write!(f, "changelog consumer {name:?} at commit {}", self.seq)
            }
            FloorHolder::Snapshot => write!(f, "a snapshot in use at commit {}", self.seq),
        }
    }
}

/// Statistics; kept as the database changes, so that asking costs the same at any size.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Stats {
    /// The newest commit.
    pub commit_seq: u64,
    /// Coordinates with any version of a cell.
    pub logical_cell_count: u64,
    /// Cells that a read at head finds.
    pub visible_cell_count: u64,
    /// Versions of all families, tombstones included.
    pub versioned_row_count: u64,
    /// The oldest sequence that reads right.
    pub oldest_readable_seq: u64,
    /// The same by family.
    pub families: Vec<FamilyStats>,
    /// Page size in bytes.
    pub page_size: u32,
    /// Length of the primary in pages.
    pub file_pages: u64,
    /// Pages that may be used now.
    pub free_pages: u64,
    /// Pages that become free with a checkpoint or when a reader ends.
    pub freed_pages: u64,
    /// Pages that hold nothing: a compacted copy would be shorter by about as many.
    pub reclaimable_pages: u64,
    /// What the options say is to be kept.
    pub retention: Option<Retention>,
    /// The sequence below which the policy keeps nothing.
    pub suggested_prune_before_seq: Option<u64>,
    /// What keeps the prune floor from rising to head, if anything does: the lowest such.
    pub floor_held_by: Option<FloorHold>,
    /// Commits per hour since the floor, by their times: to map time to commits.
    pub commits_per_hour: Option<f64>,
    /// Bytes of the log that recovery would read.
    pub wal_bytes: u64,
    /// Bytes of pages in memory.
    pub cache_bytes_used: u64,
    /// Pages read from disk by this handle.
    pub page_reads: u64,
    /// Log syncs by this handle.
    pub wal_syncs: u64,
    /// Checkpoints by this handle.
    pub checkpoints: u64,
    /// 1: one version of each record; 2: MVCC.
    pub format_version: u32,
}

/// What the last open replayed and discarded, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RecoveryReport {
    /// The database had been closed cleanly: nothing was replayed.
    pub clean: bool,
    /// Header generation that was found.
    pub generation: u64,
    /// Log frames replayed.
    pub frames_replayed: u64,
    /// Commits replayed.
    pub commits_replayed: u64,
    /// Log bytes replayed.
    pub bytes_replayed: u64,
    /// Intact frames behind the end of the unbroken log, which belong to commits that nobody was
    /// told had succeeded.
    pub frames_discarded: u64,
    /// Their bytes, and those of frames that are torn.
    pub bytes_discarded: u64,
    /// Why frames were discarded, if any were.
    pub reason: Option<String>,
}
