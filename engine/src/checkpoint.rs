//! Writing a durable snapshot's nodes to free pages and switching the header to it, in slices
//! beside running commits.
//!
//! Steps: pages (some at a time, each slice synced) · free list and catalogue · log sync, primary
//! sync · header, sync. Until the last one the old header stands and nothing that it needs is
//! touched. A step runs on the thread of whoever committed; no step holds the writer's seat.

use std::sync::Arc;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::format::free_list::{Extent, FreeListPage};
use crate::format::header::{Header, State, first_page};
use crate::format::page::{self, PageType};
use crate::ids::{Checksum, FrameNo, PageNo};
use crate::pager::{Node, Owner, Pager, Space, WriteError, WriteOut, dirty_nodes};
use crate::probe::{self, Probe};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::tx::Root;
use crate::wal::Wal;

/// Bytes of pages that one slice writes at most.
const SLICE_BYTES: usize = 2 << 20;
/// A checkpoint is spread over this share of `checkpoint_wal_bytes` of further log.
const SPREAD: u64 = 2;

/// A checkpoint that is being written.
struct Job {
    root: Arc<Root>,
    out: WriteOut,
    slice_nodes: usize,
    /// Further log after which the next step is due.
    step_bytes: u64,
    next_at: u64,
}

/// What commits must know of a checkpoint that is being written.
#[derive(Default)]
struct Shared {
    active: Option<FrameNo>,
    /// Nodes that commits after its snapshot replaced before they were on disk.
    replaced: Vec<(FrameNo, Arc<Node>)>,
    fold_due: bool,
    durable: FrameNo,
    begun_at_bytes: u64,
    done: u64,
    /// Pages of the catalogue and the free list that the durable header names.
    root_pages: Vec<Extent>,
}

/// The checkpoint being written, if any, and what the last one left.
pub(crate) struct Checkpoints {
    job: Mutex<Option<Job>>,
    shared: Mutex<Shared>,
}

impl std::fmt::Debug for Checkpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkpoints").finish_non_exhaustive()
    }
}

impl Checkpoints {
    pub(crate) fn new(durable: FrameNo, root_pages: Vec<Extent>) -> Self {
        let shared = Shared { durable, root_pages, ..Shared::default() };
        Self { job: Mutex::new(None), shared: Mutex::new(shared) }
    }

    /// The last frame that the newest durable header contains.
    pub(crate) fn durable(&self) -> FrameNo {
        lock(&self.shared).durable
    }

    pub(crate) fn set_durable(&self, frame: FrameNo) {
        lock(&self.shared).durable = frame;
    }

    /// Checkpoints completed by this handle.
    pub(crate) fn count(&self) -> u64 {
        lock(&self.shared).done
    }

    /// Pages of the catalogue and the free list that the durable header names.
    pub(crate) fn root_pages(&self) -> Vec<Extent> {
        lock(&self.shared).root_pages.clone()
    }

    pub(crate) fn take_fold_due(&self) -> bool {
        std::mem::take(&mut lock(&self.shared).fold_due)
    }

