//! A page of sorted entries: the content of leaves, and the separators of branches.
//!
//! In memory and on disk it is the same bytes, so that loading a page is a check and no more.
//!
//! ```text
//! 64  count       u16
//! 66  prefix len  u16   the prefix that all keys share, stored once
//! 68  heap start  u32   lowest byte of the heap
//! 72  …           zero
//! 76  level       u8    0: leaf
//! 77  …           zero
//! 80  prefix
//!     heads       4 × count   the four key bytes after the prefix, zero-filled, as an integer
//!     offsets     2 × count   where each entry starts
//!     … free (a branch stores its child pointers here, see `branch`) …
//!     heap        up to the page's end, the last entry first and no gap between them: suffix len
//!                 u16, value len u16 (top bit: overflow reference), suffix, value
//! ```
//!
//! A search runs branch-free over the heads, which lie side by side after the prefix, and touches
//! the heap only where heads are equal: it is the number of cache lines touched that counts. A
//! scan goes through the heap in one direction, which the processor foresees; for that an insertion
//! moves the entries after it.
//!
//! Always: keys strictly ascend; `heads[i]` is the head of entry i; entry 0 ends at the page's end,
//! each other one where the one before it starts, and the last one starts at heap start.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::FormatResult;
use super::bytes::{put, u16_at, u32_at};

/// A key as it is put together from prefix and suffix.
pub(crate) type KeyBuf = SmallVec<[u8; 64]>;

const COUNT: usize = 64;
const PREFIX_LEN: usize = 66;
const HEAP_START: usize = 68;
const LEVEL: usize = 76;
/// First byte of the prefix.
const BASE: usize = 80;
/// Bytes of a suffix that its head holds.
pub(crate) const HEAD_BYTES: usize = 4;
/// Bytes that an entry needs beside its suffix and value: head, offset and two lengths.
pub(crate) const ENTRY_OVERHEAD: usize = 10;
const OVERFLOW_BIT: u16 = 0x8000;

/// An entry before it is placed: its key is `prefix` then `suffix`.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) prefix: &'a [u8],
    pub(crate) suffix: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) overflow: bool,
}

impl Entry<'_> {
    fn key_len(&self) -> usize {
        self.prefix.len() + self.suffix.len()
    }

    fn size(&self) -> usize {
        ENTRY_OVERHEAD + self.key_len() + self.value.len()
    }

    /// The whole key.
    pub(crate) fn key(&self) -> KeyBuf {
        let mut key = KeyBuf::from_slice(self.prefix);
        key.extend_from_slice(self.suffix);
        key
    }
}

/// Where an entry lies in its page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    at: u16,
    suffix_len: u16,
    raw_value_len: u16,
}

impl Placed {
    pub(crate) fn suffix_len(self) -> usize {
        usize::from(self.suffix_len)
    }

    pub(crate) fn suffix(self) -> Range<usize> {
        let start = usize::from(self.at) + 4;
        start..start + self.suffix_len()
    }

    pub(crate) fn value(self) -> Range<usize> {
        let start = usize::from(self.at) + 4 + self.suffix_len();
        start..start + usize::from(self.raw_value_len & !OVERFLOW_BIT)
    }

    /// Whether the value refers to overflow pages.
    pub(crate) fn overflow(self) -> bool {
        self.raw_value_len & OVERFLOW_BIT != 0
    }
}

/// Length of the longest common prefix.
pub(crate) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// The first four bytes of a suffix as an integer that orders as they do.
fn head_of(suffix: &[u8]) -> u32 {
    if let Some(four) = suffix.first_chunk::<4>() {
        u32::from_be_bytes(*four)
    } else {
        let mut four = [0; 4];
        four[..suffix.len()].copy_from_slice(suffix);
        u32::from_be_bytes(four)
    }
}

/// Index of the first head that is not below `head`.
fn lower_bound(heads: &[[u8; 4]], head: u32) -> usize {
    let mut base = 0;
    let mut size = heads.len();
    while size > 1 {
        let half = size / 2;
        let probe = u32::from_le_bytes(heads[base + half - 1]);
        base = if probe < head { base + half } else { base };
        size -= half;
    }
    base + usize::from(size == 1 && u32::from_le_bytes(heads[base]) < head)
}

/// A page of sorted entries.
#[derive(Clone, Debug)]
pub(crate) struct Slotted {
    /// Shared by copies until one of them changes.
    bytes: Arc<[u8]>,
}

impl Slotted {
    /// An empty page.
    pub(crate) fn new(page_size: usize, level: u8) -> Self {
        let mut page = Self { bytes: std::iter::repeat_n(0, page_size).collect() };
        let bytes = page.bytes_mut();
        set_heap_start(bytes, page_size);
        bytes[LEVEL] = level;
        page
    }

