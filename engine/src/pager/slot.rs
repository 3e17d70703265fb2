//! Pointers to nodes: in memory, on disk, or both.
//!
//! Always: a slot that a published root reaches changes only in that its node is loaded.

use std::sync::Arc;

use super::node::{Node, OnDisk};
use crate::format::child::ChildPointer;
use crate::sync::OnceLock;

/// A pointer to a child.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot {
    /// Upper bound of the commit sequences of versions below.
    pub(crate) max_seq: u64,
    /// First frame of the newest transaction that touched anything below.
    pub(crate) max_change: u64,
    child: Child,
}

#[derive(Debug)]
enum Child {
    /// In memory; the node knows whether it is on disk as well.
    Node(Arc<Node>),
    /// On disk, and kept in memory once it was loaded.
    Page { at: OnDisk, loaded: OnceLock<Arc<Node>> },
}

impl Clone for Child {
    fn clone(&self) -> Self {
        match self.node() {
            // The same child; and much cheaper to copy than a filled lock.
            Some(node) => Self::Node(Arc::clone(node)),
            None => Self::Page { at: self.disk().unwrap_or_default(), loaded: OnceLock::new() },
        }
    }
}

impl Default for Child {
    fn default() -> Self {
        Self::Page { at: OnDisk::default(), loaded: OnceLock::new() }
    }
}

impl Child {
    fn node(&self) -> Option<&Arc<Node>> {
        match self {
            Self::Node(node) => Some(node),
            Self::Page { loaded, .. } => loaded.get(),
        }
    }

    fn disk(&self) -> Option<OnDisk> {
        match self {
            Self::Node(node) => node.disk.get().copied(),
            Self::Page { at, .. } => (!at.page.is_none()).then_some(*at),
        }
    }
}

impl Slot {
    /// A slot of a child on disk.
    pub(crate) fn from_pointer(pointer: ChildPointer) -> Self {
        let at = OnDisk { page: pointer.page, checksum: pointer.checksum };
        Self {
            max_seq: pointer.max_seq,
            max_change: pointer.max_change,
            child: Child::Page { at, loaded: OnceLock::new() },
        }
    }

    /// A slot of a child in memory.
    pub(crate) fn from_node(node: Arc<Node>, max_seq: u64, max_change: u64) -> Self {
        Self { max_seq, max_change, child: Child::Node(node) }
    }

    /// The slot of a node that stands in for the one behind `other`.
    pub(crate) fn from_node_at(node: Arc<Node>, other: &Self) -> Self {
        Self::from_node(node, other.max_seq, other.max_change)
    }

    /// The child, if it is in memory.
    #[inline]
    pub(crate) fn node(&self) -> Option<&Arc<Node>> {
        self.child.node()
    }

    /// The child in memory, which the slot does not hold any more then.
    pub(crate) fn take_node(&mut self) -> Option<Arc<Node>> {
        match &mut self.child {
            Child::Node(_) => match std::mem::take(&mut self.child) {
                Child::Node(node) => Some(node),
                Child::Page { .. } => None,
            },
            Child::Page { loaded, .. } => loaded.take(),
        }
    }

    /// The child in memory, where nobody else has it.
    pub(crate) fn own_node(&mut self) -> Option<&mut Node> {
        match &mut self.child {
            Child::Node(node) => Arc::get_mut(node),
            Child::Page { loaded, .. } => loaded.get_mut().and_then(Arc::get_mut),
        }
    }

    /// Keeps a node that was loaded from the slot's page, unless another one was first.
    pub(crate) fn keep_loaded(&self, node: Arc<Node>) -> &Arc<Node> {
        match &self.child {
            Child::Node(node) => node,
            Child::Page { loaded, .. } => loaded.get_or_init(|| node),
        }
    }

    /// Where the child is on disk, if it is.
    pub(crate) fn disk(&self) -> Option<OnDisk> {
        self.child.disk()
    }

    /// The pointer as it goes to disk; `None` while the child is not there.
    pub(crate) fn pointer(&self) -> Option<ChildPointer> {
        self.disk().map(|disk| ChildPointer {
            page: disk.page,
            checksum: disk.checksum,
            max_seq: self.max_seq,
            max_change: self.max_change,
        })
    }

    /// The same child without the node in memory; `None` while it cannot be read from disk.
    pub(crate) fn without_node(&self) -> Option<Self> {
        if self.node().is_some_and(|node| !node.disk.is_written()) {
            return None;
        }
        self.pointer().map(Self::from_pointer)
    }
}
