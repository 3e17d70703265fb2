//! The write transaction: reads its own writes, and leaves nothing behind unless it commits.

use std::marker::PhantomData;
use std::sync::Arc;

use ulid::Ulid;

use super::history_hash::{Touched, history_hash, net};
use super::scan::ReadState;
use crate::chain::ChainedCommit;
use crate::changelog::CommitHead;
use crate::changes::Changes;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::format::frame::FrameType;
use crate::format::redo::CommitPrefix;
use crate::ids::{FrameNo, HistoryHash};
use crate::pager::Owner;
use crate::probe::{self, Probe};
use crate::sync::lock;
use crate::time::Timestamp;
use crate::timeline::{MetaRow, Root};
use crate::wal::{NewFrame, Wal};

/// Most bytes of a note.
const MAX_NOTE_BYTES: usize = 4096;
/// Redo that is kept in memory before it goes to the log in parts.
const REDO_BYTES: usize = 1 << 20;

/// A write transaction. Get one from [`Db::update`](crate::Db::update) or
/// [`Db::begin_write`](crate::Db::begin_write); dropping it rolls back. It stays on its thread.
pub struct WriteTx {
    pub(super) core: Arc<Core>,
    base: Arc<Root>,
    pub(super) changes: Changes,
    pub(super) redo: Vec<u8>,
    pub(super) touched: Vec<Touched>,
    pub(super) last_seam_id: Option<Ulid>,
    note: Option<String>,
    time: Option<Timestamp>,
    /// What the history hash must come to, for a transaction that repeats another's.
    pub(super) expected_hash: Option<HistoryHash>,
    /// The history hash of the commit whose place this one takes in an empty database.
    pub(super) adopted: Option<HistoryHash>,
    /// Parts are in the log already.
    in_parts: bool,
    /// A failed operation left the transaction unfit to commit.
    broken: bool,
    ended: bool,
    /// The seat is its thread's: it does not move to another one.
    on_thread: PhantomData<*const ()>,
}

impl WriteTx {
    pub(crate) fn begin(core: &Arc<Core>) -> Result<Self> {
        let base = core.take_seat()?;
        let next = core.wal.get().map_or(FrameNo(0), Wal::next_frame);
        let changes = Changes::new((*base).clone(), next, core.limits.mvcc);
        Ok(Self {
            core: Arc::clone(core),
            base,
            changes,
            redo: Vec::new(),
            touched: Vec::new(),
            last_seam_id: None,
            note: None,
            time: None,
            expected_hash: None,
            adopted: None,
            in_parts: false,
            broken: false,
            ended: false,
            on_thread: PhantomData,
        })
    }

    /// The sequence that this transaction will have if it commits and is not empty.
    pub fn commit_seq(&self) -> u64 {
        self.changes.edit.stamp.seq
    }

    /// Sets the commit's time, for imports and replicas. The commit gets the later of it and the
    /// time of the commit before.
    ///
    /// # Errors
    /// None at present.
    pub fn set_commit_time(&mut self, time: Timestamp) -> Result<()> {
        self.time = Some(time);
        Ok(())
    }

    /// Says who or why, in at most 4096 bytes; kept with the commit. A transaction with a note is
    /// not empty.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when the note is too long.
    pub fn set_note(&mut self, note: impl Into<String>) -> Result<()> {
        let note = note.into();
        if note.len() > MAX_NOTE_BYTES {
            let accepted = format!("up to {MAX_NOTE_BYTES} bytes");
            return Err(Error::invalid("note", format!("{} bytes", note.len()), accepted));
        }
        self.note = Some(note);
        Ok(())
    }

