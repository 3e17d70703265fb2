//! Reading rows at a snapshot: of each logical key the newest version that the snapshot sees.

#![expect(clippy::inline_always, reason = "measured: a seventh less time for each key of a scan")]

use std::ops::Range;
use std::sync::Arc;

use super::front::{Front, RowAt, VisibleRow, logical_of};
use super::root::Root;
use crate::btree::{self, Found, LeafAhead, LeafBehind, Tree};
use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::format::overflow::OverflowRef;
use crate::format::slotted::Placed;
use crate::ids::PageNo;
use crate::keys::{self, KeyBuf, KeyRange};
use crate::pager::{Node, Pager};

/// Tag of a tombstone's row.
pub(crate) const TOMBSTONE: u8 = 0;
/// Tag of a row whose value follows as it is.
pub(crate) const PLAIN: u8 = 1;

/// A state to read from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) pager: &'a Pager,
    pub(crate) root: &'a Root,
    pub(crate) mvcc: bool,
}

/// A version of a record.
#[derive(Debug)]
pub(crate) struct VersionRow {
    pub(crate) seq: u64,
    pub(crate) tombstone: bool,
    found: Found,
}

impl<'a> Source<'a> {
    pub(crate) fn new(pager: &'a Pager, root: &'a Root, mvcc: bool) -> Self {
        Self { pager, root, mvcc }
    }

    /// The value of a version; `None` for a tombstone.
    pub(crate) fn value(&self, row: &VersionRow) -> Result<Option<Bytes>> {
        if row.tombstone {
            return Ok(None);
        }
        read_value(self.pager, &row.found.leaf, row.found.index).map(Some)
    }

    /// The value of a timeline row.
    pub(crate) fn meta(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let Some(found) = btree::lower_bound(self.pager, &self.root.meta, key)? else {
            return Ok(None);
        };
        if found.leaf.keys.key(found.index)[..] != *key {
            return Ok(None);
        }
        read_value(self.pager, &found.leaf, found.index).map(Some)
    }
}

/// The newest version of a record with a sequence of at most `seq`.
#[inline]
pub(crate) fn newest_at(
    source: &Source<'_>,
    logical: &[u8],
    seq: u64,
) -> Result<Option<VersionRow>> {
    if !source.mvcc {
        return newest_of(source, logical, logical.len());
    }
    let mut key = KeyBuf::from_slice(logical);
    keys::push_seq(&mut key, seq);
    newest_of(source, &key, logical.len())
}

/// As [`newest_at`], with a logical key that is given up.
#[inline]
pub(crate) fn newest_at_owned(
    source: &Source<'_>,
    mut logical: KeyBuf,
    seq: u64,
) -> Result<Option<VersionRow>> {
    let len = logical.len();
    if source.mvcc {
        keys::push_seq(&mut logical, seq);
    }
    newest_of(source, &logical, len)
}

/// The version at or after a physical key, if it is one of its record.
#[inline]
fn newest_of(source: &Source<'_>, key: &[u8], logical_len: usize) -> Result<Option<VersionRow>> {
    match btree::lower_bound(source.pager, &source.root.records, key)? {
        Some(found) => version_of(source, found, &key[..logical_len]),
        None => Ok(None),
    }
}

/// The row as a version of `logical`, if it is one.
fn version_of(source: &Source<'_>, found: Found, logical: &[u8]) -> Result<Option<VersionRow>> {
    let seq = if source.mvcc {
        found.leaf.keys.strip_start(found.index, logical).map(|seq| !u64::from_be_bytes(seq))
    } else {
        found.leaf.keys.strip_start(found.index, logical).map(|[]: [u8; 0]| source.root.seq)
    };
    let Some(seq) = seq else { return Ok(None) };
    let tombstone = is_tombstone(source.pager, &found.leaf, found.index)?;
    Ok(Some(VersionRow { seq, tombstone, found }))
}

/// Whether a row says that its record was deleted.
pub(crate) fn is_tombstone(pager: &Pager, leaf: &Node, index: usize) -> Result<bool> {
    is_tombstone_at(pager, leaf, leaf.keys.placed(index))
}

