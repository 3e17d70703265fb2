//! The primary as bytes, read and changed by what its format says and without the engine: for
//! planting damage that has every checksum right, up to the header.

use std::collections::BTreeMap;

use hexxladb::vfs::MemoryVfs;

use crate::support::{DB, read_file, write_file};

pub(crate) const SLOTS: usize = 4;
const SLOT_BYTES: usize = 4096;
/// Offsets in a header slot.
const PAGE_SIZE: usize = 12;
const GENERATION: usize = 48;
pub(crate) const PAGE_COUNT: usize = 112;
const CATALOG: usize = 120;
pub(crate) const FREE_LIST: usize = 144;
pub(crate) const HEAD_HASH: usize = 184;
/// Types of pages.
const LEAF: u8 = 1;
const BRANCH: u8 = 2;
/// Where the content of pages begins, and the heads of sorted ones.
pub(crate) const CONTENT: usize = 64;
const PREFIX: usize = 80;
const CHILD_BYTES: usize = 40;

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

pub(crate) fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// Makes the checksum of a header slot right.
pub(crate) fn seal_slot(slot: &mut [u8]) {
    let crc = crc32fast::hash(&slot[..SLOT_BYTES - 4]);
    slot[SLOT_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
}

/// Makes a page's own checksum right; the one for the pointer to it.
fn seal_page(page: &mut [u8]) -> [u8; 16] {
    let crc = crc32fast::hash(&page[4..]);
    page[..4].copy_from_slice(&crc.to_le_bytes());
    xxhash_rust::xxh3::xxh3_128(&page[4..]).to_le_bytes()
}

/// An entry of a sorted page: its key, and where its value lies in the page.
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    pub(crate) key_at: usize,
    pub(crate) key_len: usize,
    pub(crate) value_at: usize,
    pub(crate) overflow: bool,
}

/// A primary.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) bytes: Vec<u8>,
    page_size: usize,
    /// Where the pointer to each page stands: page and offset in it; page 0 is the header slot.
    parents: BTreeMap<u64, (u64, usize)>,
}

impl Image {
    pub(crate) fn of(vfs: &MemoryVfs) -> Self {
        let bytes = read_file(vfs, DB).unwrap();
        let mut image = Self { bytes, page_size: 0, parents: BTreeMap::new() };
        let slot = image.header();
        image.page_size =
            u32::from_le_bytes(slot[PAGE_SIZE..PAGE_SIZE + 4].try_into().unwrap()) as usize;
        image.find_parents();
        image
    }

    pub(crate) fn write_to(&self, vfs: &MemoryVfs) {
        write_file(vfs, DB, &self.bytes);
    }

    fn slot(&self) -> usize {
        let generation = |slot: &usize| u64_at(&self.bytes, slot * SLOT_BYTES + GENERATION);
        (0..SLOTS).max_by_key(generation).unwrap()
    }

    /// The newest header slot.
    pub(crate) fn header(&self) -> &[u8] {
        &self.bytes[self.slot() * SLOT_BYTES..][..SLOT_BYTES]
    }

    /// Changes the newest header.
    pub(crate) fn edit_header(&mut self, change: impl FnOnce(&mut [u8])) {
        let at = self.slot() * SLOT_BYTES;
        let slot = &mut self.bytes[at..at + SLOT_BYTES];
        change(slot);
        seal_slot(slot);
    }

    pub(crate) fn page(&self, page: u64) -> &[u8] {
        &self.bytes[page as usize * self.page_size..][..self.page_size]
    }

    /// Every page that a pointer leads to, large values excepted.
    pub(crate) fn pages(&self) -> Vec<u64> {
        self.parents.keys().copied().collect()
    }

    pub(crate) fn leaves(&self, family: u8) -> Vec<u64> {
        let is_leaf = |page: &u64| {
            let bytes = self.page(*page);
            bytes[4] == LEAF
                && self.entries(*page).first().is_some_and(|entry| entry.key[0] == family)
        };
        self.pages().into_iter().filter(is_leaf).collect()
    }

    pub(crate) fn branches(&self) -> Vec<u64> {
        self.pages().into_iter().filter(|page| self.page(*page)[4] == BRANCH).collect()
    }

