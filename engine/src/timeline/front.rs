//! Rows of one leaf from its front, and what a walk makes of them.

#![expect(clippy::inline_always, reason = "measured: a seventh less time for each key of a scan")]

use std::sync::Arc;

use super::rows::{after, is_tombstone_at, read_value_at};
use crate::btree::LeafAhead;
use crate::bytes::{Bytes, ShortStart};
use crate::error::Result;
use crate::format::slotted::{HEAD_BYTES, Placed};
use crate::keys::{self, DecodeError, KeyBuf};
use crate::pager::{Node, Pager};

/// Keys up to this length are put together without an allocation.
const SHORT_KEY_BYTES: usize = 64;

/// The front of a walk: a leaf, and the rows of it that are still to come.
pub(super) struct Front {
    pub(super) span: LeafAhead,
    index: usize,
    /// Where row `index` lies, if that is known already.
    ahead: Option<Placed>,
    /// Rows from here on lie past the range.
    pub(super) limit: usize,
    mvcc: bool,
    /// No row of the leaf is too new for the snapshot.
    all_old: bool,
    /// How every application key of the raw keyspace in this leaf begins, where that is plain.
    start: Option<ShortStart>,
    /// The row that was passed last: its versions are done with.
    pub(super) passed: Option<usize>,
}

impl Front {
    /// The rows of a leaf up to `limit`, as of `seq`.
    pub(super) fn new(span: LeafAhead, limit: usize, seq: u64, mvcc: bool) -> Self {
        let all_old = !mvcc || span.max_seq <= seq;
        let start = keys::plain_raw_start(span.leaf.keys.prefix()).and_then(ShortStart::new);
        let index = span.index;
        Self { span, index, ahead: None, limit, mvcc, all_old, start, passed: None }
    }

    /// The next row that a snapshot of `seq` sees.
    #[inline(always)]
    pub(super) fn next_row(&mut self, pager: &Pager, seq: u64) -> Result<Option<RowAt<'_>>> {
        let Some((index, placed)) = self.find_row(pager, seq)? else { return Ok(None) };
        let (leaf, mvcc, start) = (&self.span.leaf, self.mvcc, self.start.as_ref());
        Ok(Some(RowAt { leaf, index, placed, mvcc, start }))
    }

    #[inline(always)]
    fn find_row(&mut self, pager: &Pager, seq: u64) -> Result<Option<(usize, Placed)>> {
        while self.index < self.limit {
            let (leaf, index) = (&self.span.leaf, self.index);
            if !self.all_old && seq_of(leaf, index) > seq {
                self.index = after_newer(leaf, index, seq, self.limit);
                self.ahead = None;
                continue;
            }
            let placed = self.ahead.unwrap_or_else(|| leaf.keys.placed(index));
            let tombstone = is_tombstone_at(pager, leaf, placed)?;
            self.passed = Some(index);
            self.pass(index, placed);
            if !tombstone {
                return Ok(Some((index, placed)));
            }
        }
        Ok(None)
    }

    /// Goes on after the versions of the record at `index`.
    #[inline(always)]
    fn pass(&mut self, index: usize, placed: Placed) {
        let (leaf, next) = (&self.span.leaf, index + 1);
        self.ahead = None;
        self.index = next;
        if !self.mvcc || next >= self.limit {
            return;
        }
        let other = leaf.keys.placed(next);
        if same_record(leaf, (index, placed), (next, other)) {
            self.index = after_versions(leaf, index, self.limit);
        } else {
            self.ahead = Some(other);
        }
    }
}

/// A visible row with its leaf.
pub(crate) struct VisibleRow {
    pub(super) leaf: Arc<Node>,
    pub(super) index: usize,
    pub(super) mvcc: bool,
}

impl VisibleRow {
    /// The row as it lies in its leaf.
    pub(crate) fn at(&self) -> RowAt<'_> {
        let placed = self.leaf.keys.placed(self.index);
        RowAt { leaf: &self.leaf, index: self.index, placed, mvcc: self.mvcc, start: None }
    }
}

/// A visible row in its leaf.
pub(crate) struct RowAt<'a> {
    leaf: &'a Arc<Node>,
    index: usize,
    placed: Placed,
    mvcc: bool,
    start: Option<&'a ShortStart>,
}

