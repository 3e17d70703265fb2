//! Putting checksums right after bytes were changed, so that what lies behind them is tested too:
//! the engine must not trust bytes for being intact alone.
//!
//! Nothing else is repaired. What cannot be followed stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::bytes::{put, u32_at, u64_at};
use crate::format::catalog::Catalog;
use crate::format::child::CHILD_BYTES;
use crate::format::frame;
use crate::format::header::{HEADER_BYTES, Header, SLOT_BYTES};
use crate::format::page;
use crate::format::segment::{BLOCK_BYTES, COPY_OFFSET};
use crate::format::slotted::Slotted;
use crate::ids::Checksum;

/// Makes the checksum of a header slot right.
pub(super) fn reseal_slot(slot: &mut [u8]) {
    let crc = crc32fast::hash(&slot[..SLOT_BYTES - 4]);
    put(slot, SLOT_BYTES - 4, &crc.to_le_bytes());
}

/// Makes the checksum of a segment header right.
pub(super) fn reseal_segment_header(block: &mut [u8]) {
    let crc = crc32fast::hash(&block[..80]);
    put(block, 80, &crc.to_le_bytes());
}

/// Makes the checksum of the frame that seems to start here right; returns its size.
pub(super) fn reseal_frame(bytes: &mut [u8]) -> Option<usize> {
    let size = frame::claimed_size(bytes, bytes.len())?;
    let crc = crc32fast::hash(&bytes[4..size]);
    put(bytes, 0, &crc.to_le_bytes());
    Some(size)
}

/// Makes every checksum of a primary right, from the leaves up, as far as its trees can be
/// followed. `crcs` are the new checksums of frames by their old ones.
pub(super) fn reseal_primary(bytes: &mut [u8], crcs: &BTreeMap<u32, u32>) {
    if bytes.len() < HEADER_BYTES as usize {
        return;
    }
    let mut headers = Vec::new();
    for at in (0..HEADER_BYTES as usize).step_by(SLOT_BYTES) {
        let slot = &mut bytes[at..at + SLOT_BYTES];
        if slot.iter().any(|&byte| byte != 0) {
            reseal_slot(slot);
        }
        headers.extend(Header::decode(slot).ok().map(|header| (header.generation, at, header)));
    }
    // The newest comes last: an older one may lead through pages that were given another use.
    headers.sort_by_key(|(generation, at, _)| (*generation, *at));
    for (_, at, mut header) in headers {
        if let Some(crc) = crcs.get(&header.retired.crc) {
            header.retired.crc = *crc;
        }
        let mut pages =
            Pages { bytes, page_size: header.page_size as usize, seen: BTreeSet::new() };
        if let Some(checksum) = pages.catalog(header.catalog.0.0) {
            header.catalog.1 = checksum;
        }
        if let Some(checksum) = pages.list(header.free_list.0.0) {
            header.free_list.1 = checksum;
        }
        bytes[at..at + SLOT_BYTES].copy_from_slice(&header.encode());
    }
}

struct Pages<'a> {
    bytes: &'a mut [u8],
    page_size: usize,
    seen: BTreeSet<u64>,
}

impl Pages<'_> {
    fn page(&mut self, number: u64) -> Option<&mut [u8]> {
        let at = usize::try_from(number).ok()?.checked_mul(self.page_size)?;
        self.bytes.get_mut(at..at.checked_add(self.page_size)?)
    }

    /// Whether the page was not met before; its checksum is right by now if it was.
    fn is_new(&mut self, number: u64) -> bool {
        self.seen.insert(number)
    }

    fn seal(&mut self, number: u64) -> Option<Checksum> {
        let bytes = self.page(number)?;
        let crc = crc32fast::hash(&bytes[4..]);
        put(bytes, 0, &crc.to_le_bytes());
        Some(page::checksum(bytes))
    }

    fn catalog(&mut self, number: u64) -> Option<Checksum> {
        if let Ok(mut catalog) = Catalog::decode(self.page(number)?) {
            for tree in &mut catalog.trees {
                if let Some(checksum) = self.node(tree.root.page.0, tree.level) {
                    tree.root.checksum = checksum;
                }
            }
            let page_size = self.page_size;
            let encoded = catalog.encode(page_size)?;
            let start = page::PAGE_HEADER_BYTES;
            self.page(number)?[start..].copy_from_slice(&encoded[start..]);
        }
        self.seal(number)
    }

    fn node(&mut self, number: u64, level: u8) -> Option<Checksum> {
        if self.is_new(number)
            && level > 0
            && let Ok(keys) = Slotted::from_bytes(self.page(number)?.into())
        {
            for index in 0..=keys.count() {
                let at = keys.arrays_end() + index * CHILD_BYTES;
                let child = u64_at(self.page(number)?, at);
                if let Some(checksum) = self.node(child, level - 1)
                    && let Some(place) = self.page(number)?.get_mut(at + 8..at + 24)
                {
                    place.copy_from_slice(&checksum);
                }
            }
        }
        self.seal(number)
    }

    fn list(&mut self, number: u64) -> Option<Checksum> {
        if number > 0 && self.is_new(number) {
            let next = u64_at(self.page(number)?, 64);
            if let Some(checksum) = self.list(next) {
                put(self.page(number)?, 72, &checksum);
            }
        }
        (number > 0).then(|| self.seal(number)).flatten()
    }
}

/// Makes every checksum of a log right, and the chain of frames with them. Returns the new
/// checksums by the old ones.
pub(super) fn reseal_log(bytes: &mut [u8], segment_bytes: usize) -> BTreeMap<u32, u32> {
    let mut crcs = BTreeMap::new();
    let mut segments: Vec<&mut [u8]> = bytes.chunks_exact_mut(segment_bytes).collect();
    segments.sort_by_key(|segment| u64_at(segment, 16));
    for segment in segments {
        reseal_segment_header(segment);
        for block in (BLOCK_BYTES..segment_bytes).step_by(BLOCK_BYTES) {
            for start in [block, block + COPY_OFFSET] {
                reseal_group(segment, start, &mut crcs);
            }
        }
    }
    crcs
}

fn reseal_group(segment: &mut [u8], start: usize, crcs: &mut BTreeMap<u32, u32>) {
    let mut at = start;
    while let Some(bytes) = segment.get_mut(at..)
        && frame::claimed_size(bytes, bytes.len()).is_some()
    {
        let old = u32_at(bytes, 0);
        if let Some(previous) = crcs.get(&u32_at(bytes, 88)) {
            put(bytes, 88, &previous.to_le_bytes());
        }
        let Some(size) = reseal_frame(bytes) else { return };
        crcs.insert(old, u32_at(bytes, 0));
        at += size;
    }
}
