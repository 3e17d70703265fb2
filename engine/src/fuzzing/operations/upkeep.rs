//! Operations that take no sequence, and snapshots that are kept beside them: tags, pruning,
//! differences.

use super::super::reading::{difference, snapshot};
use super::super::truth::{Oracle, TruthCommit};
use super::super::verdict::Verdict;
use super::{Op, Run};
use crate::error::{Error, Result};
use crate::prune::PruneBefore;

/// Rows that one call prunes at most.
const MAX_ROWS: u8 = 40;

impl Run {
    /// A sequence up to one above head.
    fn some_seq(&self, number: u16) -> u64 {
        u64::from(number) % (self.truth.head() + 2)
    }

    fn is_readable(&self, seq: u64) -> bool {
        seq == 0 || (self.truth.upkeep().floor..=self.truth.head()).contains(&seq)
    }

    /// Whether there may be an answer; where a sequence cannot be read there must be none.
    fn may_answer<T: std::fmt::Debug>(&self, answer: &Result<T>, seqs: &[u64]) -> bool {
        let refused = match answer {
            Err(Error::MvccRequired { .. }) => !self.truth.mvcc,
            Err(Error::ReadSeqFuture { head, .. }) => {
                *head == self.truth.head() && seqs.iter().any(|seq| seq > head)
            }
            Err(Error::SnapshotPruned { seq, oldest }) => {
                *oldest == self.truth.upkeep().floor && seqs.contains(seq) && seq < oldest
            }
            _ => false,
        };
        let readable = self.truth.mvcc && seqs.iter().all(|seq| self.is_readable(*seq));
        assert_eq!(refused, !readable, "{answer:?} for {seqs:?}");
        readable
    }

    pub(super) fn tag(&mut self, op: &Op) {
        self.commit();
        let name = tag_name(op);
        let at_head = op.byte(4) & 1 == 0;
        let seq = if at_head { self.truth.head() } else { self.some_seq(op.number()) };
        let put =
            if at_head { self.db.tag_snapshot(&name) } else { self.db.tag_snapshot_at(&name, seq) };
        if !self.may_answer(&put, &[seq]) {
            return;
        }
        match (put, self.truth.upkeep().tags.get(&name)) {
            (Err(Error::SnapshotTagExists { seq: told, .. }), Some(old)) => {
                assert!(told == *old && *old != seq);
            }
            (put, old) => {
                assert!(old.is_none_or(|old| *old == seq), "{put:?} where {old:?} is");
                assert_eq!(put.expect("a tag"), seq);
                self.truth.maintain(|upkeep| upkeep.tag(&name, seq));
            }
        }
    }

    pub(super) fn delete_tag(&mut self, op: &Op) {
        self.commit();
        let name = tag_name(op);
        let deleted = self.db.delete_snapshot_tag(&name);
        if self.may_answer(&deleted, &[]) {
            let was_there = self.truth.upkeep().tags.contains_key(&name);
            assert_eq!(deleted.expect("a delete"), was_there);
            self.truth.maintain(|upkeep| upkeep.delete_tag(&name));
        }
    }

    /// Prunes a few rows, as many as the plan says at most.
    pub(super) fn prune(&mut self, op: &Op) {
        self.commit();
        let max_rows = u64::from(op.byte(4) % MAX_ROWS);
        let (seq, before) = self.some_place(self.some_seq(op.number()), op.byte(5) & 1 == 1);
        let plan = self.db.plan_prune(before);
        let pruned = self.db.prune_cell_versions(before, max_rows);
        if max_rows == 0 && self.truth.mvcc {
            assert!(matches!(pruned, Err(Error::InvalidArgument { .. })), "{pruned:?}");
            return;
        }
        let known = if seq > self.truth.head() { seq } else { 0 };
        if !self.may_answer(&pruned, &[known]) {
            return;
        }
        let (plan, rows) = (plan.expect("a plan"), pruned.expect("a pruning"));
        let floor = self.floor_for(seq);
        assert_eq!(plan.floor, floor, "{plan:?}");
        assert_eq!(rows, plan.rows.min(max_rows), "{plan:?}");
        self.truth.maintain(|upkeep| upkeep.floor = floor);
        self.check_upkeep();
    }

    /// A commit, named by its sequence, or by its time: then the last one of that time.
    fn some_place(&self, seq: u64, by_time: bool) -> (u64, PruneBefore) {
        match self.truth.commits.get(seq.wrapping_sub(1) as usize) {
            Some(TruthCommit { time, .. }) if by_time => {
                let until = self.truth.commits.iter().take_while(|commit| commit.time <= *time);
                (until.count() as u64, PruneBefore::Time(*time))
            }
            _ => (seq, PruneBefore::Seq(seq)),
        }
    }

    /// Where the floor is once `before` was asked for: no tag and no snapshot is passed.
    fn floor_for(&self, before: u64) -> u64 {
        let upkeep = self.truth.upkeep();
        let tags = upkeep.tags.values().copied().filter(|seq| *seq > 0);
        let holds = tags.chain(self.held.iter().map(|(seq, _)| *seq));
        holds.fold(before, u64::min).max(upkeep.floor)
    }

    /// Keeps a snapshot, in place of the one before.
    pub(super) fn hold(&mut self, op: &Op) {
        self.commit();
        let seq = self.some_seq(op.number()).max(1);
        let held = self.db.snapshot_at(seq);
        if self.may_answer(&held, &[seq]) {
            self.held = Some((seq, held.expect("a snapshot")));
        }
    }

    /// Gives the snapshot up. Whatever was pruned beside it, it reads what it did.
    pub(super) fn let_go(&mut self) {
        let Some((seq, held)) = self.held.take() else { return };
        if self.comparisons_left > 0 {
            let mut verdict = Verdict::default();
            snapshot(&held, &Oracle::new(self.truth.clone()), seq, &mut verdict);
            verdict.assert_right();
        }
    }

    pub(super) fn difference(&mut self, op: &Op) {
        self.commit();
        let a = self.some_seq(op.number());
        let b = self.some_seq(u16::from_le_bytes([op.byte(4), op.byte(5)]));
        let found = self.db.snapshot_diff(a, b);
        if self.may_answer(&found, &[a, b]) {
            drop(found);
            let mut verdict = Verdict::default();
            difference(&self.db, &Oracle::new(self.truth.clone()), (a, b), &mut verdict);
            verdict.assert_right();
        }
    }
}

fn tag_name(op: &Op) -> String {
    format!("tag {}", op.byte(1) % 4)
}
