//! Free space in the primary.
//!
//! A page is in one of five states: used by the newest tree; *free*; *freed* by a commit and
//! waiting until no durable header that recovery could choose and no pinned root can reach it;
//! *young*: written for a commit that no durable header covers yet; or *uncommitted*: written
//! for the transaction that is running. Whatever is not reachable from the tree of a checkpoint
//! counts as free in the list that this checkpoint writes.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::free_list::Extent;
use crate::ids::{FrameNo, PageNo};
use crate::probe::{self, Probe};

/// Extents by start, coalesced, and by length.
#[derive(Clone, Debug, Default)]
struct Extents {
    by_start: BTreeMap<PageNo, u64>,
    by_len: BTreeSet<(u64, PageNo)>,
}

impl Extents {
    fn insert(&mut self, extent: Extent) {
        let (mut start, mut pages) = (extent.start, extent.pages);
        if let Some((&before, &len)) = self.by_start.range(..start).next_back()
            && before.0 + len == start.0
        {
            self.remove(before, len);
            (start, pages) = (before, pages + len);
        }
        let after = PageNo(start.0 + pages);
        if let Some(&len) = self.by_start.get(&after) {
            self.remove(after, len);
            pages += len;
        }
        self.by_start.insert(start, pages);
        self.by_len.insert((pages, start));
    }

    fn remove(&mut self, start: PageNo, pages: u64) {
        self.by_start.remove(&start);
        self.by_len.remove(&(pages, start));
    }

    /// Takes `pages` from the start of an extent.
    fn take(&mut self, start: PageNo, len: u64, pages: u64) -> Extent {
        self.remove(start, len);
        if len > pages {
            let rest = PageNo(start.0 + pages);
            self.by_start.insert(rest, len - pages);
            self.by_len.insert((len - pages, rest));
        }
        Extent { start, pages }
    }
}

/// Who allocates: that decides when the pages count as used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The checkpoint that is being written.
    Checkpoint,
    /// The write transaction that is running.
    Transaction,
}

/// Free space and what is about to become free.
#[derive(Debug, Default)]
pub(crate) struct Space {
    end: u64,
    free: Extents,
    freed: BTreeMap<FrameNo, Vec<Extent>>,
    young: BTreeMap<(FrameNo, PageNo), u64>,
    uncommitted: BTreeMap<PageNo, u64>,
    /// While a recovered state is not republished, only pages from here on may be reused: those
    /// that the replay itself has added at the end.
    reuse_from: PageNo,
}

impl Space {
    /// A file of `end` pages with these extents free.
    pub(crate) fn new(end: u64, free: Vec<Extent>, append_only: bool) -> Self {
        let reuse_from = PageNo(if append_only { end } else { 0 });
        let mut space = Self { end, reuse_from, ..Self::default() };
        for extent in free {
            space.free.insert(extent);
        }
        space
    }

    /// Length of the file in pages.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Pages that may be used now.
    pub(crate) fn free_pages(&self) -> u64 {
        self.free.by_start.values().sum()
    }

    /// Pages that wait for a checkpoint or a reader.
    pub(crate) fn freed_pages(&self) -> u64 {
        self.freed.values().flatten().map(|extent| extent.pages).sum()
    }

    /// Pages that the newest committed tree does not use.
    pub(crate) fn unused(&self) -> Vec<Extent> {
        let mut all = self.free.clone();
        self.freed.values().flatten().for_each(|&extent| all.insert(extent));
        all.by_start.into_iter().map(|(start, pages)| Extent { start, pages }).collect()
    }

    /// The replayed state is republished as that of `frame`: what its commits freed waits for a
    /// checkpoint of it, and free pages may be reused.
    pub(crate) fn settle_replay(&mut self, frame: FrameNo) {
        let freed = std::mem::take(&mut self.freed).into_values().flatten().collect();
        self.add_freed(frame, freed);
        // Every checkpoint from here on contains them.
        self.young.clear();
        self.reuse_from = PageNo(0);
    }

