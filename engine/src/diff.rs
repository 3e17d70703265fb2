//! What differs between two snapshots: every record whose content at one is not what it is at the
//! other, net of everything between.
//!
//! The walk looks only into subtrees that may hold versions newer than the older snapshot, so its
//! cost follows what changed since then.

use std::sync::Arc;

use crate::btree::{self, LeafAhead};
use crate::core::Core;
use crate::error::Result;
use crate::history::{Record, id_of, record_of};
use crate::keys::{self, KeyBuf, KeyRange};
use crate::record::RecordId;
use crate::timeline::{Source, newest_at};
use crate::tx::{Snapshot, damaged};

/// What happened to a record between two snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum ChangeKind {
    /// It is in the second alone.
    Added,
    /// It is in both, and differs.
    Modified,
    /// It is in the first alone.
    Removed,
}

/// A record that differs between two snapshots.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RecordChange {
    /// Which record.
    pub id: RecordId,
    /// As the first snapshot has it.
    pub old: Option<Record>,
    /// As the second snapshot has it.
    pub new: Option<Record>,
}

impl RecordChange {
    /// What happened to it.
    pub fn kind(&self) -> ChangeKind {
        match (&self.old, &self.new) {
            (None, _) => ChangeKind::Added,
            (Some(_), None) => ChangeKind::Removed,
            (Some(_), Some(_)) => ChangeKind::Modified,
        }
    }
}

/// Records that differ between two snapshots, in the order of their keys: raw records, cells,
/// facets, edges, seams. Lazy; keeps both snapshots from being pruned. Ends after an error.
pub struct SnapshotDiff {
    core: Arc<Core>,
    /// The snapshots, which are kept from being pruned.
    from: Snapshot,
    to: Snapshot,
    /// Records that are still to come.
    rest: KeyRange,
    leaf: Option<LeafAhead>,
    failed: bool,
}

impl SnapshotDiff {
    pub(crate) fn new(core: Arc<Core>, from: Snapshot, to: Snapshot) -> Self {
        let rest = keys::all_records_range();
        Self { core, from, to, rest, leaf: None, failed: false }
    }

    fn read(&mut self) -> Result<Option<RecordChange>> {
        let (low, high) = (self.from.seq().min(self.to.seq()), self.from.seq().max(self.to.seq()));
        loop {
            let core = Arc::clone(&self.core);
            core.check_open()?;
            let root = core.group.load();
            let source = core.source(&root);
            let Some(logical) = self.next_touched(&source, low, high)? else { return Ok(None) };
            if let Some(change) = self.compare(&source, &logical)? {
                return Ok(Some(change));
            }
        }
    }

    /// The next record with a version above the lower snapshot, up to the higher one.
    fn next_touched(&mut self, source: &Source<'_>, low: u64, high: u64) -> Result<Option<KeyBuf>> {
        while low < high && !self.rest.is_empty() {
            let Some(leaf) = &mut self.leaf else {
                let tree = &source.root.records;
                let start = &self.rest.start;
                self.leaf = btree::newer_leaf_at_or_after(source.pager, tree, start, low)?;
                if self.leaf.is_none() {
                    self.rest.start = self.rest.end.clone();
                }
                continue;
            };
            let keys = &leaf.leaf.keys;
            while leaf.index < keys.count() {
                let key = keys.key(leaf.index);
                leaf.index += 1;
                let Some((logical, seq)) = keys::split_seq(&key) else {
                    return Err(damaged(source.pager, "a key without a sequence"));
                };
                if key[..] < self.rest.start[..] || !(low < seq && seq <= high) {
                    continue;
                }
                if key[..] >= self.rest.end[..] {
                    self.rest.start = self.rest.end.clone();
                    return Ok(None);
                }
                let logical = KeyBuf::from_slice(logical);
                self.rest.start = keys::successor(logical.clone());
                return Ok(Some(logical));
            }
            let upper = leaf.upper.take();
            self.leaf = None;
            match upper {
                Some(upper) if upper < self.rest.end => {
                    self.rest.start = upper.max(std::mem::take(&mut self.rest.start));
                }
                _ => self.rest.start = self.rest.end.clone(),
            }
        }
        Ok(None)
    }

    fn compare(&self, source: &Source<'_>, logical: &[u8]) -> Result<Option<RecordChange>> {
        let at = |seq| match newest_at(source, logical, seq)? {
            Some(row) => source.value(&row),
            None => Ok(None),
        };
        let (old, new) = (at(self.from.seq())?, at(self.to.seq())?);
        if old == new {
            return Ok(None);
        }
        let record = |bytes| record_of(source.pager, logical, bytes);
        Ok(Some(RecordChange {
            id: id_of(source.pager, logical)?,
            old: old.map(record).transpose()?,
            new: new.map(record).transpose()?,
        }))
    }
}

impl Iterator for SnapshotDiff {
    type Item = Result<RecordChange>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.read();
        self.failed = item.is_err();
        item.transpose()
    }
}

impl std::iter::FusedIterator for SnapshotDiff {}

impl std::fmt::Debug for SnapshotDiff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotDiff")
            .field("from", &self.from.seq())
            .field("to", &self.to.seq())
            .finish_non_exhaustive()
    }
}
