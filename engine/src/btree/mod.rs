//! The copy-on-write B+ tree: search, change and walk. Keys and values are bytes; what they mean
//! is the callers' business.

mod cursor;
mod delete;
mod edit;
mod fold;
mod insert;
mod search;
mod select;
mod verify;

use crate::format::catalog::TreeEntry;
use crate::pager::Slot;

pub(crate) use cursor::{LeafAhead, LeafBehind, leaf_at_or_after, leaf_before};
pub(crate) use delete::Removed;
pub(crate) use edit::{Edit, Stamp};
pub(crate) use insert::{Look, NewRow};
pub(crate) use search::{Found, lower_bound};
pub(crate) use select::{leaf_before_where, newer_leaf_at_or_after};
pub(crate) use verify::{Broken, Verifier, Verify};

/// A tree: its root, its height and the number of its rows.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) root: Slot,
    pub(crate) level: u8,
    pub(crate) rows: u64,
}

impl Tree {
    /// The tree of a catalogue entry.
    pub(crate) fn from_entry(entry: &TreeEntry) -> Self {
        Self { root: Slot::from_pointer(entry.root), level: entry.level, rows: entry.rows }
    }
}

/// A leaf that fills less of its page than this is merged with a neighbour where both fit.
pub(crate) fn is_underfull(used_bytes: usize, capacity: usize) -> bool {
    used_bytes * 4 < capacity
}