    /// One page, the lowest free one.
    pub(crate) fn allocate_page(&mut self, owner: Owner) -> PageNo {
        let found = self.free.by_start.range(self.reuse_from..).next();
        let extent = match found.map(|(&start, &len)| (start, len)) {
            Some((start, len)) => {
                probe::hit(Probe::FreePageReused);
                self.free.take(start, len, 1)
            }
            None => self.grow(1),
        };
        self.note(owner, extent);
        extent.start
    }

    /// `pages` pages in at most `max_runs` runs.
    pub(crate) fn allocate_runs(
        &mut self,
        owner: Owner,
        pages: u64,
        max_runs: usize,
    ) -> Vec<Extent> {
        let mut runs = Vec::new();
        let mut missing = pages;
        while missing > 0 {
            let fitting = self.free.by_len.range((missing, PageNo(0))..).next().copied();
            let largest = self.free.by_len.last().copied();
            let extent = match (fitting, largest) {
                _ if self.reuse_from > PageNo(0) => self.grow(missing),
                (Some((len, start)), _) => self.free.take(start, len, missing),
                // Worth a run of its own only when it is a fair part of the value.
                (None, Some((len, start))) if runs.len() + 1 < max_runs && len * 4 >= pages => {
                    self.free.take(start, len, len)
                }
                _ => self.grow(missing),
            };
            missing -= extent.pages;
            self.note(owner, extent);
            runs.push(extent);
        }
        runs
    }

    fn grow(&mut self, pages: u64) -> Extent {
        let extent = Extent { start: PageNo(self.end), pages };
        self.end += pages;
        extent
    }

    fn note(&mut self, owner: Owner, extent: Extent) {
        if owner == Owner::Transaction {
            self.uncommitted.insert(extent.start, extent.pages);
        }
    }

    /// Gives back pages that were just allocated and that nothing refers to.
    pub(crate) fn give_back(&mut self, extent: Extent) {
        self.uncommitted.remove(&extent.start);
        self.free.insert(extent);
    }

    /// Gives back pages that the file could not grow for; it has `len` pages.
    pub(crate) fn withdraw(&mut self, extents: &[Extent], len: u64) {
        for &extent in extents {
            self.give_back(extent);
        }
        let last = self.free.by_start.last_key_value().map(|(&start, &pages)| (start, pages));
        if let Some((start, pages)) = last
            && start.0 + pages == self.end
            && self.end > len
        {
            self.free.remove(start, pages);
            self.end = len.max(start.0);
            if self.end > start.0 {
                self.free.insert(Extent { start, pages: self.end - start.0 });
            }
        }
    }

    /// Gives back pages of the running transaction; `false` when they are not its own.
    pub(crate) fn give_back_own(&mut self, extent: Extent) -> bool {
        let own = self.uncommitted.remove(&extent.start).is_some();
        if own {
            self.free.insert(extent);
        }
        own
    }

    /// The running transaction has committed as `frame` and freed these pages.
    pub(crate) fn commit(&mut self, frame: FrameNo, freed: Vec<Extent>) {
        for (start, pages) in std::mem::take(&mut self.uncommitted) {
            self.young.insert((frame, start), pages);
        }
        // What a replay has added and dropped again, nobody has ever reached.
        let replaying = self.reuse_from > PageNo(0);
        let (own, others): (Vec<Extent>, Vec<Extent>) =
            freed.into_iter().partition(|extent| replaying && extent.start >= self.reuse_from);
        for extent in own {
            self.free.insert(extent);
        }
        self.add_freed(frame, others);
    }

    /// Pages that no root from `frame` on reaches.
    pub(crate) fn add_freed(&mut self, frame: FrameNo, freed: Vec<Extent>) {
        if !freed.is_empty() {
            self.freed.entry(frame).or_default().extend(freed);
        }
    }

    /// The running transaction is undone.
    pub(crate) fn rollback(&mut self) {
        for (start, pages) in std::mem::take(&mut self.uncommitted) {
            self.free.insert(Extent { start, pages });
        }
    }

