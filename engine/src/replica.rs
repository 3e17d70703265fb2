//! Keeping a second database in step: beginning it from a snapshot, and repeating in it what the
//! changelog says.
//!
//! Always: a replica's commits have the sequences, times, notes and history hashes of their
//! originals, or they are refused.

use std::sync::Arc;

use crate::cancel::{CancelToken, Progress};
use crate::changelog::{ChangelogCursor, ChangelogEntry};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::keys::{self, KeyBuf};
use crate::timeline::{Rows, commit_at};
use crate::tx::{PendingCommit, Snapshot, WriteTx};

/// Commits that may be under way before one is waited for.
const PIPELINE: u64 = 256;

/// What [`Db::apply_changelog`](crate::Db::apply_changelog) did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Applied {
    /// Head now.
    pub head: u64,
    /// Commits that were repeated.
    pub commits: u64,
    /// Their entries.
    pub entries: u64,
    /// Entries passed over: of commits that were there, or of one that did not come to its end.
    pub skipped: u64,
}

/// Where a replica reads on: after its own head, in its own history.
pub(crate) fn next_cursor(core: &Core) -> Result<ChangelogCursor> {
    core.check_open()?;
    let root = core.group.load();
    Ok(ChangelogCursor { hash: Some(root.hash), ..ChangelogCursor::after(root.seq) })
}

/// Repeats entries, as far as they are new.
pub(crate) fn apply(
    core: &Arc<Core>,
    entries: impl IntoIterator<Item = Result<ChangelogEntry>>,
) -> Result<Applied> {
    let mut replay = Applying { core, open: None, pending: None, applied: Applied::default() };
    let mut end = Ok(());
    for entry in entries {
        end = entry.and_then(|entry| replay.entry(&entry));
        if end.is_err() {
            break;
        }
    }
    let applied = replay.finish()?;
    end.map(|()| applied)
}

struct Applying<'a> {
    core: &'a Arc<Core>,
    /// The commit at hand, and how many of its entries are done.
    open: Option<(WriteTx, u32)>,
    /// The last commit that was appended.
    pending: Option<PendingCommit>,
    applied: Applied,
}

impl Applying<'_> {
    fn entry(&mut self, entry: &ChangelogEntry) -> Result<()> {
        if self.open.is_none() {
            if entry.seq <= self.core.base().seq {
                self.applied.skipped += 1;
                return if entry.index == 0 { self.check_known(entry) } else { Ok(()) };
            }
            self.open = Some((WriteTx::begin(self.core)?, 0));
        }
        let Some((tx, done)) = &mut self.open else { return Ok(()) };
        let (seq, index) = (tx.commit_seq(), *done);
        if (entry.seq, entry.index) < (seq, index) {
            self.applied.skipped += 1;
            let whole = entry.seq < seq && entry.index == 0;
            return if whole { self.check_known(entry) } else { tx.check_same_commit(entry) };
        }
        if (entry.seq, entry.index) != (seq, index) {
            let whole = entry.index == 0 && entry.seq > seq;
            let last = if whole { entry.seq - 1 } else { entry.seq.max(seq) };
            return Err(Error::ChangelogGap { first: seq, last });
        }
        tx.apply_entry(entry)?;
        *done += 1;
        if entry.last_in_commit
            && let Some((tx, done)) = self.open.take()
        {
            self.applied.commits += 1;
            self.applied.entries += u64::from(done);
            let pending = tx.commit_pipelined()?;
            if self.applied.commits.is_multiple_of(PIPELINE) {
                pending.wait()?;
            } else {
                self.pending = Some(pending);
            }
        }
        Ok(())
    }

    /// Refuses a commit that is there under another history.
    fn check_known(&self, entry: &ChangelogEntry) -> Result<()> {
        let base = self.core.base();
        let known = commit_at(&self.core.source(&base), entry.seq)?;
        match known {
            Some(commit) if commit.history_hash != entry.history_hash => {
                Err(Error::HistoryDiverged { seq: entry.seq })
            }
            _ => Ok(()),
        }
    }

    fn finish(mut self) -> Result<Applied> {
        if let Some((tx, done)) = self.open.take() {
            self.applied.skipped += u64::from(done);
            drop(tx);
        }
        if let Some(pending) = self.pending.take() {
            pending.wait()?;
        }
        self.core.check_open()?;
        self.core.sync_log()?;
        self.applied.head = self.core.group.load().seq;
        Ok(self.applied)
    }
}

/// How [`Db::seed_from`](crate::Db::seed_from) goes about it.
#[derive(Clone, Default)]
pub struct Seed {
    /// Ends the call; nothing of it stays.
    pub cancel: Option<CancelToken>,
    /// Told from time to time how many records are written.
    pub progress: Option<Progress>,
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seed").finish_non_exhaustive()
    }
}

/// Rows that are read before progress is told.
const STEP_ROWS: usize = 1024;

/// Takes over the state of a snapshot of another database; returns how many records.
pub(crate) fn seed(core: &Arc<Core>, from: &Snapshot, how: &Seed) -> Result<u64> {
    let seq = from.seq();
    let Some(commit) = from.commit(seq)? else {
        return Err(Error::invalid("snapshot", format!("at {seq}"), "one of a commit"));
    };
    let mut tx = WriteTx::begin(core)?;
    tx.adopt(&commit)?;
    let mut walk = Walk::new(from);
    let mut done = 0;
    loop {
        if how.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            return Err(Error::Cancelled { done });
        }
        let rows = walk.step()?;
        if rows.is_empty() {
            break;
        }
        for (logical, value) in rows {
            tx.put_adopted(&logical, &value)?;
            done += 1;
        }
        if let Some(progress) = &how.progress {
            progress(done);
        }
    }
    tx.commit()?;
    Ok(done)
}

/// Every record of a snapshot, some at a time, so that no page is held between them.
struct Walk<'a> {
    from: &'a Snapshot,
    rows: Rows,
}

impl<'a> Walk<'a> {
    fn new(from: &'a Snapshot) -> Self {
        let rows = Rows::new(keys::all_records_range(), from.seq(), from.is_versioned());
        Self { from, rows }
    }

    fn step(&mut self) -> Result<Vec<(KeyBuf, crate::bytes::Bytes)>> {
        let rows = &mut self.rows;
        self.from.with_source(|source| {
            let mut found = Vec::new();
            while !rows.is_done() && found.len() < STEP_ROWS {
                match rows.next_in_leaf(source.pager)? {
                    Some(row) => {
                        let key = row.with_logical(KeyBuf::from_slice);
                        found.push((key, row.value(source.pager)?));
                    }
                    None => rows.next_leaf(&source)?,
                }
            }
            Ok(found)
        })
    }
}