impl RowAt<'_> {
    /// Puts the application key of a row of the raw keyspace where it is wanted.
    #[inline(always)]
    pub(crate) fn raw_key(&self, key: &mut Bytes) -> std::result::Result<(), DecodeError> {
        let mut end = self.placed.suffix();
        if self.mvcc {
            end.end = end.end.saturating_sub(keys::SEQ_BYTES).max(end.start);
        }
        if let Some(start) = self.start
            && let Some(end) = keys::plain_raw_end(&self.leaf.keys.bytes()[end])
            && start.follow(end, key)
        {
            return Ok(());
        }
        *key = self.decoded_raw_key()?;
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn decoded_raw_key(&self) -> std::result::Result<Bytes, DecodeError> {
        self.with_logical(|key| Ok(Bytes::from(&*keys::raw_app_key(key)?)))
    }

    /// Calls `read` with the row's logical key.
    pub(crate) fn with_logical<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        let (prefix, suffix) = (self.leaf.keys.prefix(), self.leaf.keys.suffix(self.index));
        let len = prefix.len() + suffix.len();
        let logical_len = if self.mvcc { len.saturating_sub(keys::SEQ_BYTES) } else { len };
        if len > SHORT_KEY_BYTES {
            return read(&self.leaf.keys.key(self.index)[..logical_len]);
        }
        let mut key = [0; SHORT_KEY_BYTES];
        key[..prefix.len()].copy_from_slice(prefix);
        key[prefix.len()..len].copy_from_slice(suffix);
        read(&key[..logical_len])
    }

    /// The row's value.
    #[inline(always)]
    pub(crate) fn value(&self, pager: &Pager) -> Result<Bytes> {
        read_value_at(pager, self.leaf, self.placed)
    }
}

/// The sequence of a versioned row.
fn seq_of(leaf: &Node, index: usize) -> u64 {
    let read = |key: &[u8]| keys::split_seq(key).map_or(0, |(_, seq)| seq);
    let suffix = leaf.keys.suffix(index);
    if suffix.len() > keys::SEQ_BYTES { read(suffix) } else { read(&leaf.keys.key(index)) }
}

/// The logical key of a row.
pub(super) fn logical_of(leaf: &Node, index: usize, mvcc: bool) -> KeyBuf {
    let mut key = leaf.keys.key(index);
    if mvcc {
        key.truncate(key.len().saturating_sub(keys::SEQ_BYTES));
    }
    key
}

/// Whether two rows, given with their indexes, are versions of one record.
#[inline(always)]
fn same_record(leaf: &Node, (a, a_at): (usize, Placed), (b, b_at): (usize, Placed)) -> bool {
    if a_at.suffix_len() != b_at.suffix_len() {
        return false;
    }
    let bytes = leaf.keys.bytes();
    match a_at.suffix_len().checked_sub(keys::SEQ_BYTES) {
        Some(len) if len >= HEAD_BYTES && leaf.keys.head(a) != leaf.keys.head(b) => false,
        Some(len) => bytes[a_at.suffix()][..len] == bytes[b_at.suffix()][..len],
        // The shared prefix reaches into the sequence: all rows of the leaf are of one record.
        None => true,
    }
}

/// The first row after the versions of the record at `index`.
fn after_versions(leaf: &Node, index: usize, limit: usize) -> usize {
    let first = (index, leaf.keys.placed(index));
    let near = (index + 5).min(limit);
    let other = |next: &usize| !same_record(leaf, first, (*next, leaf.keys.placed(*next)));
    match (index + 1..near).find(other) {
        Some(next) => next,
        None if near == limit => limit,
        None => leaf.keys.lower_bound(&after(logical_of(leaf, index, true), true)).min(limit),
    }
}

/// The first row after those versions of the record at `index` that are newer than `seq`.
fn after_newer(leaf: &Node, index: usize, seq: u64, limit: usize) -> usize {
    let at = |index: usize| (index, leaf.keys.placed(index));
    if index + 1 < limit && !same_record(leaf, at(index), at(index + 1)) {
        return index + 1;
    }
    let mut key = logical_of(leaf, index, true);
    keys::push_seq(&mut key, seq);
    leaf.keys.lower_bound(&key).clamp(index + 1, limit)
}
