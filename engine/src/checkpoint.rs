//! Writing a durable snapshot's nodes to free pages and switching the header to it, in slices
//! beside running commits.
//!
//! Steps: pages (some at a time, each slice synced) · free list and catalogue · log sync, primary
//! sync · header, sync. Until the last one the old header stands and nothing that it needs is
//! touched. A step runs on the thread of whoever committed; no step holds the writer's seat.

use crate::core::{Core, Job};
use crate::error::{Error, Result};
use crate::format::free_list::Extent;
use crate::format::header::State;
use crate::ids::FrameNo;
use crate::pager::{Owner, WriteError, WriteOut, write_root_pages};
use crate::probe::{self, Probe};
use crate::sync::{MutexGuard, lock};

/// Bytes of pages that one slice writes at most.
const SLICE_BYTES: usize = 2 << 20;
/// A checkpoint is spread over this share of `checkpoint_wal_bytes` of further log.
const SPREAD: u64 = 2;

impl Core {
    /// Begins a checkpoint of the base if one is due. For the owner of the seat.
    pub(crate) fn begin_checkpoint_if_due(&self) {
        let Some(wal) = self.wal.get() else { return };
        let appended = wal.appended_bytes();
        let resident = self.pager.resident_bytes();
        let due = {
            let shared = lock(&self.checkpoints.shared);
            let since = appended - shared.begun_at_bytes;
            shared.active.is_none()
                && (since >= self.options.checkpoint_wal_bytes
                    || resident > self.pager.resident_limit() && since > 0)
        };
        if due {
            self.begin_checkpoint();
        }
    }

    /// Begins a checkpoint of the base, unless one is running, whether or not one is due. For the
    /// owner of the seat.
    pub(crate) fn begin_checkpoint_early(&self) {
        if lock(&self.checkpoints.shared).active.is_none() {
            self.begin_checkpoint();
        }
    }

    fn begin_checkpoint(&self) {
        let Some(wal) = self.wal.get() else { return };
        // Roots that are folded late hold nodes that look unwritten to nobody but memory.
        self.tidy_base();
        let mut job = lock(&self.checkpoints.job);
        if job.is_some() {
            return;
        }
        let root = self.base();
        let nodes = root.dirty_nodes();
        let slice_nodes = (nodes.len() / 4 + 1).min(SLICE_BYTES / self.pager.page_size).max(1);
        let steps = (nodes.len().div_ceil(slice_nodes) + 2) as u64;
        let step_bytes = self.options.checkpoint_wal_bytes / SPREAD / steps;
        let appended = wal.appended_bytes();
        let mut shared = lock(&self.checkpoints.shared);
        shared.active = Some(root.frame());
        shared.begun_at_bytes = appended;
        let out = WriteOut::new(nodes, Owner::Checkpoint);
        *job = Some(Job { root, out, slice_nodes, step_bytes, next_at: appended + step_bytes });
    }

    /// Takes a step of the running checkpoint if one is due and nobody else is at it.
    pub(crate) fn drive_checkpoint(&self) {
        let Some(wal) = self.wal.get() else { return };
        let Ok(mut job) = self.checkpoints.job.try_lock() else { return };
        let over = self.pager.resident_bytes() > self.pager.resident_limit();
        let appended = wal.appended_bytes();
        if let Some(running) = job.as_mut()
            && (over || appended >= running.next_at)
        {
            running.next_at = appended + running.step_bytes;
            probe::hit(Probe::CheckpointBesideCommits);
            // A failure poisons the handle or leaves the old header standing; the commit that
            // carried this step is durable either way.
            let _ = self.step(&mut job);
        }
    }

    /// Runs the checkpoint that has begun to its end, beside commits.
    pub(crate) fn finish_checkpoint(&self) {
        // A failure poisons the handle or leaves the old header standing.
        let _ = self.finish_running();
    }

    /// Runs a checkpoint of the base to its end. For the owner of the seat.
    pub(crate) fn checkpoint_now(&self) -> Result<()> {
        self.finish_running()?;
        self.tidy_base();
        if self.base().frame() > self.checkpoints.durable() {
            self.begin_checkpoint();
            self.finish_running()?;
        }
        self.tidy_base();
        Ok(())
    }

    /// Runs a checkpoint of the base to its end, whether or not anything has changed. For the owner
    /// of the seat.
    pub(crate) fn checkpoint_again(&self) -> Result<()> {
        self.finish_running()?;
        self.begin_checkpoint();
        self.finish_running()?;
        self.tidy_base();
        Ok(())
    }

    fn finish_running(&self) -> Result<()> {
        let mut job = lock(&self.checkpoints.job);
        while job.is_some() {
            self.step(&mut job)?;
        }
        Ok(())
    }

