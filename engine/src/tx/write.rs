//! The write transaction: reads its own writes, and leaves nothing behind unless it commits.

use std::marker::PhantomData;
use std::ops::RangeBounds;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::read::{Cells, RawScan, ReadState, get_cell, get_raw};
use crate::bytes::Bytes;
use crate::changes::{Changes, Row, TOMBSTONE_ROW};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::format::frame::FrameType;
use crate::format::redo::{self, CommitPrefix};
use crate::ids::{FrameNo, HistoryHash};
use crate::keys::{self, KeyBuf};
use crate::lattice::{Coord, PackedCoord};
use crate::pager::Owner;
use crate::probe::{self, Probe};
use crate::record::{Cell, encode_cell};
use crate::sync::lock;
use crate::time::Timestamp;
use crate::timeline::{MetaRow, PLAIN, Root, newest_at};
use crate::wal::{NewFrame, Wal};

/// Most bytes of a note.
const MAX_NOTE_BYTES: usize = 4096;
/// Redo that is kept in memory before it goes to the log in parts.
const REDO_BYTES: usize = 1 << 20;

/// A record that the transaction touched, for the history hash.
#[derive(Debug)]
struct Touched {
    logical: KeyBuf,
    /// SHA-256 of the value put last; `None` for a delete.
    value: Option<[u8; 32]>,
}

/// A write transaction. Get one from [`Db::update`](crate::Db::update) or
/// [`Db::begin_write`](crate::Db::begin_write); dropping it rolls back. It stays on its thread.
pub struct WriteTx {
    core: Arc<Core>,
    base: Arc<Root>,
    changes: Changes,
    redo: Vec<u8>,
    touched: Vec<Touched>,
    note: Option<String>,
    time: Option<Timestamp>,
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
            note: None,
            time: None,
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

    /// Puts a cell.
    ///
    /// # Errors
    /// [`Error::InvalidRecord`], [`Error::KeyTooLarge`] or [`Error::ValueTooLarge`] refuse the
    /// put and leave the transaction usable; an I/O error does not.
    pub fn put_cell(&mut self, coord: Coord, cell: &Cell) -> Result<()> {
        let mut value = Vec::with_capacity(cell.raw_content.len() + 64);
        encode_cell(cell, &mut value)?;
        self.put_record(keys::cell_key(coord), &value)
    }

    /// Deletes a cell; says whether there was one.
    ///
    /// # Errors
    /// An I/O error leaves the transaction unfit to commit.
    pub fn delete_cell(&mut self, coord: Coord) -> Result<bool> {
        self.delete_record(keys::cell_key(coord))
    }

