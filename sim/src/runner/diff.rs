//! Differences between snapshots that are read a few at a time, while the database goes on.

use hexxladb::{Error, SnapshotDiff};

use super::World;
use crate::op::Slot;
use crate::oracle::{
    Check, Difference, Kind, Stop, brief, expected_differences, fail, is_pruned, next_difference,
};

/// Differences that are being read.
pub(super) struct HeldDiff {
    /// The snapshots that they lie between, which hold the floor.
    pub(super) between: [u64; 2],
    pub(super) diff: SnapshotDiff,
    /// What is to come, the next one last.
    rest: Vec<Difference>,
}

impl World {
    pub(super) fn hold_diff(&mut self, slot: Slot, a: u64, b: u64) -> Check {
        let Some((db, shown)) = self.shown()? else { return Ok(()) };
        let excuses = self.excuses();
        let result = db.snapshot_diff(a, b);
        if !self.model.mvcc() {
            return match result {
                Err(Error::MvccRequired { .. }) => Ok(()),
                other => fail(Kind::Accepted, "snapshot_diff on format v1", brief(&other.is_ok())),
            };
        }
        // The first of the two that cannot be read is told.
        let refused =
            [a, b].into_iter().find(|seq| *seq > shown.head || (1..shown.floor()).contains(seq));
        match (refused, result) {
            (None, result) => {
                let diff = excuses.take("snapshot_diff", result)?;
                let mut rest = expected_differences(&self.model, (a, b));
                rest.reverse();
                if let Some(session) = &mut self.session {
                    session.diffs.insert(slot, HeldDiff { between: [a, b], diff, rest });
                }
                Ok(())
            }
            (Some(seq), Err(Error::ReadSeqFuture { .. })) if seq > shown.head => Ok(()),
            (Some(seq), result) if seq <= shown.head => {
                is_pruned("snapshot_diff below the floor", result, shown.floor(), &excuses)
            }
            (Some(_), Err(error)) => Err(excuses.stop("snapshot_diff", &error)),
            (Some(seq), Ok(_)) => fail(Kind::Accepted, "snapshot_diff in the future", brief(&seq)),
        }
    }

    pub(super) fn read_diff(&mut self, slot: Slot, count: u32) -> Check {
        let excuses = self.excuses();
        let Some(session) = &mut self.session else { return Ok(()) };
        let Some(held) = session.diffs.get_mut(&slot) else { return Ok(()) };
        for _ in 0..count {
            let wanted = held.rest.pop();
            let verdict = next_difference(&mut held.diff, wanted.as_ref(), &excuses);
            if let Err(Stop::Excused) = verdict {
                // It ends after an error.
                session.diffs.remove(&slot);
                return verdict;
            }
            verdict?;
            if wanted.is_none() {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn drop_diff(&mut self, slot: Slot) {
        if let Some(session) = &mut self.session {
            drop(session.diffs.remove(&slot));
        }
    }
}