    pub(crate) fn catalog(&self) -> u64 {
        u64_at(self.header(), CATALOG)
    }

    pub(crate) fn free_list(&self) -> u64 {
        u64_at(self.header(), FREE_LIST)
    }

    /// Offset of the pointers to the children in a branch.
    pub(crate) fn children_at(&self, branch: u64) -> usize {
        let bytes = self.page(branch);
        heads_at(bytes) + 6 * u16_at(bytes, CONTENT)
    }

    pub(crate) fn child(&self, branch: u64, index: usize) -> u64 {
        u64_at(self.page(branch), self.children_at(branch) + index * CHILD_BYTES)
    }

    /// The entries of a sorted page.
    pub(crate) fn entries(&self, page: u64) -> Vec<Entry> {
        let bytes = self.page(page);
        let (count, heads) = (u16_at(bytes, CONTENT), heads_at(bytes));
        let prefix = &bytes[PREFIX..heads];
        let entry = |index: usize| {
            let at = u16_at(bytes, heads + 4 * count + 2 * index);
            let (key_len, value_len) = (u16_at(bytes, at), u16_at(bytes, at + 2));
            let key_at = at + 4;
            let key = [prefix, &bytes[key_at..key_at + key_len]].concat();
            Entry {
                key,
                key_at,
                key_len,
                value_at: key_at + key_len,
                overflow: value_len & 0x8000 != 0,
            }
        };
        (0..count).map(entry).collect()
    }

    /// Changes a page and makes its checksums right, its own and all above it.
    pub(crate) fn edit(&mut self, page: u64, change: impl FnOnce(&mut [u8])) {
        let at = page as usize * self.page_size;
        let bytes = &mut self.bytes[at..at + self.page_size];
        change(bytes);
        let mut page = page;
        loop {
            let checksum =
                seal_page(&mut self.bytes[page as usize * self.page_size..][..self.page_size]);
            let Some((parent, offset)) = self.parents.get(&page).copied() else { return };
            let place = offset + 8..offset + 24;
            if parent == 0 {
                return self.edit_header(|slot| slot[place].copy_from_slice(&checksum));
            }
            let at = parent as usize * self.page_size;
            self.bytes[at..][place].copy_from_slice(&checksum);
            page = parent;
        }
    }

    fn find_parents(&mut self) {
        let catalog = self.catalog();
        self.parents.insert(catalog, (0, CATALOG));
        let mut at = CONTENT + 28;
        for _ in 0..u16_at(self.page(catalog), CONTENT) {
            // Name, kind, level, reserved, rows, then the pointer.
            at += 1 + usize::from(self.page(catalog)[at]) + 4 + 8;
            self.below(u64_at(self.page(catalog), at), (catalog, at));
            at += CHILD_BYTES;
        }
        let (mut list, mut parent) = (self.free_list(), (0, FREE_LIST));
        while list != 0 {
            self.parents.insert(list, parent);
            (parent, list) = ((list, CONTENT), u64_at(self.page(list), CONTENT));
        }
    }

    fn below(&mut self, page: u64, parent: (u64, usize)) {
        self.parents.insert(page, parent);
        if self.page(page)[4] != BRANCH {
            return;
        }
        let (start, count) = (self.children_at(page), u16_at(self.page(page), CONTENT) + 1);
        for offset in (start..).step_by(CHILD_BYTES).take(count) {
            self.below(u64_at(self.page(page), offset), (page, offset));
        }
    }

    /// Offset in the catalogue of the counters of a family: visible, logical, rows.
    pub(crate) fn counters_at(&self, family: u8) -> usize {
        let catalog = self.page(self.catalog());
        let mut at = CONTENT + 28;
        for _ in 0..u16_at(catalog, CONTENT) {
            at += 1 + usize::from(catalog[at]) + 4 + 8 + CHILD_BYTES;
        }
        while catalog[at] != family {
            at += 32;
        }
        at + 8
    }
}

/// Where the heads of a sorted page begin.
pub(crate) fn heads_at(page: &[u8]) -> usize {
    PREFIX + u16_at(page, CONTENT + 2)
}