    /// Takes a page from disk after checking its structure.
    pub(crate) fn from_bytes(bytes: Arc<[u8]>) -> FormatResult<Self> {
        let page = Self { bytes };
        page.check()?;
        Ok(page)
    }

    /// The page's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        Arc::make_mut(&mut self.bytes)
    }

    /// Height above the leaves.
    pub(crate) fn level(&self) -> u8 {
        self.bytes[LEVEL]
    }

    /// Number of entries.
    pub(crate) fn count(&self) -> usize {
        usize::from(u16_at(&self.bytes, COUNT))
    }

    /// The prefix that all keys share.
    pub(crate) fn prefix(&self) -> &[u8] {
        &self.bytes[BASE..self.heads_at()]
    }

    /// The key of entry `index` after the prefix.
    pub(crate) fn suffix(&self, index: usize) -> &[u8] {
        let at = self.offset(index);
        let len = usize::from(u16_at(&self.bytes, at));
        &self.bytes[at + 4..at + 4 + len]
    }

    /// The whole key of entry `index`.
    pub(crate) fn key(&self, index: usize) -> KeyBuf {
        self.entry(index).key()
    }

    /// The first four bytes of the suffix of entry `index`, zero-filled, as an integer.
    #[inline]
    pub(crate) fn head(&self, index: usize) -> u32 {
        u32::from_le_bytes(self.heads()[index])
    }

    /// Where entry `index` lies.
    #[inline]
    pub(crate) fn placed(&self, index: usize) -> Placed {
        let at = self.offset(index);
        let lengths = u32_at(&self.bytes, at);
        Placed { at: at as u16, suffix_len: lengths as u16, raw_value_len: (lengths >> 16) as u16 }
    }

    /// Where the value of entry `index` lies in the page, and whether it refers to overflow
    /// pages.
    pub(crate) fn value_range(&self, index: usize) -> (Range<usize>, bool) {
        let placed = self.placed(index);
        (placed.value(), placed.overflow())
    }

    /// Entry `index`.
    pub(crate) fn entry(&self, index: usize) -> Entry<'_> {
        let (range, overflow) = self.value_range(index);
        Entry {
            prefix: self.prefix(),
            suffix: self.suffix(index),
            value: &self.bytes[range],
            overflow,
        }
    }

    /// All entries in order.
    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = Entry<'_>> + ExactSizeIterator {
        (0..self.count()).map(|index| self.entry(index))
    }

    /// Bytes between the arrays and the heap, for further entries or child pointers.
    pub(crate) fn free_bytes(&self) -> usize {
        self.heap_start() - self.arrays_end()
    }

    /// Bytes in use, out of [`Slotted::capacity`].
    pub(crate) fn used_bytes(&self) -> usize {
        Self::capacity(self.bytes.len()) - self.free_bytes()
    }

    /// Bytes that an empty page of this size offers.
    pub(crate) fn capacity(page_size: usize) -> usize {
        page_size - BASE
    }

    /// `Ok(index)` of the entry with this key, or `Err(index)` where it would stand.
    pub(crate) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        let prefix = self.prefix();
        let Some(suffix) = key.strip_prefix(prefix) else {
            return Err(if key < prefix { 0 } else { self.count() });
        };
        let heads = self.heads();
        let head = head_of(suffix);
        let mut low = lower_bound(heads, head);
        let mut high = low;
        if low < heads.len() && u32::from_le_bytes(heads[low]) == head {
            high = low + 1;
            if high < heads.len() && u32::from_le_bytes(heads[high]) == head {
                high = head
                    .checked_add(1)
                    .map_or(heads.len(), |next| low + lower_bound(&heads[low..], next));
            }
        }
        while low < high {
            let middle = low.midpoint(high);
            match self.suffix(middle).cmp(suffix) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(middle),
            }
        }
        Err(low)
    }

    /// Index of the first entry that is not below `key`.
    pub(crate) fn lower_bound(&self, key: &[u8]) -> usize {
        self.search(key).unwrap_or_else(|index| index)
    }

    /// The last `N` bytes of the key of entry `index`, if it consists of `start` and them.
    #[inline]
    pub(crate) fn strip_start<const N: usize>(
        &self,
        index: usize,
        start: &[u8],
    ) -> Option<[u8; N]> {
        let (prefix, suffix) = (self.prefix(), self.suffix(index));
        if prefix.len() + suffix.len() != start.len() + N || !self.starts_with(index, start) {
            return None;
        }
        suffix.last_chunk().copied().or_else(|| self.key(index).last_chunk().copied())
    }

    /// Whether the key of entry `index` begins with `start`.
    #[inline]
    pub(crate) fn starts_with(&self, index: usize, start: &[u8]) -> bool {
        let (prefix, suffix) = (self.prefix(), self.suffix(index));
        match start.strip_prefix(prefix) {
            Some(rest) => suffix.starts_with(rest),
            None => prefix.starts_with(start),
        }
    }

    /// Puts an entry at `index`, leaving at least `reserve` bytes between arrays and heap. `false`: it does not fit,
    /// and nothing changed that can be seen.
    pub(crate) fn insert(
        &mut self,
        index: usize,
        key: &[u8],
        value: &[u8],
        overflow: bool,
        reserve: usize,
    ) -> bool {
        let count = self.count();
        let shared = if count == 0 { key.len() } else { common_prefix(self.prefix(), key) };
        let grown = if count == 0 { shared } else { (self.prefix_len() - shared) * (count - 1) };
        let need = ENTRY_OVERHEAD + (key.len() - shared) + value.len();
        if self.free_bytes() < need + grown + reserve {
            return false;
        }
        if (count == 0 || shared < self.prefix_len()) && !self.rebuild(&key[..shared]) {
            return false;
        }
        self.place(index, &key[shared..], value, overflow);
        true
    }

    /// Gives entry `index` another value, leaving at least `reserve` bytes free. `false`: it
    /// does not fit, and nothing changed.
    pub(crate) fn replace(
        &mut self,
        index: usize,
        value: &[u8],
        overflow: bool,
        reserve: usize,
    ) -> bool {
        let (range, _) = self.value_range(index);
        if range.len() != value.len() {
            if self.free_bytes() + range.len() < value.len() + reserve {
                return false;
            }
            let key = self.key(index);
            self.remove(index);
            return self.insert(index, &key, value, overflow, reserve);
        }
        let at = self.offset(index);
        let bytes = self.bytes_mut();
        put(bytes, at + 2, &value_len(value, overflow).to_le_bytes());
        put(bytes, range.start, value);
        true
    }

    /// Removes entry `index`.
    pub(crate) fn remove(&mut self, index: usize) {
        let count = self.count();
        if count == 1 {
            *self = Self::new(self.bytes.len(), self.level());
            return;
        }
        let (at, heap, heads) = (self.offset(index), self.heap_start(), self.heads_at());
        let size = self.end_of(index) - at;
        let offsets = heads + 4 * count;
        let bytes = self.bytes_mut();
        bytes.copy_within(heap..at, heap + size);
        shift_offsets(&mut bytes[offsets + 2 * (index + 1)..offsets + 2 * count], |at| at + size);
        bytes.copy_within(heads + 4 * (index + 1)..offsets + 2 * index, heads + 4 * index);
        bytes.copy_within(offsets + 2 * (index + 1)..offsets + 2 * count, offsets + 2 * index - 4);
        set_count(bytes, count - 1);
        set_heap_start(bytes, heap + size);
    }

    /// A page with these entries, in this order; `None` when they do not fit beside `reserve`.
    pub(crate) fn build(
        page_size: usize,
        level: u8,
        entries: &[Entry<'_>],
        reserve: usize,
    ) -> Option<Self> {
        if packed_size(entries) + reserve > Self::capacity(page_size) {
            return None;
        }
        let mut page = Self::new(page_size, level);
        if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
            let (first, last) = (first.key(), last.key());
            page.set_prefix(&first[..common_prefix(&first, &last)]);
        }
        for (index, entry) in entries.iter().enumerate() {
            page.place_entry(index, entry);
        }
        Some(page)
    }

    /// Puts the page's entries anew under a prefix that all keys (and the next one) share.
    fn rebuild(&mut self, prefix: &[u8]) -> bool {
        let mut fresh = Self::new(self.bytes.len(), self.level());
        fresh.set_prefix(prefix);
        for (index, entry) in self.entries().enumerate() {
            if fresh.free_bytes() < entry.size() - prefix.len() {
                return false;
            }
            fresh.place_entry(index, &entry);
        }
        *self = fresh;
        true
    }

    fn place_entry(&mut self, index: usize, entry: &Entry<'_>) {
        let prefix_len = self.prefix_len();
        if entry.prefix.len() == prefix_len {
            self.place(index, entry.suffix, entry.value, entry.overflow);
        } else {
            self.place(index, &entry.key()[prefix_len..], entry.value, entry.overflow);
        }
    }

    /// Writes an entry whose room is known to be there.
    fn place(&mut self, index: usize, suffix: &[u8], value: &[u8], overflow: bool) {
        let (count, heap, heads) = (self.count(), self.heap_start(), self.heads_at());
        let size = 4 + suffix.len() + value.len();
        let end = if index == 0 { self.bytes.len() } else { self.offset(index - 1) };
        let start = end - size;
        let offsets = heads + 4 * count;
        let bytes = self.bytes_mut();
        bytes.copy_within(heap..end, heap - size);
        put(bytes, start, &(suffix.len() as u16).to_le_bytes());
        put(bytes, start + 2, &value_len(value, overflow).to_le_bytes());
        put(bytes, start + 4, suffix);
        put(bytes, start + 4 + suffix.len(), value);
        shift_offsets(&mut bytes[offsets + 2 * index..offsets + 2 * count], |at| at - size);
        bytes.copy_within(offsets + 2 * index..offsets + 2 * count, offsets + 2 * index + 6);
        bytes.copy_within(heads + 4 * index..offsets + 2 * index, heads + 4 * (index + 1));
        put(bytes, heads + 4 * index, &head_of(suffix).to_le_bytes());
        put(bytes, offsets + 4 + 2 * index, &(start as u16).to_le_bytes());
        set_count(bytes, count + 1);
        set_heap_start(bytes, heap - size);
    }

    fn heads(&self) -> &[[u8; 4]] {
        let at = self.heads_at();
        self.bytes[at..at + 4 * self.count()].as_chunks::<4>().0
    }

    fn offset(&self, index: usize) -> usize {
        usize::from(u16_at(&self.bytes, self.heads_at() + 4 * self.count() + 2 * index))
    }

    /// Where entry `index` ends.
    fn end_of(&self, index: usize) -> usize {
        self.value_range(index).0.end
    }

    fn prefix_len(&self) -> usize {
        usize::from(u16_at(&self.bytes, PREFIX_LEN))
    }

    fn heads_at(&self) -> usize {
        BASE + self.prefix_len()
    }

    /// First byte after the arrays; a branch has its child pointers there.
    pub(crate) fn arrays_end(&self) -> usize {
        self.heads_at() + 6 * self.count()
    }

    fn heap_start(&self) -> usize {
        u32_at(&self.bytes, HEAP_START) as usize
    }

    /// Sets the prefix of an empty page.
    fn set_prefix(&mut self, prefix: &[u8]) {
        let bytes = self.bytes_mut();
        put(bytes, BASE, prefix);
        put(bytes, PREFIX_LEN, &(prefix.len() as u16).to_le_bytes());
    }

    /// Checks everything that later accesses rely on.
    fn check(&self) -> FormatResult<()> {
        let (count, heap, end) = (self.count(), self.heap_start(), self.bytes.len());
        let arrays_end = self.arrays_end();
        if arrays_end > heap || heap > end {
            return Err(format!("{count} entries up to {arrays_end}, heap from {heap} to {end}"));
        }
        let mut below = end;
        for index in 0..count {
            let at = self.offset(index);
            if at < heap || at + 4 > below {
                return Err(format!("entry {index} at {at}, outside the heap"));
            }
            if self.end_of(index) != below {
                return Err(format!("entry {index} ends at {}, not {below}", self.end_of(index)));
            }
            below = at;
            if u32::from_le_bytes(self.heads()[index]) != head_of(self.suffix(index)) {
                return Err(format!("head of entry {index} is not its key's"));
            }
            if index > 0 && self.suffix(index - 1) >= self.suffix(index) {
                return Err(format!("keys {} and {index} are out of order", index - 1));
            }
        }
        if below == heap { Ok(()) } else { Err(format!("entries from {below}, heap from {heap}")) }
    }
}

/// Changes each of a run of offsets.
fn shift_offsets(offsets: &mut [u8], change: impl Fn(usize) -> usize) {
    for offset in offsets.as_chunks_mut::<2>().0 {
        *offset = (change(usize::from(u16::from_le_bytes(*offset))) as u16).to_le_bytes();
    }
}

fn set_count(bytes: &mut [u8], count: usize) {
    put(bytes, COUNT, &(count as u16).to_le_bytes());
}

fn set_heap_start(bytes: &mut [u8], at: usize) {
    put(bytes, HEAP_START, &(at as u32).to_le_bytes());
}

/// A value's length as stored, with the overflow bit.
fn value_len(value: &[u8], overflow: bool) -> u16 {
    value.len() as u16 | if overflow { OVERFLOW_BIT } else { 0 }
}

/// Bytes that these entries take in a page of their own.
pub(crate) fn packed_size(entries: &[Entry<'_>]) -> usize {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return 0 };
    let total: usize = entries.iter().map(Entry::size).sum();
    let shared = common_prefix(&first.key(), &last.key());
    total - shared * entries.len() + shared
}

#[cfg(test)]
mod tests;
