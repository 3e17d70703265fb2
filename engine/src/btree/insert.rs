//! Putting a row, with splits.

use std::sync::Arc;

use super::{Edit, Tree};
use crate::error::{Error, Result};
use crate::format::child::CHILD_BYTES;
use crate::format::slotted::{Entry, KeyBuf, Slotted, common_prefix, packed_size};
use crate::ids::PageNo;
use crate::pager::{Children, Node, Pager, Slot};
use crate::probe::{self, Probe};

/// A row to be put.
#[derive(Clone, Copy)]
pub(crate) struct NewRow<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    /// The value is a reference to overflow pages.
    pub(crate) overflow: bool,
}

/// Looks at the leaf that a row is about to be put into, and at the row's place there as
/// [`Slotted::search`] tells it.
pub(crate) type Look<'a> = &'a mut dyn FnMut(&Slotted, std::result::Result<usize, usize>);

/// What putting a row below a slot led to.
struct Put {
    /// A new right neighbour and the separator before it.
    split: Option<(KeyBuf, Slot)>,
    /// The reference to overflow pages that the replaced row had.
    old_overflow: Option<Vec<u8>>,
    replaced: bool,
}

impl Edit {
    /// Puts a row; returns the overflow reference of the row that it replaced, if it had one.
    pub(crate) fn put(
        &mut self,
        pager: &Pager,
        tree: &mut Tree,
        row: NewRow<'_>,
        look: Look<'_>,
    ) -> Result<Option<Vec<u8>>> {
        let put = self.put_below(pager, &mut tree.root, tree.level, row, look)?;
        if let Some((separator, right)) = put.split {
            probe::hit(Probe::RootSplit);
            self.grow_root(pager, tree, &separator, right);
        }
        tree.rows += u64::from(!put.replaced);
        Ok(put.old_overflow)
    }

    fn put_below(
        &mut self,
        pager: &Pager,
        slot: &mut Slot,
        level: u8,
        row: NewRow<'_>,
        look: Look<'_>,
    ) -> Result<Put> {
        let node = self.own(pager, slot, level)?;
        if level == 0 {
            let place = node.keys.search(row.key);
            look(&node.keys, place);
            let (put, right) = put_in_leaf(pager, node, row, place)?;
            let split = right.map(|(key, node)| (key, self.sibling(slot, node)));
            return Ok(Put { split, ..put });
        }
        let index = node.child_index(row.key);
        let mut put = self.put_below(pager, &mut node.children[index], level - 1, row, look)?;
        if let Some((separator, right)) = put.split.take()
            && let Some((key, node)) = put_child(pager, node, index, &separator, right)?
        {
            put.split = Some((key, self.sibling(slot, node)));
        }
        Ok(put)
    }

    /// The slot of a node that was split off from the one behind `slot`.
    fn sibling(&self, slot: &Slot, node: Node) -> Slot {
        Slot::from_node(Arc::new(node), slot.max_seq, self.stamp.change.0)
    }

    fn grow_root(&mut self, pager: &Pager, tree: &mut Tree, separator: &[u8], right: Slot) {
        let left = std::mem::take(&mut tree.root);
        let max_seq = left.max_seq.max(right.max_seq);
        tree.level += 1;
        let mut keys = Slotted::new(pager.page_size, tree.level);
        keys.insert(0, separator, &[], false, 0);
        let node = Node::dirty(keys, [left, right].into_iter().collect(), pager.counter());
        tree.root = Slot::from_node(Arc::new(node), max_seq, self.stamp.change.0);
    }
}

/// Puts a row into a leaf; returns the node that was split off with the separator before it.
fn put_in_leaf(
    pager: &Pager,
    leaf: &mut Node,
    row: NewRow<'_>,
    place: std::result::Result<usize, usize>,
) -> Result<(Put, Option<(KeyBuf, Node)>)> {
    let mut put = Put { split: None, old_overflow: None, replaced: false };
    let index = match place {
        Ok(index) => {
            put.replaced = true;
            let (range, overflow) = leaf.keys.value_range(index);
            put.old_overflow = overflow.then(|| leaf.keys.bytes()[range].to_vec());
            if leaf.keys.replace(index, row.value, row.overflow, 0) {
                return Ok((put, None));
            }
            leaf.keys.remove(index);
            index
        }
        Err(index) => index,
    };
    if leaf.keys.insert(index, row.key, row.value, row.overflow, 0) {
        return Ok((put, None));
    }
    let new = Entry { prefix: &[], suffix: row.key, value: row.value, overflow: row.overflow };
    let mut entries: Vec<Entry<'_>> = leaf.keys.entries().collect();
    let appended = index == entries.len();
    entries.insert(index, new);
    let at = leaf_split_point(pager.page_size, &entries, appended);
    let (left, right) = entries.split_at(at);
    let separator = separator(&left[left.len() - 1].key(), &right[0].key());
    let build =
        |entries| Slotted::build(pager.page_size, 0, entries, 0).ok_or_else(|| does_not_fit(pager));
    let (left, right) = (build(left)?, build(right)?);
    leaf.keys = left;
    Ok((put, Some((separator, Node::dirty(right, Children::default(), pager.counter())))))
}

