//! One file of the simulated disk: what reads see, what the disk holds, and the ordered writes
//! in between.
//!
//! `cache` is what every read sees. `durable` is what a power cut leaves if nothing pending
//! survives. `pending` holds, for every write not yet synced, the new contents of each sector it
//! touched: these are the versions that a power cut may choose from. Sectors that a cut or an
//! extension touches are pending as well, as metadata, which `sync_data` need not cover.
//!
//! Nothing here costs time in proportion to the file.

use std::collections::VecDeque;
use std::sync::Arc;

use super::entry::{Data, Entry, Fate, uncovered};
use super::image::Image;
use super::names::FileId;
use super::random::mix;
use super::space::Space;

/// How many earlier durable states a stale read can go back to.
const HISTORY_STATES: usize = 4;

/// Bytes that a sync puts where they do not belong.
#[derive(Debug)]
pub(super) struct Stray {
    pub(super) file: FileId,
    pub(super) offset: u64,
    pub(super) evict: bool,
    pub(super) bytes: Arc<[u8]>,
}

/// What a power cut leaves in one sector.
#[derive(Clone, Copy, Debug)]
pub(super) enum Survivor {
    Version(u32),
    Garbage(u64),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    pub(super) cache: Image,
    pub(super) durable: Image,
    pending: Vec<Entry>,
    /// The cache differs from the disk in ways that `pending` does not tell.
    diverged: bool,
    pub(super) space: Space,
    history: VecDeque<Image>,
}

impl Inode {
    pub(super) fn pending(&self) -> &[Entry] {
        &self.pending
    }

    pub(super) fn has_pending_up_to(&self, order: u64) -> bool {
        self.pending.iter().any(|entry| entry.order <= order)
    }

    /// Whether a power cut would change nothing.
    pub(super) fn at_rest(&self) -> bool {
        self.pending.is_empty() && !self.diverged
    }

    /// Whether the sector's cached bytes are still to be written.
    pub(super) fn is_pending(&self, sector: u64) -> bool {
        self.pending.iter().any(|entry| entry.covers(sector))
    }

    /// Shortest and longest length that a power cut may leave.
    pub(super) fn length_bounds(&self) -> (u64, u64) {
        let durable = self.durable.len_bytes;
        self.pending.iter().fold((durable, durable), |(low, high), entry| {
            (low.min(entry.len_after), high.max(entry.len_after))
        })
    }

    /// Writes to the cache; the sectors become pending.
    pub(super) fn write(&mut self, order: u64, offset: u64, bytes: &[u8], fate: Fate, sector: u64) {
        let end = offset + bytes.len() as u64;
        self.cache.put(offset, bytes);
        self.cache.len_bytes = self.cache.len_bytes.max(end);
        let first = offset / sector;
        let count = end.div_ceil(sector) - first;
        let data = Data::Bytes(self.cached_sectors(first, count, sector));
        let (len_after, metadata) = (self.cache.len_bytes, false);
        self.pending.push(Entry { order, first, count, len_after, end, data, fate, metadata });
        self.diverged |= fate != Fate::Kept;
    }

