//! What every put and delete of a record comes to: its row, the index rows that change with it,
//! the redo stream and the history hash.
//!
//! Always: what can be refused is refused before anything is changed.

use sha2::{Digest, Sha256};

use super::history_hash::Touched;
use super::write::WriteTx;
use crate::bytes::Bytes;
use crate::changes::{Row, TOMBSTONE_ROW};
use crate::error::{Error, Result};
use crate::format::redo;
use crate::index::IndexKeys;
use crate::keys::{KeyBuf, KeyRange};
use crate::probe::{self, Probe};
use crate::timeline::{PLAIN, Rows, newest_at};

/// The newest version of a record as the transaction sees it.
pub(super) struct Newest {
    /// `None` for a tombstone.
    pub(super) value: Option<Bytes>,
    /// This transaction wrote it.
    own: bool,
}

/// The index rows of a record before and after a change of it.
#[derive(Default)]
pub(super) struct IndexChange {
    pub(super) before: IndexKeys,
    pub(super) after: IndexKeys,
    /// This transaction has changed the record before.
    again: bool,
}

impl IndexChange {
    /// From what the record was, `before` being its index rows.
    pub(super) fn new(was: Option<&Newest>, before: IndexKeys, after: IndexKeys) -> Self {
        Self { before, after, again: was.is_some_and(|was| was.own) }
    }
}

impl WriteTx {
    /// The newest version of a record, if it has any.
    pub(super) fn newest(&self, logical: &[u8]) -> Result<Option<Newest>> {
        let source = self.changes.source(&self.core.pager);
        let Some(row) = newest_at(&source, logical, u64::MAX)? else { return Ok(None) };
        let own = row.seq == self.commit_seq();
        Ok(Some(Newest { value: source.value(&row)?, own }))
    }

    /// Puts a record without index rows.
    pub(super) fn put_plain(&mut self, logical: KeyBuf, value: &[u8]) -> Result<()> {
        self.put_record(logical, value, &IndexChange::default())
    }

    /// Puts a record and brings its index rows up to date.
    pub(super) fn put_record(
        &mut self,
        logical: KeyBuf,
        value: &[u8],
        index: &IndexChange,
    ) -> Result<()> {
        let max = self.core.limits.max_value_bytes;
        if value.len() > max {
            return Err(Error::ValueTooLarge { len: value.len(), max });
        }
        let max = self.core.limits.max_logical_bytes();
        if let Some(long) = index.after.iter().chain([&logical]).find(|key| key.len() > max) {
            return Err(Error::KeyTooLarge {
                what: "key of a record or index",
                len: long.len(),
                max,
            });
        }
        self.check_usable()?;
        let key = self.changes.physical(&logical);
        let digest = Sha256::digest(value).into();
        self.apply(&key, Some(&[&[PLAIN], value]))?;
        self.apply_index(index)?;
        self.touched.push(Touched { logical, value: Some(digest) });
        self.limit_memory()
    }

    /// Deletes a record without index rows; says whether there was one.
    pub(super) fn delete_plain(&mut self, logical: KeyBuf) -> Result<bool> {
        self.check_usable()?;
        let visible = newest_at(&self.changes.source(&self.core.pager), &logical, u64::MAX)?
            .is_some_and(|newest| !newest.tombstone);
        if visible {
            self.delete_visible(logical, &IndexChange::default())?;
        }
        Ok(visible)
    }

    /// Deletes a record with its index rows, which `index` tells from its value; says whether
    /// there was one.
    pub(super) fn delete_record(
        &mut self,
        logical: KeyBuf,
        index: impl FnOnce(&[u8]) -> Result<IndexKeys>,
    ) -> Result<bool> {
        self.check_usable()?;
        let newest = self.newest(&logical)?;
        let Some(value) = newest.as_ref().and_then(|newest| newest.value.as_ref()) else {
            return Ok(false);
        };
        let index = IndexChange::new(newest.as_ref(), index(value)?, IndexKeys::new());
        self.delete_visible(logical, &index)?;
        Ok(true)
    }

    pub(super) fn delete_visible(&mut self, logical: KeyBuf, index: &IndexChange) -> Result<()> {
        let key = self.changes.physical(&logical);
        let row: Option<Row<'_>> =
            if self.core.limits.mvcc { Some(&[TOMBSTONE_ROW]) } else { None };
        self.apply(&key, row)?;
        self.apply_index(index)?;
        self.touched.push(Touched { logical, value: None });
        self.limit_memory()
    }

    /// Names of visible records of a range, as many as one step of a cascade takes.
    pub(super) fn visible_names(&self, range: KeyRange) -> Result<Vec<KeyBuf>> {
        const STEP: usize = 256;
        let source = self.changes.source(&self.core.pager);
        let mut rows = Rows::new(range, u64::MAX, self.core.limits.mvcc);
        let mut names = Vec::new();
        while !rows.is_done() && names.len() < STEP {
            match rows.next_in_leaf(&self.core.pager)? {
                Some(row) => names.push(row.with_logical(KeyBuf::from_slice)),
                None => rows.next_leaf(&source)?,
            }
        }
        Ok(names)
    }

    fn apply_index(&mut self, index: &IndexChange) -> Result<()> {
        for key in index.before.iter().filter(|key| index.after.binary_search(key).is_err()) {
            self.set_index(key, false, index.again)?;
        }
        for key in index.after.iter().filter(|key| index.before.binary_search(key).is_err()) {
            self.set_index(key, true, index.again)?;
        }
        Ok(())
    }

    /// Makes an index row visible or not. Where this brings back what was there before the
    /// transaction, the transaction's own row goes: a tombstone of nothing would stay for ever.
    fn set_index(&mut self, logical: &[u8], visible: bool, again: bool) -> Result<()> {
        let key = self.changes.physical(logical);
        let mvcc = self.core.limits.mvcc;
        if mvcc && again {
            let source = self.changes.source(&self.core.pager);
            let before = newest_at(&source, logical, self.commit_seq() - 1)?;
            if before.is_some_and(|row| !row.tombstone) == visible {
                probe::hit(Probe::OwnIndexRowUndone);
                return self.apply(&key, None);
            }
        }
        match visible {
            true => self.apply(&key, Some(&[&[PLAIN]])),
            false if mvcc => self.apply(&key, Some(&[TOMBSTONE_ROW])),
            false => self.apply(&key, None),
        }
    }

    /// Puts or (without a row) removes a physical row, in the tree and in the redo stream.
    fn apply(&mut self, key: &[u8], row: Option<Row<'_>>) -> Result<()> {
        let pager = &self.core.pager;
        let applied = match row {
            Some(row) => self.changes.put_row(pager, key, row),
            None => self.changes.delete_row(pager, key).map(|_| ()),
        };
        if let Err(error) = applied {
            return Err(self.break_off(error));
        }
        match row {
            Some(row) => redo::push_put(&mut self.redo, key, row),
            None => redo::push_delete(&mut self.redo, key),
        }
        Ok(())
    }
}
