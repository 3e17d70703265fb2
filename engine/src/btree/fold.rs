//! Letting go of nodes in memory that are on disk by now: after a checkpoint the leaves move
//! into the cache, and where branches take too much of the budget they are dropped.
//!
//! Published nodes do not change, so folding makes copies of the branches on the way.

use std::sync::Arc;

use super::Tree;
use crate::pager::{Node, Pager, Slot};
use crate::probe::{self, Probe};

impl Tree {
    /// The same tree with its written leaves in the cache instead of in slots.
    pub(crate) fn fold(&self, pager: &Pager) -> Self {
        probe::hit(Probe::TreeFolded);
        Self { root: fold_slot(pager, &self.root), ..*self }
    }

    /// The same tree with every branch that is on disk dropped from memory.
    pub(crate) fn shed(&self) -> Self {
        probe::hit(Probe::BranchesShed);
        Self { root: shed_slot(&self.root), ..*self }
    }
}

fn fold_slot(pager: &Pager, slot: &Slot) -> Slot {
    let Some(node) = slot.node() else { return slot.clone() };
    if node.level() == 0 {
        return match slot.without_node() {
            Some(on_disk) => {
                pager.keep_leaf(node);
                on_disk
            }
            None => slot.clone(),
        };
    }
    if !node.unfolded {
        return slot.clone();
    }
    with_children(slot, node, |child| fold_slot(pager, child))
}

fn shed_slot(slot: &Slot) -> Slot {
    match (slot.node(), slot.without_node()) {
        (Some(_), Some(on_disk)) => on_disk,
        (Some(node), None) if node.level() > 0 => with_children(slot, node, shed_slot),
        _ => slot.clone(),
    }
}

fn with_children(slot: &Slot, node: &Arc<Node>, change: impl Fn(&Slot) -> Slot) -> Slot {
    let children = node.children.iter().map(change).collect();
    Slot::from_node_at(Arc::new(node.with_children(children)), slot)
}
