//! Walking leaf by leaf in either direction. No state is kept between leaves but a fence key, so
//! that a walk can go on in a newer tree.

use std::sync::Arc;

use super::Tree;
use crate::error::Result;
use crate::format::slotted::KeyBuf;
use crate::pager::{Node, Pager};

/// A leaf and the fence keys between which its keys lie: `lower <= key < upper`.
#[derive(Clone, Debug)]
pub(crate) struct LeafSpan {
    pub(crate) leaf: Arc<Node>,
    pub(crate) lower: Option<KeyBuf>,
    pub(crate) upper: Option<KeyBuf>,
    /// Upper bound of the commit sequences of versions in the leaf.
    pub(crate) max_seq: u64,
}

/// The leaf that holds `key`, or would.
pub(crate) fn leaf_at_or_after(pager: &Pager, tree: &Tree, key: &[u8]) -> Result<LeafSpan> {
    descend(pager, tree, |node| node.child_index(key))
}

/// The leaf that holds the last key below `key` (`None`: the last key of all), or would.
pub(crate) fn leaf_before(pager: &Pager, tree: &Tree, key: Option<&[u8]>) -> Result<LeafSpan> {
    descend(pager, tree, |node| match key {
        Some(key) => node.keys.lower_bound(key),
        None => node.children.len().saturating_sub(1),
    })
}

fn descend(pager: &Pager, tree: &Tree, choose: impl Fn(&Node) -> usize) -> Result<LeafSpan> {
    fn step(
        pager: &Pager,
        slot: &crate::pager::Slot,
        level: u8,
        choose: &dyn Fn(&Node) -> usize,
    ) -> Result<LeafSpan> {
        if level == 0 {
            let (leaf, max_seq) = (pager.leaf(slot)?, slot.max_seq);
            return Ok(LeafSpan { leaf, lower: None, upper: None, max_seq });
        }
        let node = pager.branch(slot, level)?;
        let index = choose(&node).min(node.children.len() - 1);
        let mut span = step(pager, &node.children[index], level - 1, choose)?;
        // The tightest fences are the lowest ones.
        if span.lower.is_none() && index > 0 {
            span.lower = Some(node.keys.key(index - 1));
        }
        if span.upper.is_none() && index < node.keys.count() {
            span.upper = Some(node.keys.key(index));
        }
        Ok(span)
    }
    step(pager, &tree.root, tree.level, &choose)
}
