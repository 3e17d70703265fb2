//! Listing what is pending: the units that a power cut decides, and the order they came about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Disk, Slot};
use crate::sim::crash::{Event, Kept, Pending, Survival, Unit};
use crate::sim::entry::Entry;
use crate::sim::image::Image;
use crate::sim::names::FileId;

/// Inside one growth, at most so many sector boundaries are listed as lengths.
const MAX_INNER_LENGTHS: u64 = 8;

impl Disk {
    pub(in crate::sim) fn pending(&self) -> Pending {
        let mut pending = Pending { sector_bytes: self.sector_bytes, ..Pending::default() };
        for (index, slot) in (0..).zip(&self.slots) {
            if !slot.inode.pending().is_empty() {
                Listing::new(FileId(index), slot, self.sector_bytes).add_to(&mut pending, slot);
            }
        }
        for (index, name) in (0..).zip(self.names.pending()) {
            let (unit, kept) = (pending.units.len(), Kept::Name { index });
            pending.events.push(Event { order: name.order, unit, kept });
            pending.units.push(Unit::Name { index, change: name.change.clone() });
        }
        // Stable: within one write the events stay in their order.
        pending.events.sort_by_key(|event| event.order);
        pending
    }
}

/// What one file has pending.
struct Listing {
    file: FileId,
    sector_bytes: u64,
    versions: BTreeMap<u64, u32>,
    /// Sectors of which some version is not what the disk holds.
    differing: BTreeSet<u64>,
    lengths: BTreeSet<u64>,
    events: Vec<(u64, Kept)>,
}

impl Listing {
    fn new(file: FileId, slot: &Slot, sector_bytes: u64) -> Self {
        let (versions, events) = (BTreeMap::new(), Vec::new());
        let (differing, lengths) = (BTreeSet::new(), BTreeSet::new());
        let mut listing = Self { file, sector_bytes, versions, differing, lengths, events };
        let durable = slot.inode.durable.len_bytes;
        let mut len = durable;
        for entry in slot.inode.pending() {
            listing.add_entry(entry, len, &slot.inode.durable);
            len = entry.len_after;
        }
        listing.drop_what_makes_no_difference(durable);
        listing
    }

    /// Sectors in turn; a growing length keeps step with them.
    fn add_entry(&mut self, entry: &Entry, len_before: u64, durable: &Image) {
        let (file, order, mut len) = (self.file, entry.order, len_before);
        for sector in entry.first..entry.first + entry.count {
            let end = ((sector + 1) * self.sector_bytes).min(entry.len_after);
            if end > len {
                len = end;
                self.events.push((order, Kept::Length { file, bytes: len }));
            }
            if entry.may_survive() {
                let version = self.versions.entry(sector).or_default();
                *version += 1;
                let survival = Survival::Version(*version);
                self.events.push((order, Kept::Sector { file, sector, survival }));
                if entry.differs(sector, self.sector_bytes, durable) {
                    self.differing.insert(sector);
                }
            }
        }
        if entry.len_after != len {
            self.events.push((order, Kept::Length { file, bytes: entry.len_after }));
        }
        self.lengths.insert(entry.len_after);
        self.add_inner_lengths(len_before, entry.len_after);
    }

    fn drop_what_makes_no_difference(&mut self, durable_len: u64) {
        self.lengths.remove(&durable_len);
        let Self { versions, differing, lengths, events, .. } = self;
        versions.retain(|sector, _| differing.contains(sector));
        events.retain(|(_, kept)| match kept {
            Kept::Sector { sector, .. } => differing.contains(sector),
            _ => !lengths.is_empty(),
        });
    }

    /// Lengths that a growth may stop at half way: sector boundaries, and one that is none.
    fn add_inner_lengths(&mut self, from: u64, to: u64) {
        if to <= from + 1 {
            return;
        }
        let first = from / self.sector_bytes + 1;
        let count = to.div_ceil(self.sector_bytes).saturating_sub(first);
        let step = count.div_ceil(MAX_INNER_LENGTHS).max(1);
        let inner = (first..first + count).step_by(step as usize);
        self.lengths.extend(inner.map(|boundary| boundary * self.sector_bytes));
        self.lengths.insert(from + (to - from) / 2 + 1);
    }

    fn add_to(self, pending: &mut Pending, slot: &Slot) {
        let (file, current) = (self.file, slot.inode.cache.len_bytes);
        let first = pending.units.len();
        for (&sector, &versions) in &self.versions {
            let path = Arc::clone(&slot.path);
            pending.units.push(Unit::Sector { file, path, sector, versions });
        }
        let length = pending.units.len();
        if !self.lengths.is_empty() {
            let (path, durable) = (Arc::clone(&slot.path), slot.inode.durable.len_bytes);
            let others = self.lengths.into_iter().collect();
            pending.units.push(Unit::Length { file, path, durable, others, current });
        }
        let sectors: Vec<u64> = self.versions.into_keys().collect();
        for (order, kept) in self.events {
            let unit = match kept {
                Kept::Sector { sector, .. } => first + sectors.partition_point(|&s| s < sector),
                _ => length,
            };
            pending.events.push(Event { order, unit, kept });
        }
    }
}
