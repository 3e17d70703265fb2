//! Finding one row.

use std::sync::Arc;

use super::Tree;
use crate::error::Result;
use crate::pager::{Node, Pager, Slot};

/// A row: its leaf and its index there.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) leaf: Arc<Node>,
    pub(crate) index: usize,
}

/// The first row whose key is not below `key`.
#[inline]
pub(crate) fn lower_bound(pager: &Pager, tree: &Tree, key: &[u8]) -> Result<Option<Found>> {
    lower_bound_in(pager, &tree.root, tree.level, key)
}

fn lower_bound_in(pager: &Pager, slot: &Slot, level: u8, key: &[u8]) -> Result<Option<Found>> {
    if level == 0 {
        let leaf = pager.leaf(slot)?;
        let index = leaf.keys.lower_bound(key);
        return Ok((index < leaf.keys.count()).then_some(Found { leaf, index }));
    }
    let node = pager.branch(slot, level)?;
    let first = node.child_index(key);
    for child in node.children.iter_from(first) {
        // Only the first child can hold smaller keys; of a later one the first row will do.
        if let Some(found) = lower_bound_in(pager, child, level - 1, key)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