    /// Frees what no durable header before `durable` and no root before `oldest` needs.
    pub(crate) fn release(&mut self, durable: FrameNo, oldest: FrameNo) {
        let limit = durable.min(oldest);
        while let Some(entry) = self.freed.first_entry() {
            if *entry.key() > limit {
                break;
            }
            probe::hit(Probe::FreedPagesReleased);
            for extent in entry.remove() {
                self.free.insert(extent);
            }
        }
        self.young = self.young.split_off(&(durable.next(), PageNo(0)));
    }

    /// The free list of a checkpoint of the tree at `frame`: everything that this tree does not
    /// reach.
    pub(crate) fn durable_free(&self, frame: FrameNo) -> Vec<Extent> {
        let mut all = self.free.clone();
        let freed = self.freed.range(..=frame).flat_map(|(_, extents)| extents.iter().copied());
        let young = self
            .young
            .range((frame.next(), PageNo(0))..)
            .map(|(&(_, start), &pages)| Extent { start, pages });
        let uncommitted = self.uncommitted.iter().map(|(&start, &pages)| Extent { start, pages });
        for extent in freed.chain(young).chain(uncommitted) {
            all.insert(extent);
        }
        all.by_start.into_iter().map(|(start, pages)| Extent { start, pages }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(start: u64, pages: u64) -> Extent {
        Extent { start: PageNo(start), pages }
    }

    #[test]
    fn neighbours_coalesce_and_the_lowest_page_goes_first() {
        let mut space = Space::new(20, vec![extent(5, 2), extent(9, 1), extent(7, 2)], false);
        assert_eq!(space.durable_free(FrameNo(0)), vec![extent(5, 5)]);
        assert_eq!(space.allocate_page(Owner::Checkpoint), PageNo(5));
        assert_eq!(space.allocate_runs(Owner::Checkpoint, 6, 4), vec![extent(6, 4), extent(20, 2)]);
    }

    #[test]
    fn freed_pages_wait_for_header_and_reader() {
        let mut space = Space::new(20, vec![], false);
        space.commit(FrameNo(7), vec![extent(3, 1)]);
        space.release(FrameNo(6), FrameNo(9));
        space.release(FrameNo(9), FrameNo(6));
        assert_eq!(space.free_pages(), 0);
        space.release(FrameNo(7), FrameNo(7));
        assert_eq!(space.free_pages(), 1);
    }

    #[test]
    fn a_checkpoint_counts_later_pages_as_free_and_later_frees_as_used() {
        let mut space = Space::new(20, vec![], false);
        space.allocate_page(Owner::Transaction);
        space.commit(FrameNo(5), vec![extent(3, 1)]);
        space.allocate_page(Owner::Transaction);
        space.commit(FrameNo(8), vec![extent(4, 1)]);
        space.allocate_page(Owner::Transaction);
        // At frame 5: page 20 belongs to the tree, 3 does not; 21 and 22 do not yet; 4 still does.
        assert_eq!(space.durable_free(FrameNo(5)), vec![extent(3, 1), extent(21, 2)]);
    }

    #[test]
    fn pages_that_the_file_cannot_grow_for_are_forgotten() {
        let mut space = Space::new(20, vec![extent(15, 2), extent(18, 2)], false);
        let runs = space.allocate_runs(Owner::Transaction, 6, 4);
        assert_eq!(runs, vec![extent(18, 2), extent(15, 2), extent(20, 2)]);
        space.withdraw(&runs, 20);
        assert_eq!((space.end(), space.free_pages()), (20, 4));
        assert_eq!(space.allocate_page(Owner::Checkpoint), PageNo(15));
    }

    #[test]
    fn nothing_is_reused_before_the_state_is_republished() {
        let mut space = Space::new(20, vec![extent(3, 9)], true);
        assert_eq!(space.allocate_page(Owner::Transaction), PageNo(20));
        space.rollback();
        space.settle_replay(FrameNo(1));
        assert_eq!(space.allocate_page(Owner::Transaction), PageNo(3));
    }
}
