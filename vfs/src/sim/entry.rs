//! A pending write: the new contents of the sectors it touched, until a sync or a power cut.

use std::sync::Arc;

use super::image::{CHUNK_BYTES, Image};
use super::names::FileId;

/// What becomes of a write once it is synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It reaches its place.
    Kept,
    /// It reaches nothing; with `evict` the cache shows so at once.
    Lost { evict: bool },
    /// It reaches another place.
    Misdirected { evict: bool, file: FileId, offset: u64 },
}

#[derive(Clone, Debug)]
pub(super) enum Data {
    Bytes(Arc<[u8]>),
    Zeros,
}

/// One pending write (or cut): new contents of `count` sectors from `first`.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) order: u64,
    pub(super) first: u64,
    pub(super) count: u64,
    /// Length of the file after it.
    pub(super) len_after: u64,
    /// End of the bytes written; what `sync_data` must make readable.
    pub(super) end: u64,
    pub(super) data: Data,
    pub(super) fate: Fate,
    /// A change of length rather than bytes.
    pub(super) metadata: bool,
}

impl Entry {
    /// A change of length that touches no sector.
    pub(super) fn length(order: u64, len_after: u64) -> Self {
        let (data, fate) = (Data::Zeros, Fate::Kept);
        Self { order, first: 0, count: 0, len_after, end: 0, data, fate, metadata: true }
    }

    /// What is left of it when its bytes will never be written: its length.
    pub(super) fn into_metadata(self) -> Self {
        if self.metadata { self } else { Self::length(self.order, self.len_after) }
    }

    /// Whether its sectors are versions that a power cut may leave.
    pub(super) fn may_survive(&self) -> bool {
        self.fate == Fate::Kept
    }

    /// One of its sectors; `None` stands for zeros.
    pub(super) fn sector(&self, index: u64, sector_bytes: u64) -> Option<&[u8]> {
        match &self.data {
            Data::Zeros => None,
            Data::Bytes(bytes) => {
                let start = (index * sector_bytes) as usize;
                Some(&bytes[start..start + sector_bytes as usize])
            }
        }
    }

    pub(super) fn covers(&self, sector: u64) -> bool {
        self.first <= sector && sector - self.first < self.count
    }

    /// Whether its contents of a sector are not those of an image.
    pub(super) fn differs(&self, sector: u64, sector_bytes: u64, image: &Image) -> bool {
        let mut held = [0; CHUNK_BYTES];
        let held = &mut held[..sector_bytes as usize];
        image.get(sector * sector_bytes, held);
        match self.sector(sector - self.first, sector_bytes) {
            Some(bytes) => bytes != held,
            None => held.iter().any(|&byte| byte != 0),
        }
    }

    /// Puts all its sectors into an image.
    pub(super) fn put(&self, image: &mut Image, sector_bytes: u64) {
        match &self.data {
            Data::Zeros => image.put_zeros(self.first * sector_bytes, self.count * sector_bytes),
            Data::Bytes(bytes) => image.put(self.first * sector_bytes, bytes),
        }
    }
}

/// Runs (from, count) of the entry's sectors that none of `later` writes to. A run is one sector
/// where the entry holds bytes, since those belong to their sector.
pub(super) fn uncovered(entry: &Entry, later: &[&Entry]) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for index in 0..entry.count {
        if later.iter().any(|other| other.covers(entry.first + index)) {
            continue;
        }
        match runs.last_mut() {
            Some((from, count)) if *from + *count == index => *count += 1,
            _ => runs.push((index, 1)),
        }
    }
    runs
}
