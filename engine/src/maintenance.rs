//! Changes that take no sequence: the prune floor, versions that nobody can read, snapshot tags.
//!
//! They hold the writer's seat and go through the log like commits, in frames of their own. Each
//! change is complete in itself, so that a state between two of them is a state like any other:
//! where they do not fit into one frame they go out in several.

use std::sync::Arc;

use crate::changes::Changes;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::format::frame::FrameType;
use crate::format::redo::{self, MaintenancePrefix};
use crate::ids::FrameNo;
use crate::keys::{self, Family};
use crate::probe::{self, Probe};
use crate::sync::lock;
use crate::time::Timestamp;
use crate::timeline::{PLAIN, Root, Source};
use crate::wal::{NewFrame, Wal};

/// Bytes of changes in one frame at most.
const FRAME_BYTES: usize = 256 << 10;
/// What a change takes beside its key and value: operation, two lengths and a tag, and more.
const CHANGE_BYTES: usize = 16;
/// What a frame takes beside its changes.
const PREFIX_BYTES: usize = 16;

/// Maintenance under way. Dropping it undoes what is not yet in the log.
pub(crate) struct Maintenance {
    core: Arc<Core>,
    changes: Changes,
    redo: Vec<u8>,
    frame_bytes: usize,
    /// Something is to be written that is not yet in the log.
    dirty: bool,
    last: FrameNo,
    checkpoint: bool,
    ended: bool,
}

impl Maintenance {
    /// Takes the seat.
    pub(crate) fn begin(core: &Arc<Core>) -> Result<Self> {
        let base = core.take_seat()?;
        let wal = core.wal.get();
        let next = wal.map_or(FrameNo(0), Wal::next_frame);
        let most = wal.map_or(FRAME_BYTES, Wal::max_payload_bytes) - PREFIX_BYTES;
        Ok(Self {
            core: Arc::clone(core),
            changes: Changes::maintenance((*base).clone(), next, core.limits.mvcc),
            redo: Vec::new(),
            frame_bytes: most.min(FRAME_BYTES),
            dirty: false,
            last: base.frame(),
            checkpoint: false,
            ended: false,
        })
    }

    /// The state so far.
    pub(crate) fn root(&self) -> &Root {
        &self.changes.root
    }

    /// The state so far, for reading.
    pub(crate) fn source(&self) -> Source<'_> {
        self.changes.source(&self.core.pager)
    }

    /// Raises the prune floor.
    pub(crate) fn raise_floor(&mut self, floor: u64) {
        probe::hit(Probe::FloorRaised);
        self.changes.root.floor = floor;
        self.dirty = true;
    }

    /// Everything is pruned to this floor.
    pub(crate) fn note_pruned(&mut self, pruned: u64) {
        probe::hit(Probe::PrunePassDone);
        self.changes.root.pruned = pruned;
        self.dirty = true;
    }

    /// Puts a row of the tree `meta`.
    pub(crate) fn put_meta(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.make_room(key.len() + value.len())?;
        self.changes
            .put_meta(&self.core.pager, key, value)
            .map_err(|error| self.core.poison_unless_harmless(error))?;
        redo::push_put(&mut self.redo, key, &[&[PLAIN], value]);
        Ok(())
    }

    /// Removes a row: a tag, or a version that no snapshot sees.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Result<()> {
        self.make_room(key.len())?;
        self.remove_row(key)
    }

    /// Removes a commit from the timeline: both its rows in one frame, so that none is there alone.
    pub(crate) fn remove_commit(&mut self, seq: u64, time: Timestamp) -> Result<()> {
        let (by_seq, by_time) = (keys::commit_key(seq), keys::commit_time_key(time, seq));
        self.make_room(by_seq.len() + by_time.len() + CHANGE_BYTES)?;
        self.remove_row(&by_seq)?;
        self.remove_row(&by_time)
    }

    fn remove_row(&mut self, key: &[u8]) -> Result<()> {
        let pager = &self.core.pager;
        let removed = if key.first() == Some(&(Family::Meta as u8)) {
            self.changes.remove_meta(pager, key).map(|_| ())
        } else {
            self.changes.remove_version(pager, key)
        };
        removed.map_err(|error| self.core.poison_unless_harmless(error))?;
        redo::push_delete(&mut self.redo, key);
        Ok(())
    }

    /// Writes the frame out where one more change of this size does not fit.
    fn make_room(&mut self, bytes: usize) -> Result<()> {
        if self.redo.len() + bytes + CHANGE_BYTES > self.frame_bytes {
            probe::hit(Probe::MaintenanceFrames);
            self.append()?;
        }
        self.dirty = true;
        Ok(())
    }

    fn append(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.dirty) {
            return Ok(());
        }
        self.core.check_writable()?;
        let Some(wal) = self.core.wal.get() else { return Err(Error::ReadOnly) };
        let Root { floor, pruned, .. } = self.changes.root;
        let prefix = MaintenancePrefix { floor, pruned }.encode();
        let payload = &[&prefix[..], &self.redo];
        let frame_type = FrameType::Maintenance;
        let place = wal.append(&NewFrame { frame_type, seq: 0, time: 0, payload })?;
        self.redo.clear();
        self.changes.root.place = place;
        self.last = place.frame;
        self.core.hand_over(&mut self.changes, place.frame);
        wal.limit_unsynced().map_err(|cause| Error::Poisoned { cause })?;
        let next = wal.next_frame();
        let root = self.core.base();
        self.changes = Changes::maintenance((*root).clone(), next, self.core.limits.mvcc);
        Ok(())
    }

    /// Begins a checkpoint, once everything is in the log, unless one is running.
    pub(crate) fn begin_checkpoint(&mut self) {
        self.checkpoint = true;
    }

    /// Writes everything to the log, leaves the seat, and returns once it is durable and
    /// published.
    pub(crate) fn commit(mut self) -> Result<()> {
        self.append()?;
        if self.checkpoint {
            self.core.begin_checkpoint_early();
        } else {
            self.core.begin_checkpoint_if_due();
        }
        self.leave();
        let core = Arc::clone(&self.core);
        match core.settle(self.last, 0) {
            Ok(()) => {}
            // Nothing of it is missed if it is not there.
            Err(Error::CommitUnknown { cause, .. }) => return Err(Error::Poisoned { cause }),
            Err(other) => return Err(other),
        }
        core.drive_checkpoint();
        Ok(())
    }

    fn leave(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            lock(&self.core.pager.space).rollback();
            self.core.leave_seat();
        }
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.leave();
    }
}
