//! The retained commits of a range, read one by one.

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::timeline::{Commit, commit_at};

/// The retained commits of a range of sequences, oldest first; reads each as it goes.
pub struct Commits {
    core: Arc<Core>,
    /// Sequences not yielded yet: from the first to, but not including, the last.
    next: u64,
    end: u64,
}

impl Commits {
    pub(crate) fn new(
        core: Arc<Core>,
        range: &impl RangeBounds<u64>,
        floor: u64,
        head: u64,
    ) -> Self {
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
        self.core.read(|source| {
            commit_at(&source, seq)?.ok_or_else(|| {
                let floor = source.root.floor;
                if seq < floor {
                    return Error::SnapshotPruned { seq, oldest: floor };
                }
                let what = format!("commit {seq} is missing from the timeline");
                Error::corrupt(&self.core.path, 0, what)
            })
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
