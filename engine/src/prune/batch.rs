//! Which rows to remove next: those that no snapshot at or above a floor can see.
//!
//! The walk goes from the last key to the first, and so meets the versions of each record oldest
//! first: a row goes where the next newer version is at or below the floor, or where it is a
//! tombstone below the floor, which then has nothing older under it. That a row may go stays true
//! whatever is committed meanwhile, so that batches are chosen without holding up writers.
//!
//! Index rows go with the version that has them. The row under a tag of a version is done with
//! once the next version hides it; the tombstone that hides it serves nobody then.

use crate::btree;
use crate::error::Result;
use crate::index;
use crate::keys::{self, KeyBuf};
use crate::pager::Node;
use crate::probe::{self, Probe};
use crate::timeline::{Source, is_tombstone, newest_at, read_value};
use crate::tx::{damaged, decoded};

/// Keys that one slice removes at most, give or take the index rows of one version.
const SLICE_KEYS: usize = 2048;
/// Leaves that one slice looks at: it pins a root meanwhile.
const SLICE_LEAVES: u32 = 256;

/// Physical keys to be removed, in this order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) keys: Vec<KeyBuf>,
    /// Versions of records among them.
    pub(super) rows: u64,
    /// Bytes of their keys and values.
    pub(super) bytes: u64,
}

/// A walk over the rows of all records.
pub(super) struct Walk<'a> {
    pub(super) source: Source<'a>,
    /// What only snapshots below this see is to go.
    pub(super) floor: u64,
}

impl Walk<'_> {
    /// Adds up to `max_rows` rows to the batch, going on below `done_from`, which it moves along;
    /// says whether the walk is through. Looks at a bounded number of leaves.
    pub(super) fn choose(
        &self,
        done_from: &mut KeyBuf,
        max_rows: u64,
        batch: &mut Batch,
    ) -> Result<bool> {
        let pruned = self.source.root.pruned;
        // Below the floor of the last pass that was through, a record has one version, which
        // may go only if a newer one lies elsewhere or if it is a tombstone.
        // The bounds of pages that splits have made show the newer one, too; of others they need not.
        let wanted = |max_seq: u64, fence: Option<&[u8]>| {
            max_seq >= pruned || fence.is_some_and(keys::cuts_record)
        };
        for _ in 0..SLICE_LEAVES {
            let (pager, records) = (self.source.pager, &self.source.root.records);
            let Some(span) = btree::leaf_before_where(pager, records, done_from, &wanted)? else {
                return Ok(true);
            };
            for index in (0..span.index).rev() {
                if batch.rows >= max_rows || batch.keys.len() >= SLICE_KEYS {
                    probe::hit(Probe::PruneLimit);
                    return Ok(false);
                }
                self.look(&span.leaf, index, batch)?;
                self.go_on_below(span.leaf.keys.key(index), done_from)?;
            }
            match span.lower {
                Some(lower) if span.index > 0 && lower == *done_from => {}
                Some(lower) => self.go_on_below(lower, done_from)?,
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Every step goes down, or fences of damaged pages could lead in a circle.
    fn go_on_below(&self, key: KeyBuf, done_from: &mut KeyBuf) -> Result<()> {
        if key >= *done_from {
            return Err(damaged(self.source.pager, "keys or fence keys are out of order"));
        }
        *done_from = key;
        Ok(())
    }

    /// Adds a row and its index rows to the batch, if it may go.
    fn look(&self, leaf: &std::sync::Arc<Node>, index: usize, batch: &mut Batch) -> Result<()> {
        let pager = self.source.pager;
        let key = leaf.keys.key(index);
        let Some((logical, seq)) = keys::split_seq(&key) else {
            return Err(damaged(pager, "a key without a sequence"));
        };
        if seq >= self.floor || !keys::all_records_range().contains(&key) {
            return Ok(());
        }
        let superseded_by = self.next_newer(leaf, index, &key)?.filter(|seq| *seq <= self.floor);
        let tombstone = is_tombstone(pager, leaf, index)?;
        if superseded_by.is_none() && !tombstone {
            return Ok(());
        }
        let mut value_bytes = 1;
        if !tombstone {
            let value = read_value(pager, leaf, index)?;
            value_bytes += value.len() as u64;
            if let Some(newer) = superseded_by {
                self.add_index_rows(logical, &value, newer, batch)?;
            }
        }
        batch.rows += 1;
        batch.bytes += key.len() as u64 + value_bytes;
        batch.keys.push(key);
        Ok(())
    }

    /// The sequence of the version that supersedes the one at `index`.
    fn next_newer(&self, leaf: &Node, index: usize, key: &[u8]) -> Result<Option<u64>> {
        let before = match index.checked_sub(1) {
            Some(before) => Some(leaf.keys.key(before)),
            None => self.key_before(key)?,
        };
        let logical = keys::split_seq(key).map(|(logical, _)| logical);
        let newer = before.as_deref().and_then(keys::split_seq);
        Ok(newer.filter(|(other, _)| Some(*other) == logical).map(|(_, seq)| seq))
    }

    /// The last key before one that is the first of its leaf.
    fn key_before(&self, key: &[u8]) -> Result<Option<KeyBuf>> {
        let mut bound = KeyBuf::from_slice(key);
        loop {
            let records = &self.source.root.records;
            let span = btree::leaf_before(self.source.pager, records, &bound)?;
            if let Some(last) = span.index.checked_sub(1) {
                return Ok(Some(span.leaf.keys.key(last)));
            }
            match span.lower {
                Some(lower) => bound = lower,
                None => return Ok(None),
            }
        }
    }

    /// The index rows of a version that version `newer` of the record does not have any more.
    fn add_index_rows(
        &self,
        logical: &[u8],
        value: &[u8],
        newer: u64,
        batch: &mut Batch,
    ) -> Result<()> {
        for row in decoded(self.source.pager, index::of_record(logical, value))? {
            let hidden = newest_at(&self.source, &row, newer)?.filter(|row| row.tombstone);
            let Some(hidden) = hidden else { continue };
            let shown = newest_at(&self.source, &row, hidden.seq - 1)?;
            // The tombstone last, or what it hides would be there again.
            for seq in shown.map(|shown| shown.seq).into_iter().chain([hidden.seq]) {
                let mut key = row.clone();
                keys::push_seq(&mut key, seq);
                batch.bytes += key.len() as u64 + 1;
                batch.keys.push(key);
            }
        }
        Ok(())
    }
}
