//! What differs between two snapshots: every record whose content at one is not what it is at the
//! other, net of everything between.
//!
//! The walk looks only into subtrees that may hold versions newer than the older snapshot, so its
//! cost follows what changed since then.

use std::sync::Arc;

use crate::btree::{self, LeafAhead};
use crate::content::{Record, family_of, id_of};
use crate::core::Core;
use crate::error::Result;
use crate::keys::{self, KeyBuf, KeyRange};
use crate::record::RecordId;
use crate::timeline::{Source, newest_at};
use crate::tx::{Snapshot, damaged, decoded};

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
        let core = Arc::clone(&self.core);
        // A state is held for a bounded number of leaves, so that its pages can be used again.
        while !self.rest.is_empty() && self.from.seq() != self.to.seq() {
            let found = core.read(|source| match self.next_touched(&source)? {
                Some(logical) => self.compare(&source, &logical),
                None => Ok(None),
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The next record with a version above the lower snapshot, up to the higher one, if the next
    /// leaf that may have one has one.
    fn next_touched(&mut self, source: &Source<'_>) -> Result<Option<KeyBuf>> {
        let (low, high) = (self.from.seq().min(self.to.seq()), self.from.seq().max(self.to.seq()));
        let goes_on = self.leaf.is_some();
        let tree = &source.root.records;
        let leaf = match self.leaf.take() {
            Some(leaf) => Some(leaf),
            None => btree::newer_leaf_at_or_after(source.pager, tree, &self.rest.start, low)?,
        };
        let Some(mut leaf) = leaf else { return Ok(self.end()) };
        let keys = &leaf.leaf.keys;
        while leaf.index < keys.count() {
            let key = keys.key(leaf.index);
            leaf.index += 1;
            let Some((logical, seq)) = keys::split_seq(&key) else {
                return Err(damaged(source.pager, "a key without a sequence"));
            };
            if key[..] >= self.rest.end[..] {
                return Ok(self.end());
            }
            if key[..] >= self.rest.start[..] && low < seq && seq <= high {
                let logical = KeyBuf::from_slice(logical);
                self.rest.start = keys::successor(logical.clone());
                self.leaf = Some(leaf);
                return Ok(Some(logical));
            }
        }
        match leaf.upper {
            Some(upper) if upper >= self.rest.end => Ok(self.end()),
            Some(upper) if upper > self.rest.start => {
                self.rest.start = upper;
                Ok(None)
            }
            // The versions of the record found last go on behind the fence.
            Some(_) if goes_on => Ok(None),
            Some(_) => Err(damaged(source.pager, "fence keys are out of order")),
            None => Ok(self.end()),
        }
    }

    /// Nothing is left.
    fn end<T>(&mut self) -> Option<T> {
        self.rest.start = self.rest.end.clone();
        None
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
        let id = decoded(source.pager, id_of(logical))?;
        let family = family_of(&id);
        let record = |bytes| decoded(source.pager, Record::decode(family, bytes));
        Ok(Some(RecordChange {
            id,
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
