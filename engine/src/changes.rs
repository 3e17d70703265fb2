//! Changing the trees: rows of records with their counters, and rows of the timeline. Live
//! transactions and recovery both go through here.
//!
//! A row is one tag byte and, for a put, the value. Rows that would take more than a quarter of a
//! leaf lie in overflow pages.

use crate::btree::{Edit, Look, NewRow, Removed, Stamp};
use crate::error::Result;
use crate::format::overflow::OverflowRef;
use crate::format::slotted::{ENTRY_OVERHEAD, Slotted};
use crate::ids::{FrameNo, PageNo};
use crate::keys::{self, KeyBuf};
use crate::pager::Pager;
use crate::probe::{self, Probe};
use crate::sync::lock;
use crate::time::Timestamp;
use crate::timeline::{MetaRow, PLAIN, Root, Source, TOMBSTONE, newest_at};

/// The row of a tombstone.
pub(crate) const TOMBSTONE_ROW: &[u8] = &[TOMBSTONE];

/// Values up to this length stay in the leaf however long the key: a reference is no shorter.
const ALWAYS_INLINE_BYTES: usize = 32;

/// A row as parts that follow each other.
pub(crate) type Row<'a> = &'a [&'a [u8]];

/// What there is of a record before a row of it is put.
#[derive(Clone, Copy)]
enum Before {
    Nothing,
    /// Its newest row.
    Row {
        /// The one that is put anew.
        same: bool,
        visible: bool,
    },
    /// What comes after the row lies in another leaf.
    Elsewhere,
}

impl Before {
    /// From the leaf and the place in it where the row will be.
    fn in_leaf(
        page: &Slotted,
        place: std::result::Result<usize, usize>,
        logical: &[u8],
        mvcc: bool,
    ) -> Self {
        let (index, same) = match place {
            Ok(index) => (index, true),
            Err(_) if !mvcc => return Self::Nothing,
            Err(index) => (index, false),
        };
        if index == page.count() {
            return Self::Elsewhere;
        }
        if !same && page.strip_start::<{ keys::SEQ_BYTES }>(index, logical).is_none() {
            return Self::Nothing;
        }
        let (value, overflow) = page.value_range(index);
        Self::Row { same, visible: overflow || page.bytes()[value].first() != Some(&TOMBSTONE) }
    }
}

/// A state being changed.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) root: Root,
    pub(crate) edit: Edit,
    mvcc: bool,
}

impl Changes {
    /// Changes on top of `root`, for the commit after it.
    pub(crate) fn new(root: Root, change: FrameNo, mvcc: bool) -> Self {
        let seq = root.seq + 1;
        Self::commit(root, seq, change, mvcc)
    }

    /// Changes on top of `root`, for the commit of this sequence.
    pub(crate) fn commit(root: Root, seq: u64, change: FrameNo, mvcc: bool) -> Self {
        Self { root, edit: Edit::new(Stamp { seq, change }), mvcc }
    }

    /// Changes on top of `root` that take no sequence and make nothing newer.
    pub(crate) fn maintenance(root: Root, change: FrameNo, mvcc: bool) -> Self {
        Self { root, edit: Edit::new(Stamp { seq: 0, change }), mvcc }
    }

    /// Puts the row of a record or an index; `key` is the physical one.
    pub(crate) fn put_row(&mut self, pager: &Pager, key: &[u8], row: Row<'_>) -> Result<()> {
        if self.root.count_mut(key[0]).is_none() {
            return self.put_physical(pager, false, key, row, &mut |_, _| {});
        }
        let tombstone = row.first().and_then(|part| part.first()) == Some(&TOMBSTONE);
        let (mvcc, (logical, seq)) = (self.mvcc, self.split(key));
        let mut before = Before::Elsewhere;
        self.put_physical(pager, false, key, row, &mut |page, place| {
            before = Before::in_leaf(page, place, logical, mvcc);
        })?;
        let (same_row, was_visible) = match before {
            Before::Nothing => (None, false),
            Before::Row { same, visible } => (Some(same), visible),
            Before::Elsewhere => {
                let source = Source::new(pager, &self.root, mvcc);
                let older = newest_at(&source, logical, seq.saturating_sub(1))?;
                let visible = older.as_ref().is_some_and(|older| !older.tombstone);
                (older.map(|_| false), visible)
            }
        };
        if let Some(count) = self.root.count_mut(key[0]) {
            // Counters may be wrong on disk, which `check` tells.
            let add = |counter: &mut u64, one| *counter = counter.saturating_add(u64::from(one));
            add(&mut count.logical, same_row.is_none());
            add(&mut count.rows, same_row != Some(true));
            add(&mut count.visible, !tombstone && !was_visible);
            count.visible = count.visible.saturating_sub(u64::from(tombstone && was_visible));
        }
        Ok(())
    }

    /// Removes the row of a record (format v1), or of an index.
    pub(crate) fn delete_row(&mut self, pager: &Pager, key: &[u8]) -> Result<bool> {
        if self.delete_physical(pager, false, key)?.is_none() {
            return Ok(false);
        }
        if let Some(count) = self.root.count_mut(key[0]) {
            count.logical = count.logical.saturating_sub(1);
            count.rows = count.rows.saturating_sub(1);
            count.visible = count.visible.saturating_sub(1);
        }
        Ok(true)
    }