    /// Puts a value in the raw keyspace. Keys are at most 1 KiB escaped (a zero byte takes two),
    /// 900 bytes with 4 KiB pages.
    ///
    /// # Errors
    /// [`Error::KeyTooLarge`] or [`Error::ValueTooLarge`] refuse the put and leave the
    /// transaction usable; an I/O error does not.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        let logical = keys::raw_key(key.as_ref(), self.core.limits.max_raw_key_bytes)?;
        self.put_record(logical, value.as_ref())
    }

    /// Deletes a key of the raw keyspace; says whether it was there.
    ///
    /// # Errors
    /// An I/O error leaves the transaction unfit to commit.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) -> Result<bool> {
        let logical = keys::raw_key(key.as_ref(), self.core.limits.max_raw_key_bytes)?;
        self.delete_record(logical)
    }

    /// The cell at a coordinate, as this transaction sees it.
    ///
    /// # Errors
    /// I/O errors and damage.
    pub fn get_cell(&self, coord: Coord) -> Result<Option<Cell>> {
        get_cell(&self.changes.source(&self.core.pager), coord, u64::MAX)
    }

    /// Cells of a range in Morton order, as this transaction sees them.
    pub fn cells(&self, range: impl RangeBounds<PackedCoord>) -> Cells<'_> {
        Cells::new(self.state(), keys::cell_range(&range), u64::MAX)
    }

    /// A value of the raw keyspace, as this transaction sees it.
    ///
    /// # Errors
    /// I/O errors and damage.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        let max = self.core.limits.max_raw_key_bytes;
        get_raw(&self.changes.source(&self.core.pager), key.as_ref(), max, u64::MAX)
    }

    /// Keys and values of a range of the raw keyspace, as this transaction sees them.
    pub fn scan<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> RawScan<'_> {
        RawScan::new(self.state(), keys::raw_range(&range), u64::MAX)
    }

    /// Keys that begin with `prefix`, and their values, as this transaction sees them.
    pub fn scan_prefix(&self, prefix: impl AsRef<[u8]>) -> RawScan<'_> {
        RawScan::new(self.state(), keys::raw_prefix_range(prefix.as_ref()), u64::MAX)
    }

    fn state(&self) -> ReadState<'_> {
        ReadState::Own(&self.core.pager, &self.changes.root, self.core.limits.mvcc)
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
        let pending = if self.touched.is_empty() && self.note.is_none() {
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

    fn put_record(&mut self, logical: KeyBuf, value: &[u8]) -> Result<()> {
        let max = self.core.limits.max_value_bytes;
        if value.len() > max {
            return Err(Error::ValueTooLarge { len: value.len(), max });
        }
        self.check_usable()?;
        let key = self.changes.physical(&logical);
        let digest = Sha256::digest(value).into();
        self.apply(&key, Some(&[&[PLAIN], value]))?;
        self.touched.push(Touched { logical, value: Some(digest) });
        self.limit_memory()
    }

    fn delete_record(&mut self, logical: KeyBuf) -> Result<bool> {
        self.check_usable()?;
        let source = self.changes.source(&self.core.pager);
        let newest = newest_at(&source, &logical, u64::MAX)?;
        if newest.is_none_or(|newest| newest.tombstone) {
            return Ok(false);
        }
        let key = self.changes.physical(&logical);
        let row: Option<Row<'_>> =
            if self.core.limits.mvcc { Some(&[TOMBSTONE_ROW]) } else { None };
        self.apply(&key, row)?;
        self.touched.push(Touched { logical, value: None });
        self.limit_memory()?;
        Ok(true)
    }

    /// Puts or (without a row) removes a physical row, in the tree and in the redo stream.
    fn apply(&mut self, key: &[u8], row: Option<Row<'_>>) -> Result<()> {
        let pager = &self.core.pager;
        let applied = match row {
            Some(row) => self.changes.put_row(pager, key, row),
            None => self.changes.delete_row(pager, key).map(|_| ()),
        };
        if let Err(error) = applied {
            return Err(self.break_off(error));
        }
        match row {
            Some(row) => redo::push_put(&mut self.redo, key, row),
            None => redo::push_delete(&mut self.redo, key),
        }
        Ok(())
    }

    fn check_usable(&self) -> Result<()> {
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
    fn break_off(&mut self, error: Error) -> Error {
        self.broken = true;
        self.core.poison_unless_harmless(error)
    }

    /// Large transactions need no large memory: redo goes to the log in parts, and nodes to free
    /// pages.
    fn limit_memory(&mut self) -> Result<()> {
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
        let hash = self.history_hash(time);
        let prefix = CommitPrefix { history_hash: hash, note: self.note.clone() };
        let prefix_bytes = prefix.encode();
        let max = wal.max_payload_bytes();
        if prefix_bytes.len() + self.redo.len() > max {
            self.flush_parts(max / 2)?;
        }
        let row = MetaRow { time, hash, note: self.note.clone() };
        self.changes.finish(&core.pager, &row)?;
        let place = wal.append(&NewFrame {
            frame_type: FrameType::Commit,
            seq: self.changes.root.seq,
            time: time.as_nanos(),
            payload: &[&prefix_bytes, &self.redo],
        })?;
        self.changes.root.place = place;
        self.hand_over(place.frame);
        Ok(())
    }

    /// The commit is in the log: its state is the next base, and its pages change hands.
    fn hand_over(&mut self, frame: FrameNo) {
        let core = &self.core;
        let edit = &mut self.changes.edit;
        let mut freed = std::mem::take(&mut edit.freed);
        freed.extend(core.checkpoints.note_replaced(frame, std::mem::take(&mut edit.replaced)));
        lock(&core.pager.space).commit(frame, freed);
        let root = Arc::new(self.changes.root.clone());
        core.group.committed(&root);
        core.set_base(root);
        core.begin_checkpoint_if_due();
        self.ended = true;
        core.leave_seat();
    }

    /// SHA-256 over the hash before and the transaction's net content, in the order of keys.
    fn history_hash(&mut self, time: Timestamp) -> HistoryHash {
        if !self.touched.is_sorted_by(|a, b| a.logical <= b.logical) {
            self.touched.sort_by(|a, b| a.logical.cmp(&b.logical));
        }
        let is_last = |index: usize| {
            self.touched
                .get(index + 1)
                .is_none_or(|next| next.logical != self.touched[index].logical)
        };
        let last: Vec<usize> = (0..self.touched.len()).filter(|&index| is_last(index)).collect();
        let note = self.note.as_deref().unwrap_or_default();
        let mut hasher = Sha256::new();
        hasher.update(self.base.hash);
        hasher.update(self.commit_seq().to_le_bytes());
        hasher.update(time.as_nanos().to_le_bytes());
        hasher.update((note.len() as u32).to_le_bytes());
        hasher.update(note);
        hasher.update((last.len() as u32).to_le_bytes());
        for index in last {
            let touched = &self.touched[index];
            hasher.update([if touched.value.is_some() { 1 } else { 2 }]);
            hash_name(&mut hasher, &touched.logical);
            if let Some(digest) = touched.value {
                hasher.update(digest);
            }
        }
        let mut hash = HistoryHash::default();
        hash.copy_from_slice(&hasher.finalize()[..16]);
        hash
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

/// The record's name in the history hash: family (1 raw, 2 cell), length, and the application
/// key, or q and r of the coordinate.
fn hash_name(hasher: &mut Sha256, logical: &[u8]) {
    if let Ok(key) = keys::raw_app_key(logical) {
        hasher.update([1]);
        hasher.update((key.len() as u32).to_le_bytes());
        hasher.update(&*key);
    } else if let Ok(coord) = keys::cell_coord(logical) {
        hasher.update([2]);
        hasher.update(8u32.to_le_bytes());
        hasher.update(coord.q().to_le_bytes());
        hasher.update(coord.r().to_le_bytes());
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