    /// One step; clears the job when it is done or given up.
    fn step(&self, slot: &mut MutexGuard<'_, Option<Job>>) -> Result<()> {
        let Some(job) = slot.as_mut() else { return Ok(()) };
        if let Some(cause) = self.failure() {
            **slot = None;
            return Err(Error::Poisoned { cause });
        }
        let result = if job.out.remaining() > 0 {
            self.page_step(job).map(|()| false)
        } else {
            self.header_step(job).map(|()| true)
        };
        match result {
            Ok(false) => Ok(()),
            Ok(true) => {
                let frame = job.root.frame();
                #[cfg(feature = "tracing")]
                tracing::debug!(head = job.root.seq, "checkpoint done");
                **slot = None;
                self.end_checkpoint(Some(frame));
                Ok(())
            }
            Err(WriteError::NoSpace(error)) => {
                #[cfg(feature = "tracing")]
                tracing::warn!(%error, "no space for a checkpoint; the log grows");
                probe::hit(Probe::CheckpointNoSpace);
                **slot = None;
                self.end_checkpoint(None);
                Err(error)
            }
            Err(WriteError::Failed(error)) => {
                **slot = None;
                Err(self.poison(&error))
            }
        }
    }

    fn page_step(&self, job: &mut Job) -> std::result::Result<(), WriteError> {
        job.out.slice(&self.pager, job.slice_nodes)?;
        self.pager.file.sync_data().map_err(|error| WriteError::Failed(error.into()))
    }

    fn header_step(&self, job: &Job) -> std::result::Result<(), WriteError> {
        let root = &job.root;
        let wal = self.wal.get().ok_or(WriteError::Failed(Error::DatabaseClosed))?;
        // The header names the snapshot's last frame, which must be there after any crash.
        let reached = wal
            .wait_durable(root.frame())
            .map_err(|cause| WriteError::Failed(Error::Poisoned { cause }))?;
        self.group.publish(reached);
        let catalog = root.catalog().ok_or_else(|| {
            let what = "a tree was not written before its catalogue";
            WriteError::Failed(Error::corrupt(&self.path, 0, what))
        })?;
        // What the old header names becomes free with it.
        let old = std::mem::take(&mut lock(&self.checkpoints.shared).root_pages);
        let roots = write_root_pages(&self.pager, &catalog, root.frame(), old)?;
        // The header states the file's length, which only `sync_all` makes durable where the last
        // pages were allocated and never written.
        let grown = roots.page_count > lock(&self.header).page_count;
        let file = &self.pager.file;
        let synced = if grown { file.sync_all() } else { file.sync_data() };
        synced.map_err(|error| WriteError::Failed(error.into()))?;
        // As the last step before the header: a sealed segment takes no more until that is durable.
        let changelog = self.sync_changelog().map_err(|error| match error {
            Error::Io(io) if io.is_no_space() => {
                let mut space = lock(&self.pager.space);
                roots.pages.iter().for_each(|&page| space.give_back(page));
                WriteError::NoSpace(Error::Io(io))
            }
            other => WriteError::Failed(other),
        })?;
        self.write_header(|next| {
            next.changelog = changelog.unwrap_or(next.changelog);
            next.page_count = roots.page_count;
            next.catalog = roots.catalog;
            next.free_list = roots.free_list;
            next.head_seq = root.seq;
            next.head_time = root.time;
            next.head_hash = root.hash;
            next.retired = root.place;
            next.durable = reached;
        })
        .map_err(WriteError::Failed)?;
        lock(&self.checkpoints.shared).root_pages = roots.pages;
        wal.header_durable(lock(&self.header).generation, root.frame());
        // A sealed segment is set apart. A failure poisons the handle, or is met again by writers.
        let _ = self.catch_up_changelog();
        self.trim_changelog_if_due();
        Ok(())
    }

    /// The checkpoint is durable up to `done`, or given up.
    fn end_checkpoint(&self, done: Option<FrameNo>) {
        let replaced = {
            let mut shared = lock(&self.checkpoints.shared);
            shared.active = None;
            if let Some(frame) = done {
                probe::hit(Probe::CheckpointDone);
                shared.durable = frame;
                shared.fold_due = true;
                shared.done += 1;
            }
            std::mem::take(&mut shared.replaced)
        };
        let mut space = lock(&self.pager.space);
        for (frame, node) in replaced {
            if let Some(disk) = node.get() {
                probe::hit(Probe::ReplacedWhileCheckpointing);
                space.add_freed(frame, vec![Extent::one(disk.page)]);
            }
        }
        drop(space);
        self.release_space();
    }

    /// Publishes the final tree as two successive generations marked clean.
    pub(crate) fn write_clean(&self) -> Result<()> {
        for _ in 0..2 {
            self.write_header(|next| next.state = State::Clean)?;
        }
        match self.wal.get() {
            Some(wal) => wal.mark_retired(),
            None => Ok(()),
        }
    }
}