#[inline(always)]
pub(super) fn is_tombstone_at(pager: &Pager, leaf: &Node, placed: Placed) -> Result<bool> {
    match leaf.keys.bytes()[placed.value()].first() {
        // A tombstone is never so large.
        _ if placed.overflow() => Ok(false),
        Some(&TOMBSTONE) => Ok(true),
        Some(&PLAIN) => Ok(false),
        _ => Err(bad_row(pager, leaf)),
    }
}

/// The value of a put row.
pub(crate) fn read_value(pager: &Pager, leaf: &Arc<Node>, index: usize) -> Result<Bytes> {
    read_value_at(pager, leaf, leaf.keys.placed(index))
}

#[inline(always)]
pub(super) fn read_value_at(pager: &Pager, leaf: &Arc<Node>, placed: Placed) -> Result<Bytes> {
    let range = placed.value();
    if placed.overflow() {
        return read_overflow_row(pager, leaf, range);
    }
    match leaf.keys.bytes()[range.clone()].first() {
        Some(&PLAIN) => Ok(Bytes::in_leaf(Arc::clone(leaf), range.start + 1..range.end)),
        _ => Err(bad_row(pager, leaf)),
    }
}

#[inline(never)]
fn read_overflow_row(pager: &Pager, leaf: &Node, range: Range<usize>) -> Result<Bytes> {
    let reference = OverflowRef::decode(&leaf.keys.bytes()[range], pager.page_size)
        .map_err(|what| pager.corrupt(page_of(leaf), what))?;
    let mut row = pager.read_overflow(&reference)?;
    if row.first() != Some(&PLAIN) {
        return Err(bad_row(pager, leaf));
    }
    row.remove(0);
    Ok(row.into())
}

fn page_of(leaf: &Node) -> PageNo {
    leaf.disk.get().map_or(PageNo::NONE, |disk| disk.page)
}

#[cold]
#[inline(never)]
fn bad_row(pager: &Pager, leaf: &Node) -> Error {
    pager.corrupt(page_of(leaf), "a row with an unknown tag")
}

/// Visible rows of a key range at a snapshot, from both ends. Between leaves nothing is held but
/// a key, so that the walk goes on in whatever root the caller gives next.
pub(crate) struct Rows {
    /// Bounds on physical keys that were not yielded yet; the start is brought up to date only
    /// where it is needed.
    range: KeyRange,
    seq: u64,
    mvcc: bool,
    front: Option<Front>,
    /// The leaf at the back; rows of it below its index are still to come.
    back: Option<LeafBehind>,
    done: bool,
}

impl Rows {
    /// Rows of `range` as of `seq`.
    pub(crate) fn new(range: KeyRange, seq: u64, mvcc: bool) -> Self {
        let done = range.is_empty();
        Self { range, seq, mvcc, front: None, back: None, done }
    }

