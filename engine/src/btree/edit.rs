//! What a change of a tree carries along: the stamp of its transaction, the pages it frees, and
//! the rule by which a node may be changed in place.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::free_list::Extent;
use crate::ids::{FrameNo, PageNo};
use crate::pager::{DiskState, Node, Pager, Slot};
use crate::sync::lock;

/// Which transaction changes the tree.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stamp {
    /// The commit's sequence.
    pub(crate) seq: u64,
    /// The first frame that the transaction may have.
    pub(crate) change: FrameNo,
}

/// One transaction's changes to trees.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) stamp: Stamp,
    /// Pages on disk that the new trees do not reach any more.
    pub(crate) freed: Vec<Extent>,
    /// Nodes that the new trees do not reach any more and that were not on disk when that was
    /// decided: a checkpoint may write them yet.
    pub(crate) replaced: Vec<Arc<DiskState>>,
}

impl Edit {
    /// Changes under this stamp.
    pub(crate) fn new(stamp: Stamp) -> Self {
        Self { stamp, freed: Vec::new(), replaced: Vec::new() }
    }

    /// A node of its own behind the slot, to be changed in place.
    pub(super) fn own<'s>(
        &mut self,
        pager: &Pager,
        slot: &'s mut Slot,
        level: u8,
    ) -> Result<&'s mut Node> {
        let loaded = match slot.take_node() {
            Some(node) => node,
            None if level == 0 => pager.leaf(slot)?,
            None => pager.branch_node(slot, level)?,
        };
        let node = self.make_own(pager, loaded);
        let (max_seq, max_change) = (slot.max_seq.max(self.stamp.seq), self.stamp.change.0);
        *slot = Slot::from_node(node, max_seq, max_change);
        // The count is one here: the node is this transaction's alone.
        slot.own_node().ok_or_else(|| shared(pager))
    }

    fn make_own(&mut self, pager: &Pager, mut node: Arc<Node>) -> Arc<Node> {
        // Nobody else has the node, nor a stand-in of it, and no page holds it.
        let alone = Arc::get_mut(&mut node).and_then(|node| Arc::get_mut(&mut node.disk));
        if alone.is_some_and(|disk| disk.get().is_none()) {
            return node;
        }
        let fresh = Arc::new(node.copy());
        self.let_go(pager, &node);
        fresh
    }

    /// The new trees do not reach this node any more.
    pub(super) fn let_go(&mut self, pager: &Pager, node: &Node) {
        match node.disk.get() {
            Some(disk) => self.free(pager, Extent::one(disk.page)),
            None => self.replaced.push(Arc::clone(&node.disk)),
        }
    }

    /// The new trees do not reach what this slot points to any more.
    pub(super) fn discard(&mut self, pager: &Pager, mut slot: Slot) {
        match slot.take_node() {
            Some(node) => self.let_go(pager, &node),
            None => {
                if let Some(disk) = slot.disk() {
                    self.free(pager, Extent::one(disk.page));
                }
            }
        }
    }

    /// The new trees do not use these pages any more: the transaction's own are free at once.
    pub(crate) fn free(&mut self, pager: &Pager, extent: Extent) {
        if !lock(&pager.space).give_back_own(extent) {
            self.freed.push(extent);
        }
    }
}

/// A node that should be the transaction's own is not: a fault of the engine, and a reason to
/// stop before anything is published.
fn shared(pager: &Pager) -> Error {
    pager.corrupt(PageNo::NONE, "a node being changed is shared")
}
