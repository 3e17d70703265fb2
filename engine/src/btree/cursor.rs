//! Walking leaf by leaf in either direction. No state is kept between leaves but a fence key, so
//! that a walk can go on in a newer tree.

use std::sync::Arc;

use super::Tree;
use crate::error::Result;
use crate::format::slotted::KeyBuf;
use crate::pager::{Node, Pager, Slot};

/// A leaf on the way forward.
#[derive(Clone, Debug)]
pub(crate) struct LeafAhead {
    pub(crate) leaf: Arc<Node>,
    /// Index of the first row that is not below the key.
    pub(crate) index: usize,
    /// The fence key that all keys of the leaf are below; none for the last leaf.
    pub(crate) upper: Option<KeyBuf>,
    /// Upper bound of the commit sequences of versions in the leaf.
    pub(crate) max_seq: u64,
}

/// A leaf on the way back.
#[derive(Clone, Debug)]
pub(crate) struct LeafBehind {
    pub(crate) leaf: Arc<Node>,
    /// One past the last row that is below the key.
    pub(crate) index: usize,
    /// The fence key that no key of the leaf is below; none for the first leaf.
    pub(crate) lower: Option<KeyBuf>,
}

/// The leaf that holds `key`, or would.
pub(crate) fn leaf_at_or_after(pager: &Pager, tree: &Tree, key: &[u8]) -> Result<LeafAhead> {
    ahead(pager, &tree.root, tree.level, Some(key))
}

/// Below `slot`; without a key, which is then not above any row there, the first leaf.
fn ahead(pager: &Pager, slot: &Slot, level: u8, key: Option<&[u8]>) -> Result<LeafAhead> {
    if level == 0 {
        let leaf = pager.leaf(slot)?;
        let index = key.map_or(0, |key| leaf.keys.lower_bound(key));
        return Ok(LeafAhead { leaf, index, upper: None, max_seq: slot.max_seq });
    }
    let node = pager.branch(slot, level)?;
    let (index, key) = match key.map(|key| (node.keys.search(key), key)) {
        None => (0, None),
        Some((Ok(separator), _)) => (separator + 1, None),
        Some((Err(index), key)) => (index, Some(key)),
    };
    let mut span = ahead(pager, &node.children[index], level - 1, key)?;
    // The tightest fence is the lowest one.
    if span.upper.is_none() && index < node.keys.count() {
        span.upper = Some(node.keys.key(index));
    }
    Ok(span)
}

/// The leaf that holds the last key below `key`, or would.
pub(crate) fn leaf_before(pager: &Pager, tree: &Tree, key: &[u8]) -> Result<LeafBehind> {
    behind(pager, &tree.root, tree.level, key)
}

fn behind(pager: &Pager, slot: &Slot, level: u8, key: &[u8]) -> Result<LeafBehind> {
    if level == 0 {
        let leaf = pager.leaf(slot)?;
        let index = leaf.keys.lower_bound(key);
        return Ok(LeafBehind { leaf, index, lower: None });
    }
    let node = pager.branch(slot, level)?;
    let index = node.keys.lower_bound(key);
    let mut span = behind(pager, &node.children[index], level - 1, key)?;
    if span.lower.is_none() && index > 0 {
        span.lower = Some(node.keys.key(index - 1));
    }
    Ok(span)
}
