//! What takes no sequence: the prune floor, rows that pruning removes, tags, consumers.
//!
//! These changes are in the log between commits, in the order in which they were made. So a
//! recovery finds those of a prefix; rows are removed a few at a time, and may be removed as far as
//! any prune has got that was begun.

use std::collections::BTreeMap;

use super::{Content, Id, Model};

/// What has become of a database by such changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// The prune floor.
    pub floor: u64,
    /// Tags and the sequences that they name.
    pub tags: BTreeMap<String, u64>,
    /// Consumers of the changelog: the commit to read next, and whether pruning waits for them.
    pub consumers: BTreeMap<String, (u64, bool)>,
    /// Versions of records that are gone.
    pub removed: u64,
}

/// A change that takes no sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The floor rises.
    Floor(u64),
    /// A tag is put.
    Tag(String, u64),
    /// A tag is deleted.
    Untag(String),
    /// A consumer is registered, moves on, or asks for something else.
    Consumer(String, (u64, bool)),
    /// A consumer is removed.
    Dismiss(String),
}

impl Upkeep {
    /// Makes a change.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Floor(floor) => self.floor = self.floor.max(*floor),
            Change::Tag(name, seq) => {
                self.tags.insert(name.clone(), *seq);
            }
            Change::Untag(name) => {
                self.tags.remove(name);
            }
            Change::Consumer(name, at) => {
                self.consumers.insert(name.clone(), *at);
            }
            Change::Dismiss(name) => {
                self.consumers.remove(name);
            }
        }
    }
}

/// How far something has got: commits, changes without a sequence, rows removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The newest commit.
    pub head: u64,
    /// Changes without a sequence since the database was created.
    pub changes: usize,
    /// Rows removed.
    pub removed: u64,
}

impl Mark {
    /// The farther one in each respect.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            head: self.head.max(other.head),
            changes: self.changes.max(other.changes),
            removed: self.removed.max(other.removed),
        }
    }

    /// The nearer one in each respect.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            head: self.head.min(other.head),
            changes: self.changes.min(other.changes),
            removed: self.removed.min(other.removed),
        }
    }
}

impl Model {
    /// How far everything that was begun would get.
    #[must_use]
    pub fn begun(&self) -> Mark {
        Mark { head: self.head(), changes: self.changes.len(), removed: self.removed_most }
    }

    /// A change was begun.
    pub fn change(&mut self, change: Change) {
        self.changes.push((self.head(), change));
    }

    /// Changes beyond so many did not come to be.
    pub fn forget_changes(&mut self, kept: usize) {
        self.changes.truncate(kept);
    }

    /// Pruning was begun that leads to so many removed rows altogether.
    pub fn begin_removing(&mut self, removed: u64) {
        self.removed_most = self.removed_most.max(removed);
    }

    /// Just so many rows are removed.
    pub fn removed(&mut self, removed: u64) {
        self.removed_most = removed;
    }

    /// How far the changes have got of which `found` is the result, with this head: the least
    /// number from `least` on that leads to it. None when nothing does.
    #[must_use]
    pub fn changes_of(&self, head: u64, found: &Upkeep, least: usize) -> Option<usize> {
        // What was made before the newest commit that is there is there, too.
        let before = self.changes.partition_point(|(after, _)| *after < head);
        let mut now = Upkeep { removed: found.removed, ..Upkeep::default() };
        for made in 0..=self.changes.partition_point(|(after, _)| *after <= head) {
            if made > 0 {
                now.apply(&self.changes[made - 1].1);
            }
            if made >= least.max(before) && now == *found {
                return Some(made);
            }
        }
        None
    }

    /// How many of a record's versions pruning to this floor may remove, the oldest of them:
    /// those that no snapshot at or above it sees.
    #[must_use]
    pub fn prunable(&self, id: &Id, floor: u64) -> usize {
        self.records.get(id).map_or(0, |versions| prunable(versions, floor))
    }

    /// How many rows pruning to this floor removes altogether, from the first on.
    #[must_use]
    pub fn prunable_rows(&self, floor: u64) -> u64 {
        self.records.values().map(|versions| prunable(versions, floor) as u64).sum()
    }

    /// Versions of all records up to `head`.
    #[must_use]
    pub fn rows(&self, head: u64) -> u64 {
        let versions = self.records.values().flatten();
        versions.filter(|(seq, _)| *seq <= head).count() as u64
    }
}

pub(super) fn prunable(versions: &[(u64, Option<Content>)], floor: u64) -> usize {
    // The state at the floor, which stays unless it is nothing.
    let Some(state) = versions.iter().rposition(|(seq, _)| *seq <= floor) else { return 0 };
    let (seq, content) = &versions[state];
    state + usize::from(content.is_none() && *seq < floor)
}
