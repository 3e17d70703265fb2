//! The checkpoint that is being written, if any, and what the last one left: what commits and the
//! writing itself must know of each other.

use std::sync::Arc;

use crate::format::free_list::Extent;
use crate::ids::FrameNo;
use crate::pager::{DiskState, WriteOut};
use crate::sync::{Mutex, lock};
use crate::timeline::Root;

/// A checkpoint that is being written.
pub(crate) struct Job {
    pub(crate) root: Arc<Root>,
    pub(crate) out: WriteOut,
    pub(crate) slice_nodes: usize,
    /// Further log after which the next step is due.
    pub(crate) step_bytes: u64,
    pub(crate) next_at: u64,
}

/// What commits must know of a checkpoint that is being written.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) active: Option<FrameNo>,
    /// Nodes that commits after its snapshot replaced before they were on disk.
    pub(crate) replaced: Vec<(FrameNo, Arc<DiskState>)>,
    pub(crate) fold_due: bool,
    pub(crate) durable: FrameNo,
    pub(crate) begun_at_bytes: u64,
    pub(crate) done: u64,
    /// Pages of the catalogue and the free list that the durable header names.
    pub(crate) root_pages: Vec<Extent>,
}

/// The checkpoint being written, if any, and what the last one left.
pub(crate) struct Checkpoints {
    pub(crate) job: Mutex<Option<Job>>,
    pub(crate) shared: Mutex<Shared>,
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
    pub(crate) fn note_replaced(&self, frame: FrameNo, nodes: Vec<Arc<DiskState>>) -> Vec<Extent> {
        let mut shared = lock(&self.shared);
        let active = shared.active.is_some();
        let mut freed = Vec::new();
        for node in nodes {
            match node.get() {
                Some(disk) => freed.push(Extent::one(disk.page)),
                None if active => shared.replaced.push((frame, node)),
                None => {}
            }
        }
        freed
    }
}