/// Where to split so that both halves fit: after the last entry for rows that come in order,
/// else as near the middle as can be.
///
/// There always is such a place: an entry takes at most a quarter of a page, and a key that
/// shares less of the prefix than the others stands at one end.
fn leaf_split_point(page_size: usize, entries: &[Entry<'_>], appended: bool) -> usize {
    let capacity = Slotted::capacity(page_size);
    let count = entries.len();
    if appended && packed_size(&entries[..count - 1]) <= capacity {
        return count - 1;
    }
    let total: usize =
        entries.iter().map(|entry| entry.suffix.len() + entry.value.len() + 10).sum();
    let mut sum = 0;
    let middle = entries
        .iter()
        .position(|entry| {
            sum += entry.suffix.len() + entry.value.len() + 10;
            sum * 2 >= total
        })
        .unwrap_or(count / 2)
        .clamp(1, count - 1);
    let fits = |at: &usize| {
        packed_size(&entries[..*at]) <= capacity && packed_size(&entries[*at..]) <= capacity
    };
    let by_distance =
        (0..count).flat_map(|distance| [middle.checked_sub(distance), Some(middle + distance)]);
    by_distance.flatten().filter(|&at| at >= 1 && at < count).find(fits).unwrap_or(middle)
}

/// The shortest key that is above `left` and not above `right`.
pub(super) fn separator(left: &[u8], right: &[u8]) -> KeyBuf {
    KeyBuf::from_slice(&right[..right.len().min(common_prefix(left, right) + 1)])
}

/// Puts a child after child `index`; returns the node that was split off.
fn put_child(
    pager: &Pager,
    branch: &mut Node,
    index: usize,
    separator: &[u8],
    right: Slot,
) -> Result<Option<(KeyBuf, Node)>> {
    let reserve = branch.reserve(1);
    branch.children.insert(index + 1, right);
    if branch.keys.insert(index, separator, &[], false, reserve) {
        return Ok(None);
    }
    probe::hit(Probe::BranchSplit);
    let mut keys: Vec<KeyBuf> = (0..branch.keys.count()).map(|at| branch.keys.key(at)).collect();
    keys.insert(index, KeyBuf::from_slice(separator));
    let at = branch_split_point(pager.page_size, &keys, index + 1 == keys.len());
    let level = branch.level();
    let right_children = branch.children.split_off(at + 1);
    let right_keys = build_branch_keys(pager, level, &keys[at + 1..])?;
    branch.keys = build_branch_keys(pager, level, &keys[..at])?;
    Ok(Some((keys[at].clone(), Node::dirty(right_keys, right_children, pager.counter()))))
}

/// The separator that goes up: near the end for rows that come in order, else in the middle.
fn branch_split_point(page_size: usize, keys: &[KeyBuf], appended: bool) -> usize {
    let capacity = Slotted::capacity(page_size);
    let fits = |keys: &[KeyBuf]| {
        packed_size(&as_entries(keys)) + (keys.len() + 1) * CHILD_BYTES <= capacity
    };
    let middle = if appended { keys.len() * 9 / 10 } else { keys.len() / 2 };
    (0..keys.len())
        .flat_map(|distance| [middle.checked_sub(distance), Some(middle + distance)])
        .flatten()
        .filter(|&at| at < keys.len())
        .find(|&at| fits(&keys[..at]) && fits(&keys[at + 1..]))
        .unwrap_or(middle)
}

fn as_entries(keys: &[KeyBuf]) -> Vec<Entry<'_>> {
    keys.iter().map(|key| Entry { prefix: &[], suffix: key, value: &[], overflow: false }).collect()
}

fn build_branch_keys(pager: &Pager, level: u8, keys: &[KeyBuf]) -> Result<Slotted> {
    let reserve = (keys.len() + 1) * CHILD_BYTES;
    Slotted::build(pager.page_size, level, &as_entries(keys), reserve)
        .ok_or_else(|| does_not_fit(pager))
}

/// Entries are bounded so that a split always fits: a fault of the engine, and a reason to stop
/// before anything is published.
fn does_not_fit(pager: &Pager) -> Error {
    pager.corrupt(PageNo::NONE, "the halves of a split do not fit")
}