    /// A commit replaced these nodes, which were not on disk: those that the running checkpoint
    /// writes all the same become free with it. Returns the pages of those that are on disk by
    /// now.
    pub(crate) fn note_replaced(&self, frame: FrameNo, nodes: Vec<Arc<Node>>) -> Vec<Extent> {
        let mut shared = lock(&self.shared);
        let active = shared.active.is_some();
        let mut freed = Vec::new();
        for node in nodes {
            match node.disk.get() {
                Some(disk) => freed.push(Extent::one(disk.page)),
                None if active => shared.replaced.push((frame, node)),
                None => {}
            }
        }
        freed
    }
}

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
            self.begin_checkpoint(wal);
        }
    }

    fn begin_checkpoint(&self, wal: &Wal) {
        // Roots that are folded late hold nodes that look unwritten to nobody but memory.
        self.tidy_base();
        let mut job = lock(&self.checkpoints.job);
        if job.is_some() {
            return;
        }
        let root = self.base();
        let mut nodes = Vec::new();
        dirty_nodes(&root.records.root, &mut nodes);
        dirty_nodes(&root.meta.root, &mut nodes);
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

    /// Runs a checkpoint of the base to its end. For the owner of the seat.
    pub(crate) fn checkpoint_now(&self) -> Result<()> {
        let Some(wal) = self.wal.get() else { return Ok(()) };
        self.finish_running()?;
        self.tidy_base();
        if self.base().frame() > self.checkpoints.durable() {
            self.begin_checkpoint(wal);
            self.finish_running()?;
        }
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
                **slot = None;
                self.end_checkpoint(Some(frame));
                Ok(())
            }
            Err(WriteError::NoSpace(error)) => {
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
        let wal = self.wal.get().ok_or_else(|| WriteError::Failed(Error::DatabaseClosed))?;
        // The header names the snapshot's last frame, which must be there after any crash.
        let reached = wal
            .wait_durable(root.frame())
            .map_err(|cause| WriteError::Failed(Error::Poisoned { cause }))?;
        self.group.publish(reached);
        let roots = write_roots(self, root)?;
        self.pager.file.sync_data().map_err(|error| WriteError::Failed(error.into()))?;
        self.write_header(|next| {
            next.catalog = roots.catalog;
            next.free_list = roots.free_list;
            next.head_seq = root.seq;
            next.head_time = root.time;
            next.head_hash = root.hash;
            next.retired = root.place;
        })
        .map_err(WriteError::Failed)?;
        lock(&self.checkpoints.shared).root_pages = roots.pages;
        wal.header_durable(lock(&self.header).generation, root.frame());
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
            if let Some(disk) = node.disk.get() {
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

/// Writes free list and catalogue of `root`. The pages of those before become free with it.
fn write_roots(core: &Core, root: &Root) -> std::result::Result<RootPages, WriteError> {
    let old = std::mem::take(&mut lock(&core.checkpoints.shared).root_pages);
    write_root_pages(&core.pager, root, old)
}

/// Allocates the catalogue's page and as many as the free list needs.
fn plan_roots(space: &mut Space, page_size: usize, frame: FrameNo) -> (Vec<PageNo>, Vec<Extent>) {
    let catalog = space.allocate_page(Owner::Checkpoint);
    let count = space.durable_free(frame).len();
    // Taking pages from the list does not make it longer.
    let needed = count.div_ceil(FreeListPage::capacity(page_size));
    let list = (0..needed).map(|_| space.allocate_page(Owner::Checkpoint));
    let pages = std::iter::once(catalog).chain(list.collect::<Vec<_>>()).collect();
    (pages, space.durable_free(frame))
}

/// The catalogue's page and the free list's, as a header names them.
#[derive(Clone, Debug)]
pub(crate) struct RootPages {
    pub(crate) catalog: (PageNo, Checksum),
    pub(crate) free_list: (PageNo, Checksum),
    /// All of them.
    pub(crate) pages: Vec<Extent>,
}

/// Writes catalogue and free list of a tree whose nodes are all on disk; `old` are the pages of
/// those that it replaces.
pub(crate) fn write_root_pages(
    pager: &Pager,
    root: &Root,
    old: Vec<Extent>,
) -> std::result::Result<RootPages, WriteError> {
    let (pages, extents, end) = {
        let mut space = lock(&pager.space);
        space.add_freed(root.frame(), old);
        let (pages, extents) = plan_roots(&mut space, pager.page_size, root.frame());
        (pages, extents, space.end())
    };
    if let Err(error) = pager.reserve(end) {
        let mut space = lock(&pager.space);
        pages.iter().for_each(|&page| space.give_back(Extent::one(page)));
        return Err(WriteError::NoSpace(error));
    }
    let failed = |what: &str| WriteError::Failed(pager.corrupt(pages[0], what));
    let catalog = root.catalog().ok_or_else(|| failed("a tree was not written"))?;
    let bytes = catalog.encode(pager.page_size);
    let mut bytes = bytes.ok_or_else(|| failed("the catalogue is too large"))?;
    let checksum = page::seal(&mut bytes, PageType::Catalog, pages[0]);
    pager.write_run(pages[0], &bytes).map_err(WriteError::Failed)?;
    let free_list = write_free_list(pager, &pages[1..], &extents).map_err(WriteError::Failed)?;
    let pages_of_roots = pages.iter().map(|&page| Extent::one(page)).collect();
    Ok(RootPages { catalog: (pages[0], checksum), free_list, pages: pages_of_roots })
}

/// Writes the list's pages, the last one first: each names the next.
fn write_free_list(
    pager: &Pager,
    pages: &[PageNo],
    extents: &[Extent],
) -> Result<(PageNo, Checksum)> {
    let chunks: Vec<&[Extent]> = extents.chunks(FreeListPage::capacity(pager.page_size)).collect();
    let mut next = (PageNo::NONE, Checksum::default());
    for (index, &list_page) in pages.iter().enumerate().rev() {
        let extents = chunks.get(index).map(|chunk| chunk.to_vec()).unwrap_or_default();
        let list = FreeListPage { next: next.0, next_checksum: next.1, extents };
        let mut bytes = list.encode(pager.page_size);
        let checksum = page::seal(&mut bytes, PageType::FreeList, list_page);
        pager.write_run(list_page, &bytes)?;
        next = (list_page, checksum);
    }
    Ok(next)
}

/// Reads the free list that a header names: its extents and its own pages.
pub(crate) fn read_free_list(
    pager: &Pager,
    header: &Header,
) -> Result<(Vec<Extent>, Vec<PageNo>)> {
    let first = first_page(pager.page_size);
    let (mut next, mut extents, mut pages) = (header.free_list, Vec::new(), Vec::new());
    while !next.0.is_none() {
        if pages.len() as u64 > header.page_count {
            return Err(pager.corrupt(next.0, "the free list has no end"));
        }
        let bytes = pager.read_page(next.0, PageType::FreeList, &next.1)?;
        let list = FreeListPage::decode(&bytes, first, header.page_count)
            .map_err(|what| pager.corrupt(next.0, what))?;
        pages.push(next.0);
        extents.extend(list.extents);
        next = (list.next, list.next_checksum);
    }
    Ok((extents, pages))
}