    /// Where reads of this transaction look.
    pub(super) fn state(&self) -> ReadState<'_> {
        ReadState::Own(&self.core.pager, &self.changes.root, self.core.limits.mvcc)
    }

    /// Reads of this transaction see everything that it has written.
    #[expect(clippy::unused_self, reason = "as a read transaction, which has a sequence")]
    pub(super) fn read_seq(&self) -> u64 {
        u64::MAX
    }

    /// Commits; returns head after it: the commit's sequence, or that of the base when the
    /// transaction was empty. Returns once the commit is as durable as the options ask.
    ///
    /// # Errors
    /// [`Error::CommitUnknown`] when it was appended but its sync failed. Any other error means
    /// that nothing of the transaction is there.
    pub fn commit(self) -> Result<u64> {
        self.commit_pipelined()?.wait()
    }

    /// Appends the commit and lets the next transaction begin; it is durable, and seen by
    /// readers, when [`PendingCommit::wait`] returns.
    ///
    /// # Errors
    /// Any error means that nothing of the transaction is there.
    pub fn commit_pipelined(mut self) -> Result<PendingCommit> {
        if self.broken {
            self.undo();
            return Err(Error::invalid(
                "transaction",
                "one with a failed operation",
                "a transaction whose operations succeeded: roll it back and begin anew",
            ));
        }
        let core = Arc::clone(&self.core);
        let empty = self.touched.is_empty() && self.note.is_none() && self.adopted.is_none();
        let pending = if empty {
            let pending = PendingCommit { core, frame: self.base.frame(), seq: self.base.seq };
            self.undo();
            pending
        } else {
            match self.append() {
                Ok(()) => PendingCommit {
                    core,
                    frame: self.changes.root.frame(),
                    seq: self.changes.root.seq,
                },
                Err(error) => {
                    if matches!(&error, Error::Io(io) if io.is_no_space()) {
                        probe::hit(Probe::CommitRefusedNoSpace);
                    }
                    self.undo();
                    return Err(error);
                }
            }
        };
        Ok(pending)
    }

    /// Undoes the transaction. Dropping it does the same.
    ///
    /// # Errors
    /// As [`Db::update`](crate::Db::update) whose closure failed: what was read is durable when
    /// this returns, or the error says why not.
    pub fn rollback(mut self) -> Result<()> {
        let (core, frame, seq) = (Arc::clone(&self.core), self.base.frame(), self.base.seq);
        self.undo();
        core.settle(frame, seq)
    }

    pub(super) fn check_usable(&self) -> Result<()> {
        if self.broken {
            return Err(Error::invalid(
                "transaction",
                "one with a failed operation",
                "a transaction whose operations succeeded: roll it back and begin anew",
            ));
        }
        Ok(())
    }

    /// A failed operation may have left half of a change in the tree.
    pub(super) fn break_off(&mut self, error: Error) -> Error {
        self.broken = true;
        self.core.poison_unless_harmless(error)
    }

    /// Large transactions need no large memory: redo goes to the log in parts, and nodes to free
    /// pages.
    pub(super) fn limit_memory(&mut self) -> Result<()> {
        let max = self.core.wal.get().map_or(REDO_BYTES, Wal::max_payload_bytes);
        let part = max.min(REDO_BYTES);
        let flushed = if self.redo.len() > part { self.flush_parts(part) } else { Ok(()) };
        let spilled = flushed.and_then(|()| self.spill_if_large());
        spilled.map_err(|error| self.break_off(error))
    }

    fn flush_parts(&mut self, part_bytes: usize) -> Result<()> {
        let Some(wal) = self.core.wal.get() else { return Err(Error::ReadOnly) };
        let mut at = 0;
        while self.redo.len() - at > part_bytes {
            probe::hit(Probe::TransactionParts);
            let payload = &[&self.redo[at..at + part_bytes]];
            let seq = self.changes.edit.stamp.seq;
            let frame = NewFrame { frame_type: FrameType::Part, seq, time: 0, payload };
            wal.append(&frame)?;
            self.in_parts = true;
            at += part_bytes;
            wal.limit_unsynced().map_err(|cause| Error::Poisoned { cause })?;
        }
        self.redo.drain(..at);
        Ok(())
    }

    fn spill_if_large(&mut self) -> Result<()> {
        let pager = &self.core.pager;
        if pager.resident_bytes() <= pager.resident_limit() {
            return Ok(());
        }
        // First what earlier commits left in memory, then this transaction's own nodes.
        self.core.checkpoint_now()?;
        self.base = self.core.base();
        self.changes.root = self.changes.root.fold(pager);
        if pager.resident_bytes() > pager.resident_limit() / 2 {
            probe::hit(Probe::TransactionSpilled);
            self.changes.root.write_out(pager, Owner::Transaction)?;
            self.changes.root = self.changes.root.fold(pager).shed();
        }
        Ok(())
    }

    /// Appends the commit frame and makes its state the base of the next transaction.
    fn append(&mut self) -> Result<()> {
        let core = Arc::clone(&self.core);
        core.check_writable()?;
        let Some(wal) = core.wal.get() else { return Err(Error::ReadOnly) };
        let wanted =
            self.time.unwrap_or_else(|| Timestamp::from_nanos(core.vfs.clock().wall_nanos()));
        let time = self.changes.time_after(wanted);
        let hash = self.history_hash(time)?;
        let prefix = CommitPrefix { history_hash: hash, note: self.note.clone() };
        let prefix_bytes = prefix.encode();
        let max = wal.max_payload_bytes();
        if prefix_bytes.len() + self.redo.len() > max {
            self.flush_parts(max / 2)?;
        }
        let row = MetaRow { time, hash, note: self.note.clone() };
        self.changes.finish(&core.pager, &row)?;
        if self.adopted.is_some() {
            self.changes.begin_history();
        }
        let entries = if core.keeps_changelog() {
            let commit = CommitHead { seq: self.commit_seq(), time, hash, note: row.note };
            let keys = std::mem::take(&mut self.touched).into_iter().map(|touched| touched.logical);
            core.entries_of(commit, keys.collect(), &self.base, &self.changes.root, self.in_parts)?
        } else {
            None
        };
        let place = wal.append(&NewFrame {
            frame_type: if self.adopted.is_some() { FrameType::Base } else { FrameType::Commit },
            seq: self.changes.root.seq,
            time: time.as_nanos(),
            payload: &[&prefix_bytes, &self.redo],
        })?;
        self.changes.root.place = place;
        core.note_commit(entries, place.frame);
        self.hand_over(place.frame);
        Ok(())
    }

    /// The history hash of the transaction's net content, or the one that it is given.
    fn history_hash(&mut self, time: Timestamp) -> Result<HistoryHash> {
        if let Some(adopted) = self.adopted {
            return Ok(adopted);
        }
        net(&mut self.touched);
        let seq = self.commit_seq();
        let commit = ChainedCommit {
            before: self.base.hash,
            seq,
            time,
            note: self.note.as_deref(),
            records: self.touched.len() as u32,
        };
        let hash = history_hash(&commit, &self.touched);
        match self.expected_hash {
            Some(expected) if expected != hash => Err(Error::HistoryDiverged { seq }),
            _ => Ok(hash),
        }
    }

    /// The commit is in the log: its state is the next base.
    fn hand_over(&mut self, frame: FrameNo) {
        if self.adopted.is_some() {
            self.core.raise_floor(self.changes.root.floor);
        }
        self.core.hand_over(&mut self.changes, frame);
        self.core.begin_checkpoint_if_due();
        self.ended = true;
        self.core.leave_seat();
    }

    fn undo(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        lock(&self.core.pager.space).rollback();
        if self.in_parts
            && let Some(wal) = self.core.wal.get()
        {
            wal.owe_abort();
        }
        self.core.leave_seat();
    }
}

impl Drop for WriteTx {
    fn drop(&mut self) {
        self.undo();
    }
}

impl std::fmt::Debug for WriteTx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteTx").field("commit_seq", &self.commit_seq()).finish_non_exhaustive()
    }
}

/// A commit that is appended and not yet known to be durable.
#[must_use = "a commit is durable only when wait returns"]
pub struct PendingCommit {
    core: Arc<Core>,
    frame: FrameNo,
    seq: u64,
}

impl PendingCommit {
    /// Head after the commit.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns once the commit is as durable as the options ask, and readers see it.
    ///
    /// # Errors
    /// [`Error::CommitUnknown`] when its sync failed.
    pub fn wait(self) -> Result<u64> {
        self.core.settle(self.frame, self.seq)?;
        self.core.drive_checkpoint();
        Ok(self.seq)
    }
}

impl std::fmt::Debug for PendingCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingCommit").field("seq", &self.seq).finish_non_exhaustive()
    }
}