    /// Removes a version that no snapshot sees: one that a newer one supersedes, or a tombstone
    /// with nothing older below it.
    pub(crate) fn remove_version(&mut self, pager: &Pager, key: &[u8]) -> Result<()> {
        let Some(removed) = self.delete_physical(pager, false, key)? else { return Ok(()) };
        if self.root.count_mut(key[0]).is_none() {
            return Ok(());
        }
        let (logical, _) = self.split(key);
        let was_last = removed.first_byte == Some(TOMBSTONE)
            && newest_at(&self.source(pager), logical, u64::MAX)?.is_none();
        if was_last {
            probe::hit(Probe::LastVersionPruned);
        }
        if let Some(count) = self.root.count_mut(key[0]) {
            count.rows = count.rows.saturating_sub(1);
            count.logical = count.logical.saturating_sub(u64::from(was_last));
        }
        Ok(())
    }

    /// Puts a row of the timeline or a snapshot tag.
    pub(crate) fn put_meta(&mut self, pager: &Pager, key: &[u8], value: &[u8]) -> Result<()> {
        self.put_physical(pager, true, key, &[&[PLAIN], value], &mut |_, _| {})
    }

    /// Removes a row of the timeline or a snapshot tag.
    pub(crate) fn remove_meta(&mut self, pager: &Pager, key: &[u8]) -> Result<bool> {
        Ok(self.delete_physical(pager, true, key)?.is_some())
    }

    fn delete_physical(
        &mut self,
        pager: &Pager,
        meta: bool,
        key: &[u8],
    ) -> Result<Option<Removed>> {
        let tree = if meta { &mut self.root.meta } else { &mut self.root.records };
        let removed = self.edit.delete(pager, tree, key)?;
        if let Some(reference) = removed.as_ref().and_then(|removed| removed.overflow.as_ref()) {
            self.free_overflow(pager, reference)?;
        }
        Ok(removed)
    }

    /// Closes the commit: its timeline rows, and the state's place in history.
    pub(crate) fn finish(&mut self, pager: &Pager, row: &MetaRow) -> Result<()> {
        let seq = self.edit.stamp.seq;
        let value = row.encode();
        self.put_meta(pager, &keys::commit_key(seq), &value)?;
        self.put_meta(pager, &keys::commit_time_key(row.time, seq), &[])?;
        self.root.seq = seq;
        self.root.time = row.time.as_nanos();
        self.root.hash = row.hash;
        Ok(())
    }

    /// The commit is the first that this database knows, and took its place in an older history:
    /// nothing before it can be read.
    pub(crate) fn begin_history(&mut self) {
        let root = &mut self.root;
        (root.base, root.floor, root.pruned) = (root.seq, root.seq, root.seq);
    }

    /// The key's logical part and sequence; the whole key in format v1.
    fn split<'k>(&self, key: &'k [u8]) -> (&'k [u8], u64) {
        if self.mvcc { keys::split_seq(key).unwrap_or((key, 0)) } else { (key, 0) }
    }

    fn put_physical(
        &mut self,
        pager: &Pager,
        meta: bool,
        key: &[u8],
        row: Row<'_>,
        look: Look<'_>,
    ) -> Result<()> {
        let len: usize = row.iter().map(|part| part.len()).sum();
        let tree = if meta { &mut self.root.meta } else { &mut self.root.records };
        let old = if is_inline(pager.page_size, key.len(), len) {
            let mut joined = smallvec::SmallVec::<[u8; 256]>::new();
            for part in row {
                joined.extend_from_slice(part);
            }
            let row = NewRow { key, value: &joined, overflow: false };
            self.edit.put(pager, tree, row, look)?
        } else {
            let reference = pager.write_overflow(row, self.edit.stamp.change.0)?;
            let row = NewRow { key, value: &reference.encode(), overflow: true };
            self.edit.put(pager, tree, row, look)?
        };
        match old {
            Some(reference) => self.free_overflow(pager, &reference),
            None => Ok(()),
        }
    }

    fn free_overflow(&mut self, pager: &Pager, reference: &[u8]) -> Result<()> {
        probe::hit(Probe::OverflowFreed);
        let reference = OverflowRef::decode(reference, pager.page_size)
            .map_err(|what| pager.corrupt(PageNo::NONE, what))?;
        let end = lock(&pager.space).end();
        for extent in &reference.extents {
            if extent.start.0.saturating_add(extent.pages) > end {
                return Err(pager.corrupt(extent.start, "overflow pages past the end of the file"));
            }
        }
        for extent in reference.extents {
            self.edit.free(pager, extent);
        }
        Ok(())
    }

    /// The physical key of a version that this commit writes.
    pub(crate) fn physical(&self, logical: &[u8]) -> KeyBuf {
        let mut key = KeyBuf::from_slice(logical);
        if self.mvcc {
            keys::push_seq(&mut key, self.edit.stamp.seq);
        }
        key
    }

    /// The state so far, for reading.
    pub(crate) fn source<'a>(&'a self, pager: &'a Pager) -> Source<'a> {
        Source::new(pager, &self.root, self.mvcc)
    }

    /// The commit time that `wanted` leads to.
    pub(crate) fn time_after(&self, wanted: Timestamp) -> Timestamp {
        wanted.max(Timestamp::from_nanos(self.root.time))
    }
}

/// Whether a row of this length lies in its leaf.
fn is_inline(page_size: usize, key_len: usize, row_len: usize) -> bool {
    let quarter = Slotted::capacity(page_size) / 4;
    row_len <= ALWAYS_INLINE_BYTES || ENTRY_OVERHEAD + key_len + row_len <= quarter
}