    fn cached_sectors(&self, first: u64, count: u64, sector: u64) -> Arc<[u8]> {
        let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, (count * sector) as usize).collect();
        if let Some(bytes) = Arc::get_mut(&mut bytes) {
            self.cache.get(first * sector, bytes);
        }
        bytes
    }

    /// Changes the length in the cache; what it cuts off becomes pending zeros.
    pub(super) fn set_len(&mut self, order: u64, len: u64, sector: u64) {
        let (_, high) = self.length_bounds();
        let old_end = self.cache.len_bytes.max(high).div_ceil(sector);
        let shrinks = len < self.cache.len_bytes;
        self.cache.cut(len);
        let mut entry = Entry::length(order, len);
        if shrinks && !len.is_multiple_of(sector) {
            let (first, count) = (len / sector, 1);
            let data = Data::Bytes(self.cached_sectors(first, count, sector));
            self.pending.push(Entry { first, count, data, ..entry.clone() });
        }
        if shrinks {
            entry.first = len.div_ceil(sector);
            entry.count = old_end.saturating_sub(entry.first);
            self.space.release_past(len, sector);
        }
        self.pending.push(entry);
    }

    /// Makes the bytes written so far durable, and with `metadata` the length as well. Returns
    /// what was misdirected, for the disk to put elsewhere.
    pub(super) fn sync(&mut self, metadata: bool, history: bool, sector: u64) -> Vec<Stray> {
        if history && !self.pending.is_empty() {
            self.history.truncate(HISTORY_STATES - 1);
            self.history.push_front(self.durable.clone());
        }
        let entries = std::mem::take(&mut self.pending);
        let (mut strays, mut evicted) = (Vec::new(), Vec::new());
        for entry in entries.iter().filter(|entry| metadata || !entry.metadata) {
            self.land(entry, sector, &mut strays, &mut evicted);
            self.durable.len_bytes = self.durable.len_bytes.max(entry.end);
        }
        for (offset, count) in evicted {
            self.cache.copy_from(&self.durable, offset, count);
        }
        if metadata {
            self.durable.cut(self.cache.len_bytes);
        } else {
            self.keep_metadata(&entries);
        }
        strays
    }

    /// Puts one entry on the disk, or wherever its fate takes it.
    fn land(
        &mut self,
        entry: &Entry,
        sector: u64,
        strays: &mut Vec<Stray>,
        evicted: &mut Vec<(u64, u64)>,
    ) {
        let evict = match (entry.fate, &entry.data) {
            (Fate::Misdirected { evict, file, offset }, Data::Bytes(bytes)) => {
                strays.push(Stray { file, offset, evict, bytes: Arc::clone(bytes) });
                evict
            }
            (Fate::Lost { evict }, _) => evict,
            _ => {
                entry.put(&mut self.durable, sector);
                false
            }
        };
        if evict {
            evicted.push((entry.first * sector, entry.count * sector));
        }
    }

    /// After `sync_data`: cuts and extensions stay pending, less what later synced writes rely
    /// on (their bytes, and a length that reaches them).
    fn keep_metadata(&mut self, entries: &[Entry]) {
        let mut needed_len = 0;
        let mut kept = Vec::new();
        for (index, entry) in entries.iter().enumerate().rev() {
            if !entry.metadata {
                needed_len = needed_len.max(entry.end);
                continue;
            }
            let later: Vec<_> = entries[index..].iter().filter(|e| !e.metadata).collect();
            let len_after = entry.len_after.max(needed_len);
            for (offset, count) in uncovered(entry, &later) {
                let mut part = entry.clone();
                (part.first, part.count, part.len_after) = (entry.first + offset, count, len_after);
                kept.push(part);
            }
            let changes_len = len_after != self.durable.len_bytes;
            if changes_len && !kept.iter().any(|part| part.order == entry.order) {
                kept.push(Entry::length(entry.order, len_after));
            }
        }
        kept.reverse();
        self.pending = kept;
    }

    /// A sync that fails: nothing more of what was pending will be written. Each sector may have
    /// been, by `seed` (0: none was). The cache keeps the new bytes, or reverts to the disk's.
    pub(super) fn fail_sync(&mut self, revert: bool, seed: u64, sector: u64) {
        let entries = std::mem::take(&mut self.pending);
        if seed != 0 {
            let written = entries.iter().filter(|entry| !entry.metadata && entry.may_survive());
            written.for_each(|entry| self.write_some(entry, seed, sector));
        }
        if revert {
            for entry in entries.iter().filter(|entry| !entry.metadata) {
                let (offset, count) = (entry.first * sector, entry.count * sector);
                self.cache.copy_from(&self.durable, offset, count);
            }
            // What was cut off does not come back with what was written over it.
            entries.iter().filter(|e| e.metadata).for_each(|e| e.put(&mut self.cache, sector));
        }
        self.pending = entries.into_iter().map(Entry::into_metadata).collect();
        self.cache.cut(self.cache.len_bytes);
        self.pending.dedup_by(|next, previous| {
            next.count == 0 && previous.count == 0 && next.len_after == previous.len_after
        });
        let durable_len = self.durable.len_bytes;
        if self.pending.iter().all(|entry| entry.count == 0 && entry.len_after == durable_len) {
            self.pending.clear();
        }
        self.diverged = true;
    }

    /// Writes the sectors of a failing sync that `seed` picks, within the durable length.
    fn write_some(&mut self, entry: &Entry, seed: u64, sector_bytes: u64) {
        for index in 0..entry.count {
            let offset = (entry.first + index) * sector_bytes;
            let inside = self.durable.len_bytes.saturating_sub(offset).min(sector_bytes) as usize;
            if inside > 0
                && mix(seed, entry.order, index) & 1 == 1
                && let Some(bytes) = entry.sector(index, sector_bytes)
            {
                self.durable.put(offset, &bytes[..inside]);
            }
        }
    }

    /// Leaves the durable contents, changed by `survivors` (ascending by sector), with the given
    /// length as far as the pending changes allow it.
    pub(super) fn power_cut(
        &mut self,
        survivors: &[(u64, Survivor)],
        len: Option<u64>,
        sector: u64,
    ) {
        let (low, high) = self.length_bounds();
        let len = len.map_or(self.durable.len_bytes, |len| len.clamp(low, high));
        let entries = std::mem::take(&mut self.pending);
        self.put_survivors(&entries, survivors, sector);
        self.durable.cut(len);
        self.cache = self.durable.clone();
        self.diverged = false;
        self.space.release_past(len, sector);
    }

    fn put_survivors(&mut self, entries: &[Entry], survivors: &[(u64, Survivor)], sector: u64) {
        let mut versions = vec![0_u32; survivors.len()];
        for entry in entries.iter().filter(|entry| entry.may_survive()) {
            let from = survivors.partition_point(|&(at, _)| at < entry.first);
            for (at, &(number, survivor)) in survivors.iter().enumerate().skip(from) {
                if !entry.covers(number) {
                    break;
                }
                versions[at] += 1;
                if matches!(survivor, Survivor::Version(version) if version == versions[at]) {
                    match entry.sector(number - entry.first, sector) {
                        Some(bytes) => self.durable.put(number * sector, bytes),
                        None => self.durable.put_zeros(number * sector, sector),
                    }
                }
            }
        }
        for (at, &(number, survivor)) in survivors.iter().enumerate() {
            // Garbage is what was being written when the power went: never elsewhere.
            if let Survivor::Garbage(seed) = survivor
                && versions[at] > 0
            {
                let words = (0..sector / 8).flat_map(|word| mix(seed, number, word).to_le_bytes());
                self.durable.put(number * sector, &words.collect::<Vec<_>>());
            }
        }
    }

    /// Replaces both views; nothing stays pending.
    pub(super) fn replace(&mut self, bytes: &[u8], sector: u64) {
        self.durable = Image::from_bytes(bytes);
        self.cache = self.durable.clone();
        self.pending.clear();
        self.diverged = false;
        self.space.release_past(0, sector);
        self.space.take(0, bytes.len() as u64, sector);
    }

    /// Puts bytes on the disk behind the system's back; with `evict`, reads see them where
    /// nothing newer is cached.
    pub(super) fn damage(&mut self, offset: u64, bytes: &[u8], evict: bool, sector: u64) {
        let count = self.durable.readable(offset, bytes.len());
        self.durable.put(offset, &bytes[..count]);
        self.diverged = true;
        if !evict {
            return;
        }
        let end = offset + count as u64;
        for number in offset / sector..end.div_ceil(sector) {
            if !self.is_pending(number) {
                let from = offset.max(number * sector);
                let to = end.min((number + 1) * sector).min(self.cache.len_bytes);
                self.cache.copy_from(&self.durable, from, to.saturating_sub(from));
            }
        }
    }

    /// Contents as they were `age` syncs ago, if they are remembered.
    pub(super) fn earlier(&self, age: u32) -> Option<&Image> {
        self.history.get((age as usize).checked_sub(1)?)
    }
}
