//! Removing a row, with merges.

use std::sync::Arc;

use super::{Edit, Tree, is_underfull};
use crate::error::Result;
use crate::format::child::CHILD_BYTES;
use crate::format::slotted::{Entry, KeyBuf, Slotted};
use crate::pager::{Children, Node, Pager, Slot};
use crate::probe::{self, Probe};

/// What a removed row was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Its reference to overflow pages, if it had one.
    pub(crate) overflow: Option<Vec<u8>>,
    /// The first byte of its value, where that lay in the leaf.
    pub(crate) first_byte: Option<u8>,
}

impl Edit {
    /// Removes a row; `None` if there is none of this key.
    pub(crate) fn delete(
        &mut self,
        pager: &Pager,
        tree: &mut Tree,
        key: &[u8],
    ) -> Result<Option<Removed>> {
        let found = super::lower_bound(pager, tree, key)?;
        if found.is_none_or(|found| found.leaf.keys.key(found.index)[..] != *key) {
            return Ok(None);
        }
        let removed = self.delete_below(pager, &mut tree.root, tree.level, key)?;
        tree.rows = tree.rows.saturating_sub(1);
        self.collapse_root(pager, tree)?;
        Ok(removed)
    }

    fn delete_below(
        &mut self,
        pager: &Pager,
        slot: &mut Slot,
        level: u8,
        key: &[u8],
    ) -> Result<Option<Removed>> {
        let node = self.own(pager, slot, level)?;
        if level == 0 {
            let Ok(index) = node.keys.search(key) else { return Ok(None) };
            let (range, overflow) = node.keys.value_range(index);
            let value = &node.keys.bytes()[range];
            let first_byte = if overflow { None } else { value.first().copied() };
            let overflow = overflow.then(|| value.to_vec());
            node.keys.remove(index);
            return Ok(Some(Removed { overflow, first_byte }));
        }
        let index = node.child_index(key);
        let removed = self.delete_below(pager, &mut node.children[index], level - 1, key)?;
        self.merge_child(pager, node, index)?;
        Ok(removed)
    }

    /// Merges child `index` with a neighbour where it is underfull and both fit in one page.
    fn merge_child(&mut self, pager: &Pager, branch: &mut Node, index: usize) -> Result<()> {
        let capacity = Slotted::capacity(pager.page_size);
        let underfull = branch.children[index]
            .node()
            .is_some_and(|node| is_underfull(node.keys.used_bytes() + node.reserve(0), capacity));
        if !underfull || branch.children.len() < 2 {
            return Ok(());
        }
        let left = if index + 1 < branch.children.len() { index } else { index - 1 };
        let Some(merged) = merge(pager, branch, left)? else { return Ok(()) };
        let right = branch.children.remove(left + 1);
        let old_left = std::mem::take(&mut branch.children[left]);
        let max_seq = right.max_seq.max(old_left.max_seq);
        self.discard(pager, right);
        self.discard(pager, old_left);
        branch.keys.remove(left);
        branch.children[left] = Slot::from_node(Arc::new(merged), max_seq, self.stamp.change.0);
        Ok(())
    }

    /// A root with one child gives way to it.
    fn collapse_root(&mut self, pager: &Pager, tree: &mut Tree) -> Result<()> {
        while tree.level > 0 {
            let only = {
                let node = pager.branch(&tree.root, tree.level)?;
                if node.children.len() != 1 {
                    return Ok(());
                }
                node.children[0].clone()
            };
            probe::hit(Probe::RootCollapse);
            let old = std::mem::replace(&mut tree.root, only);
            self.discard(pager, old);
            tree.level -= 1;
        }
        Ok(())
    }
}

/// Children `left` and `left + 1` in one node, if they fit with some room to spare.
fn merge(pager: &Pager, branch: &Node, left: usize) -> Result<Option<Node>> {
    let spare = Slotted::capacity(pager.page_size) / 8;
    let (left_slot, right_slot) = (&branch.children[left], &branch.children[left + 1]);
    if branch.level() == 1 {
        let (a, b) = (pager.leaf(left_slot)?, pager.leaf(right_slot)?);
        let entries: Vec<Entry<'_>> = a.keys.entries().chain(b.keys.entries()).collect();
        let keys = Slotted::build(pager.page_size, 0, &entries, spare);
        probe::hit(Probe::LeafMerged);
        return Ok(keys.map(|keys| Node::dirty(keys, Children::default(), pager.counter())));
    }
    let level = branch.level() - 1;
    let (a, b) = (pager.branch(left_slot, level)?, pager.branch(right_slot, level)?);
    let between: KeyBuf = branch.keys.key(left);
    let middle = Entry { prefix: &[], suffix: &between, value: &[], overflow: false };
    let entries: Vec<Entry<'_>> =
        a.keys.entries().chain(std::iter::once(middle)).chain(b.keys.entries()).collect();
    let reserve = (entries.len() + 1) * CHILD_BYTES + spare;
    let Some(keys) = Slotted::build(pager.page_size, level, &entries, reserve) else {
        return Ok(None);
    };
    probe::hit(Probe::BranchMerged);
    let children = a.children.iter().chain(b.children.iter()).cloned().collect();
    Ok(Some(Node::dirty(keys, children, pager.counter())))
}
