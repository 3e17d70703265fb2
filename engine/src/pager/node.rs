//! Nodes of a tree in memory.
//!
//! Always: a node that a published root reaches never changes, but for two things that readers
//! cannot see: `disk` is filled in once when the node is written out, and a slot's `node` once
//! when the child is loaded. A node made since the last published root is changed in place,
//! which its reference count tells.

use std::sync::Arc;

use super::children::Children;
use super::slot::Slot;
use crate::format::FormatResult;
use crate::format::bytes::{Reader, put};
use crate::format::child::{CHILD_BYTES, ChildPointer};
use crate::format::page::{self, PageType};
use crate::format::slotted::Slotted;
use crate::ids::{Checksum, PageNo};
use crate::sync::{AtomicBool, AtomicU64, OnceLock, Ordering};

/// Where a node was written and what its bytes are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OnDisk {
    pub(crate) page: PageNo,
    pub(crate) checksum: Checksum,
}

/// A node's place on disk, shared by all stand-ins of the node: who writes one of them has
/// written them all.
#[derive(Debug, Default)]
pub(crate) struct DiskState {
    at: OnceLock<OnDisk>,
    written: AtomicBool,
}

impl DiskState {
    /// Where the node is, or is about to be written.
    pub(crate) fn get(&self) -> Option<&OnDisk> {
        self.at.get()
    }

    /// The node is about to be written there.
    pub(crate) fn place(&self, at: OnDisk) {
        let _ = self.at.set(at);
    }

    /// The node can be read from there: so it may leave memory.
    pub(crate) fn mark_written(&self) {
        self.written.store(true, Ordering::Release);
    }

    pub(super) fn is_written(&self) -> bool {
        self.written.load(Ordering::Acquire)
    }
}

/// Counts the bytes of nodes that live outside of the leaf cache.
#[derive(Debug)]
pub(crate) struct Charge {
    counter: Arc<AtomicU64>,
    bytes: u64,
    active: AtomicBool,
}

impl Charge {
    pub(crate) fn new(counter: &Arc<AtomicU64>, bytes: u64, active: bool) -> Self {
        if active {
            counter.fetch_add(bytes, Ordering::Relaxed);
        }
        Self { counter: Arc::clone(counter), bytes, active: AtomicBool::new(active) }
    }

    fn release(&self) {
        if self.active.swap(false, Ordering::Relaxed) {
            self.counter.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.release();
    }
}

/// A leaf or a branch. Its layout keeps the page's place next to the reference count: who reads a
/// row touches these two alone.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Node {
    /// Entries of a leaf; separators of a branch.
    pub(crate) keys: Slotted,
    /// Children of a branch, one more than separators; empty in a leaf.
    pub(crate) children: Children,
    /// Where the node is on disk, once it is.
    pub(crate) disk: Arc<DiskState>,
    /// Whether the node, or anything below it, may have been in memory only since the last fold.
    pub(crate) unfolded: bool,
    charge: Charge,
}

impl Node {
    /// An empty leaf.
    pub(crate) fn empty_leaf(page_size: usize, counter: &Arc<AtomicU64>) -> Self {
        Self::dirty(Slotted::new(page_size, 0), Children::default(), counter)
    }

    /// A node that is not on disk.
    pub(crate) fn dirty(keys: Slotted, children: Children, counter: &Arc<AtomicU64>) -> Self {
        let bytes = memory_bytes(&keys);
        Self {
            keys,
            children,
            disk: Arc::default(),
            unfolded: true,
            charge: Charge::new(counter, bytes, true),
        }
    }

    /// A copy that may be changed.
    pub(crate) fn copy(&self) -> Self {
        Self::dirty(self.keys.clone(), self.children.clone(), &self.charge.counter)
    }

    /// The same node with other child slots (which point to the same children).
    pub(crate) fn with_children(&self, children: Children) -> Self {
        let mut node = Self::dirty(self.keys.clone(), children, &self.charge.counter);
        node.disk = Arc::clone(&self.disk);
        node.unfolded = !self.disk.is_written();
        node
    }

    /// A node read from a verified page; leaves live in the cache and are not charged here.
    pub(crate) fn from_page(
        bytes: Arc<[u8]>,
        disk: OnDisk,
        counter: &Arc<AtomicU64>,
    ) -> FormatResult<Self> {
        let keys = Slotted::from_bytes(bytes)?;
        let children =
            if keys.level() == 0 { Children::default() } else { decode_children(&keys)? };
        let charge = Charge::new(counter, memory_bytes(&keys), keys.level() > 0);
        let node = Self { keys, children, disk: Arc::default(), unfolded: false, charge };
        node.disk.place(disk);
        node.disk.mark_written();
        Ok(node)
    }

    /// Height above the leaves.
    pub(crate) fn level(&self) -> u8 {
        self.keys.level()
    }

    /// Index of the child that may hold `key`.
    pub(crate) fn child_index(&self, key: &[u8]) -> usize {
        match self.keys.search(key) {
            Ok(index) => index + 1,
            Err(index) => index,
        }
    }

    /// Bytes that must stay free for the child pointers when there are `extra` more of them.
    pub(crate) fn reserve(&self, extra: usize) -> usize {
        if self.children.is_empty() { 0 } else { (self.children.len() + extra) * CHILD_BYTES }
    }

    /// The page's bytes, sealed for `page`; `None` while a child is not on disk, or where
    /// the child pointers do not fit.
    pub(crate) fn encode(&self, page: PageNo) -> Option<(Box<[u8]>, Checksum)> {
        let mut bytes: Box<[u8]> = self.keys.bytes().into();
        let page_type = if self.children.is_empty() { PageType::Leaf } else { PageType::Branch };
        // A fault of the engine would end here, before wrong bytes get a checksum.
        if self.keys.free_bytes() < self.reserve(0) {
            return None;
        }
        let mut at = self.keys.arrays_end();
        for child in self.children.iter() {
            put(&mut bytes, at, &child.pointer()?.to_bytes());
            at += CHILD_BYTES;
        }
        let checksum = page::seal(&mut bytes, page_type, page);
        Some((bytes, checksum))
    }

    /// Stops counting the node's bytes here: the leaf cache does from now on.
    pub(crate) fn release_charge(&self) {
        self.charge.release();
    }
}

/// What a node takes in memory, roughly.
fn memory_bytes(keys: &Slotted) -> u64 {
    let page = keys.bytes().len() as u64;
    if keys.level() == 0 { page } else { 2 * page }
}

fn decode_children(keys: &Slotted) -> FormatResult<Children> {
    let start = keys.arrays_end();
    let count = keys.count() + 1;
    let end = start + count * CHILD_BYTES;
    let bytes = keys.bytes().get(start..end).ok_or("child pointers past the page")?;
    if keys.free_bytes() < count * CHILD_BYTES {
        return Err("child pointers overlap the separators".into());
    }
    let mut reader = Reader::new(bytes);
    (0..count).map(|_| ChildPointer::decode(&mut reader).map(Slot::from_pointer)).collect()
}
