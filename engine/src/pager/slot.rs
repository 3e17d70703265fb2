//! Pointers to nodes: in memory, on disk, or both.
//!
//! Always: a slot that a published root reaches changes only in that its node is loaded.

use std::sync::{Arc, Weak};

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
    /// On disk, and perhaps loaded.
    Page { at: OnDisk, loaded: OnceLock<Loaded> },
}

#[derive(Debug)]
enum Loaded {
    /// Kept by the slot.
    Branch(Arc<Node>),
    /// Kept by the cache, for as long as it likes.
    Leaf(Weak<Node>),
}

impl Loaded {
    fn branch(&self) -> Option<&Arc<Node>> {
        match self {
            Self::Branch(node) => Some(node),
            Self::Leaf(_) => None,
        }
    }
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
            Self::Page { loaded, .. } => loaded.get().and_then(Loaded::branch),
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
            Child::Page { loaded, .. } => match loaded.take() {
                Some(Loaded::Branch(node)) => Some(node),
                _ => None,
            },
        }
    }

    /// The child in memory, where nobody else has it.
    pub(crate) fn own_node(&mut self) -> Option<&mut Node> {
        match &mut self.child {
            Child::Node(node) => Arc::get_mut(node),
            Child::Page { .. } => None,
        }
    }

    /// Keeps a branch that was loaded from the slot's page, unless another reader was first.
    pub(crate) fn keep_branch(&self, node: &Arc<Node>) {
        if let Child::Page { loaded, .. } = &self.child {
            let _ = loaded.set(Loaded::Branch(Arc::clone(node)));
        }
    }

    /// Remembers a leaf that the cache keeps.
    pub(crate) fn remember_leaf(&self, node: &Arc<Node>) {
        if let Child::Page { loaded, .. } = &self.child {
            let _ = loaded.set(Loaded::Leaf(Arc::downgrade(node)));
        }
    }

    /// The leaf that was remembered, if it still is in memory.
    #[inline]
    pub(crate) fn remembered_leaf(&self) -> Option<Arc<Node>> {
        match &self.child {
            Child::Page { loaded, .. } => match loaded.get() {
                Some(Loaded::Leaf(node)) => node.upgrade(),
                _ => None,
            },
            Child::Node(_) => None,
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
