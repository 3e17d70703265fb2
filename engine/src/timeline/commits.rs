//! The commits that are kept: sequence, time, note, history hash.

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use crate::btree;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::keys;
use crate::time::Timestamp;
use crate::tx::{MetaRow, Source};

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Commit {
    /// Its sequence: commits count from 1.
    pub seq: u64,
    /// Its time, never before that of the commit before it.
    pub time: Timestamp,
    /// Who or why, if the transaction said.
    pub note: Option<String>,
    /// First 16 bytes of the SHA-256 chain over all commits up to this one.
    pub history_hash: [u8; 16],
}

/// One commit of the timeline.
pub(crate) fn commit_at(source: &Source<'_>, seq: u64) -> Result<Option<Commit>> {
    let Some(bytes) = source.meta(&keys::commit_key(seq))? else { return Ok(None) };
    let row = MetaRow::decode(&bytes).map_err(|what| {
        Error::corrupt(source.pager.file.path(), 0, format!("timeline row of commit {seq}: {what}"))
    })?;
    Ok(Some(Commit { seq, time: row.time, note: row.note, history_hash: row.hash }))
}

/// The newest commit with a time of at most `time`; 0 before the first.
pub(crate) fn seq_at_time(source: &Source<'_>, time: Timestamp) -> Result<u64> {
    let mut after = keys::commit_time_key(time, u64::MAX);
    after.push(0);
    let mut bound = after;
    loop {
        let span = btree::leaf_before(source.pager, &source.root.meta, Some(&bound))?;
        let index = span.leaf.keys.lower_bound(&bound);
        if index > 0 {
            let key = span.leaf.keys.key(index - 1);
            let in_timeline = keys::commit_time_range().contains(&key);
            return Ok(if in_timeline { seq_of_time_key(&key) } else { 0 });
        }
        match span.lower {
            Some(lower) => bound = lower,
            None => return Ok(0),
        }
    }
}

fn seq_of_time_key(key: &[u8]) -> u64 {
    key.last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// The retained commits of a range of sequences, oldest first; reads each as it goes.
pub struct Commits {
    core: Arc<Core>,
    /// Sequences not yielded yet: from the first to, but not including, the last.
    next: u64,
    end: u64,
}

impl Commits {
    pub(crate) fn new(core: Arc<Core>, range: &impl RangeBounds<u64>, floor: u64, head: u64) -> Self {
        let next = match range.start_bound() {
            Bound::Included(&seq) => seq,
            Bound::Excluded(&seq) => seq.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&seq) => seq.saturating_add(1),
            Bound::Excluded(&seq) => seq,
            Bound::Unbounded => u64::MAX,
        };
        Self { core, next: next.max(floor).max(1), end: end.min(head + 1) }
    }

    fn read(&self, seq: u64) -> Result<Commit> {
        self.core.check_open()?;
        let root = self.core.group.load();
        let source = self.core.source(&root);
        commit_at(&source, seq)?.ok_or_else(|| {
            Error::corrupt(&self.core.path, 0, format!("commit {seq} is missing from the timeline"))
        })
    }

    fn fuse<T>(&mut self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.end = self.next;
        }
        result
    }
}

impl Iterator for Commits {
    type Item = Result<Commit>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let seq = self.next;
        self.next += 1;
        let read = self.read(seq);
        Some(self.fuse(read))
    }
}

impl DoubleEndedIterator for Commits {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        self.end -= 1;
        let read = self.read(self.end);
        Some(self.fuse(read))
    }
}

impl std::iter::FusedIterator for Commits {}