    /// The sequence of the snapshot.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether the walk is over.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// The next row from the front, as long as the leaf at hand has one: then ask
    /// [`Rows::next_leaf`], or it is the end.
    #[inline(always)]
    pub(crate) fn next_in_leaf(&mut self, pager: &Pager) -> Result<Option<RowAt<'_>>> {
        let Some(front) = self.front.as_mut().filter(|_| !self.done) else { return Ok(None) };
        front.next_row(pager, self.seq)
    }

    /// Goes to the next leaf from the front, unless the walk is over.
    #[inline(never)]
    pub(crate) fn next_leaf(&mut self, source: &Source<'_>) -> Result<()> {
        if self.done {
            return Ok(());
        }
        self.pass_front();
        if let Some(front) = self.front.take() {
            let whole = front.limit == front.span.leaf.keys.count();
            match front.span.upper.filter(|upper| whole && upper[..] < self.range.end[..]) {
                Some(upper) if self.range.start < upper => self.range.start = upper,
                Some(_) => {}
                None => {
                    self.done = true;
                    return Ok(());
                }
            }
        }
        self.done |= self.range.start >= self.range.end;
        if !self.done {
            let span =
                btree::leaf_at_or_after(source.pager, &source.root.records, &self.range.start)?;
            let limit = self.limit_in(&span);
            self.front = Some(Front::new(span, limit, self.seq, self.mvcc));
        }
        Ok(())
    }

    /// Brings the start of the range up to what the front has passed.
    fn pass_front(&mut self) {
        if let Some(front) = &mut self.front
            && let Some(passed) = front.passed.take()
        {
            let logical = logical_of(&front.span.leaf, passed, self.mvcc);
            self.range.start = after(logical, self.mvcc);
        }
    }

    /// Rows of a leaf that lie before the end of the range.
    fn limit_in(&self, span: &LeafAhead) -> usize {
        match &span.upper {
            Some(upper) if upper[..] <= self.range.end[..] => span.leaf.keys.count(),
            _ => span.leaf.keys.lower_bound(&self.range.end),
        }
    }

    /// The next row from the back.
    pub(crate) fn next_back(&mut self, source: &Source<'_>) -> Result<Option<VisibleRow>> {
        self.pass_front();
        self.done |= self.range.start >= self.range.end;
        while !self.done {
            let Some((leaf, index)) = self.step_back(source, &source.root.records)? else { break };
            let key = leaf.keys.key(index);
            if key[..] < self.range.start[..] {
                break;
            }
            let Some((logical, seq)) = split(source, &key) else {
                return Err(bad_row(source.pager, &leaf));
            };
            let logical = KeyBuf::from_slice(logical);
            self.range.end.clone_from(&logical);
            if seq > self.seq {
                // The oldest version is too new: no version is visible.
                self.pass_back(source);
                continue;
            }
            let row = self.newest_visible(source, &logical, leaf, index)?;
            self.pass_back(source);
            if let Some(row) = row {
                self.limit_front();
                return Ok(Some(row));
            }
        }
        self.done = true;
        Ok(None)
    }

    /// The back has moved the end of the range: so the front's rows may end earlier.
    fn limit_front(&mut self) {
        if let Some(mut front) = self.front.take() {
            front.limit = self.limit_in(&front.span);
            self.front = Some(front);
        }
    }

    /// The visible version of a record whose oldest version is at `index`.
    fn newest_visible(
        &self,
        source: &Source<'_>,
        logical: &KeyBuf,
        leaf: Arc<Node>,
        index: usize,
    ) -> Result<Option<VisibleRow>> {
        let mvcc = self.mvcc;
        let alone = !mvcc || index > 0 && !leaf.keys.starts_with(index - 1, logical);
        if alone {
            let tombstone = is_tombstone(source.pager, &leaf, index)?;
            return Ok((!tombstone).then_some(VisibleRow { leaf, index, mvcc }));
        }
        let newest = newest_at(source, logical, self.seq)?.filter(|row| !row.tombstone);
        Ok(newest.map(|row| VisibleRow { leaf: row.found.leaf, index: row.found.index, mvcc }))
    }

    fn step_back(
        &mut self,
        source: &Source<'_>,
        tree: &Tree,
    ) -> Result<Option<(Arc<Node>, usize)>> {
        loop {
            if self.back.is_none() {
                self.back = Some(btree::leaf_before(source.pager, tree, &self.range.end)?);
            }
            let Some(end) = &mut self.back else { return Ok(None) };
            if end.index > 0 {
                end.index -= 1;
                return Ok(Some((Arc::clone(&end.leaf), end.index)));
            }
            let Some(lower) = end.lower.take() else { return Ok(None) };
            if lower[..] <= self.range.start[..] {
                return Ok(None);
            }
            self.back = Some(btree::leaf_before(source.pager, tree, &lower)?);
        }
    }

    /// Goes before the newer versions of a record, to `range.end`.
    fn pass_back(&mut self, source: &Source<'_>) {
        let end_key = &self.range.end;
        if let Some(end) = &mut self.back {
            let keys = &end.leaf.keys;
            let before = end.index.checked_sub(1);
            if source.mvcc && before.is_none_or(|at| keys.key(at)[..] >= end_key[..]) {
                end.index = keys.lower_bound(end_key);
                if end.index == 0 && end.lower.as_ref().is_some_and(|lower| lower > end_key) {
                    self.back = None;
                }
            }
        }
        self.done |= self.range.start >= self.range.end;
    }
}

fn split<'k>(source: &Source<'_>, key: &'k [u8]) -> Option<(&'k [u8], u64)> {
    if source.mvcc { keys::split_seq(key) } else { Some((key, 0)) }
}

/// The first key after all rows of a record.
pub(super) fn after(mut logical: KeyBuf, mvcc: bool) -> KeyBuf {
    if mvcc {
        return keys::successor(logical);
    }
    logical.push(0);
    logical
}
