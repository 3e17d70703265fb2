//! Walks that pass over subtrees by what their pointers say of the age of what lies below.

use super::Tree;
use super::cursor::{LeafAhead, LeafBehind};
use crate::error::Result;
use crate::format::slotted::KeyBuf;
use crate::pager::{Pager, Slot};

/// The first leaf with rows from `key` on that may hold a version newer than `seq`. Reads only
/// branches and leaves that may.
pub(crate) fn newer_leaf_at_or_after(
    pager: &Pager,
    tree: &Tree,
    key: &[u8],
    seq: u64,
) -> Result<Option<LeafAhead>> {
    newer(pager, (&tree.root, tree.level), Some(key), seq, None)
}

fn newer(
    pager: &Pager,
    (slot, level): (&Slot, u8),
    key: Option<&[u8]>,
    seq: u64,
    upper: Option<KeyBuf>,
) -> Result<Option<LeafAhead>> {
    if slot.max_seq <= seq {
        return Ok(None);
    }
    if level == 0 {
        let leaf = pager.leaf(slot)?;
        let index = key.map_or(0, |key| leaf.keys.lower_bound(key));
        return Ok(Some(LeafAhead { leaf, index, upper, max_seq: slot.max_seq }));
    }
    let node = pager.branch(slot, level)?;
    let first = key.map_or(0, |key| node.child_index(key));
    for (index, child) in (first..).zip(node.children.iter_from(first)) {
        if child.max_seq <= seq {
            continue;
        }
        // Only the first child can hold smaller keys.
        let key = key.filter(|_| index == first);
        let fence = (index < node.keys.count()).then(|| node.keys.key(index));
        let upper = fence.or_else(|| upper.clone());
        if let Some(found) = newer(pager, (child, level - 1), key, seq, upper)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Decides by the newest sequence below a subtree, and the fence key before it, whether to look
/// into it.
pub(crate) type Wanted<'a> = &'a dyn Fn(u64, Option<&[u8]>) -> bool;

/// The last leaf with rows before `key` that is wanted, and so is every subtree that it lies in.
pub(crate) fn leaf_before_where(
    pager: &Pager,
    tree: &Tree,
    key: &[u8],
    wanted: Wanted<'_>,
) -> Result<Option<LeafBehind>> {
    before(pager, (&tree.root, tree.level), Some(key), wanted, None)
}

fn before(
    pager: &Pager,
    (slot, level): (&Slot, u8),
    key: Option<&[u8]>,
    wanted: Wanted<'_>,
    lower: Option<KeyBuf>,
) -> Result<Option<LeafBehind>> {
    if !wanted(slot.max_seq, lower.as_deref()) {
        return Ok(None);
    }
    if level == 0 {
        let leaf = pager.leaf(slot)?;
        let index = key.map_or(leaf.keys.count(), |key| leaf.keys.lower_bound(key));
        return Ok(Some(LeafBehind { leaf, index, lower }));
    }
    let node = pager.branch(slot, level)?;
    let last = key.map_or(node.keys.count(), |key| node.keys.lower_bound(key));
    for index in (0..=last).rev() {
        // Only the last child can hold greater keys.
        let key = key.filter(|_| index == last);
        let fence = index.checked_sub(1).map(|index| node.keys.key(index));
        let lower = fence.or_else(|| lower.clone());
        let child = &node.children[index];
        if let Some(found) = before(pager, (child, level - 1), key, wanted, lower)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
