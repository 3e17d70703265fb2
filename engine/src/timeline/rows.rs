//! Reading rows at a snapshot: of each logical key the newest version that the snapshot sees.

use std::sync::Arc;

use super::root::Root;
use crate::btree::{self, Found, LeafSpan, Tree};
use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::format::overflow::OverflowRef;
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
    let found = if source.mvcc {
        let mut key = KeyBuf::from_slice(logical);
        keys::push_seq(&mut key, seq);
        btree::lower_bound(source.pager, &source.root.records, &key)?
    } else {
        btree::lower_bound(source.pager, &source.root.records, logical)?
    };
    match found {
        Some(found) => version_of(source, found, logical),
        None => Ok(None),
    }
}

/// The row as a version of `logical`, if it is one.
fn version_of(source: &Source<'_>, found: Found, logical: &[u8]) -> Result<Option<VersionRow>> {
    let Some(rest) = found.leaf.keys.strip_key_prefix(found.index, logical) else {
        return Ok(None);
    };
    let seq = match (source.mvcc, rest.len()) {
        (true, keys::SEQ_BYTES) => {
            let mut bytes = [0; keys::SEQ_BYTES];
            bytes.copy_from_slice(&rest);
            !u64::from_be_bytes(bytes)
        }
        (false, 0) => source.root.seq,
        _ => return Ok(None),
    };
    let tombstone = is_tombstone(source.pager, &found.leaf, found.index)?;
    Ok(Some(VersionRow { seq, tombstone, found }))
}

/// Whether a row says that its record was deleted.
pub(crate) fn is_tombstone(pager: &Pager, leaf: &Node, index: usize) -> Result<bool> {
    let (range, overflow) = leaf.keys.value_range(index);
    match leaf.keys.bytes()[range].first() {
        // A tombstone is never so large.
        _ if overflow => Ok(false),
        Some(&TOMBSTONE) => Ok(true),
        Some(&PLAIN) => Ok(false),
        _ => Err(bad_row(pager, leaf)),
    }
}

/// The value of a put row.
pub(crate) fn read_value(pager: &Pager, leaf: &Arc<Node>, index: usize) -> Result<Bytes> {
    let (range, overflow) = leaf.keys.value_range(index);
    if !overflow {
        return match leaf.keys.bytes()[range.clone()].first() {
            Some(&PLAIN) => Ok(Bytes::in_leaf(Arc::clone(leaf), range.start + 1..range.end)),
            _ => Err(bad_row(pager, leaf)),
        };
    }
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

fn bad_row(pager: &Pager, leaf: &Node) -> Error {
    pager.corrupt(page_of(leaf), "a row with an unknown tag")
}

/// One end of a walk: a leaf and the next index in it.
struct End {
    span: LeafSpan,
    /// Forwards: the next index. Backwards: one past the next index.
    index: usize,
}

/// Visible rows of a key range at a snapshot, from both ends. Between leaves nothing is held but
/// a key, so that the walk goes on in whatever root the caller gives next.
pub(crate) struct Rows {
    /// Bounds on physical keys that were not yielded yet.
    range: KeyRange,
    seq: u64,
    front: Option<End>,
    back: Option<End>,
    done: bool,
}

/// A visible row: its logical key and where it is.
pub(crate) struct VisibleRow {
    pub(crate) logical: KeyBuf,
    leaf: Arc<Node>,
    index: usize,
}

impl VisibleRow {
    /// The row's value.
    pub(crate) fn value(&self, pager: &Pager) -> Result<Bytes> {
        read_value(pager, &self.leaf, self.index)
    }
}

impl Rows {
    /// Rows of `range` as of `seq`.
    pub(crate) fn new(range: KeyRange, seq: u64) -> Self {
        let done = range.is_empty();
        Self { range, seq, front: None, back: None, done }
    }

    /// The next row from the front.
    pub(crate) fn next(&mut self, source: &Source<'_>) -> Result<Option<VisibleRow>> {
        let mut skipped = 0;
        while !self.done {
            let Some((leaf, index)) = self.step_forward(source, &source.root.records)? else {
                break;
            };
            let key = leaf.keys.key(index);
            if key[..] >= self.range.end[..] {
                break;
            }
            let Some((logical, seq)) = split(source, &key) else {
                return Err(bad_row(source.pager, &leaf));
            };
            if seq > self.seq {
                skipped += 1;
                if skipped >= 4 {
                    // Many newer versions: jump to the one that is visible.
                    let mut target = KeyBuf::from_slice(logical);
                    keys::push_seq(&mut target, self.seq);
                    self.seek_front(source, &target)?;
                }
                continue;
            }
            skipped = 0;
            let logical = KeyBuf::from_slice(logical);
            let tombstone = is_tombstone(source.pager, &leaf, index)?;
            self.pass_forward(source, &logical)?;
            if !tombstone {
                return Ok(Some(VisibleRow { logical, leaf, index }));
            }
        }
        self.done = true;
        Ok(None)
    }

    /// The next row from the back.
    pub(crate) fn next_back(&mut self, source: &Source<'_>) -> Result<Option<VisibleRow>> {
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
                return Ok(Some(row));
            }
        }
        self.done = true;
        Ok(None)
    }

    /// The visible version of a record whose oldest version is at `index`.
    fn newest_visible(
        &self,
        source: &Source<'_>,
        logical: &KeyBuf,
        leaf: Arc<Node>,
        index: usize,
    ) -> Result<Option<VisibleRow>> {
        let alone =
            !source.mvcc || index > 0 && leaf.keys.strip_key_prefix(index - 1, logical).is_none();
        if alone {
            let tombstone = is_tombstone(source.pager, &leaf, index)?;
            return Ok((!tombstone).then(|| VisibleRow { logical: logical.clone(), leaf, index }));
        }
        Ok(newest_at(source, logical, self.seq)?.filter(|row| !row.tombstone).map(|row| {
            VisibleRow { logical: logical.clone(), leaf: row.found.leaf, index: row.found.index }
        }))
    }

    fn step_forward(
        &mut self,
        source: &Source<'_>,
        tree: &Tree,
    ) -> Result<Option<(Arc<Node>, usize)>> {
        loop {
            if self.front.is_none() {
                let start = self.range.start.clone();
                self.seek_front(source, &start)?;
            }
            let Some(end) = &mut self.front else { return Ok(None) };
            if end.index < end.span.leaf.keys.count() {
                end.index += 1;
                return Ok(Some((Arc::clone(&end.span.leaf), end.index - 1)));
            }
            let Some(upper) = end.span.upper.take() else { return Ok(None) };
            if upper[..] >= self.range.end[..] {
                return Ok(None);
            }
            let span = btree::leaf_at_or_after(source.pager, tree, &upper)?;
            let index = span.leaf.keys.lower_bound(&upper);
            self.range.start = upper;
            self.front = Some(End { span, index });
        }
    }

    fn seek_front(&mut self, source: &Source<'_>, key: &[u8]) -> Result<()> {
        let span = btree::leaf_at_or_after(source.pager, &source.root.records, key)?;
        let index = span.leaf.keys.lower_bound(key);
        self.front = Some(End { span, index });
        Ok(())
    }

    /// Goes past the older versions of a record.
    fn pass_forward(&mut self, source: &Source<'_>, logical: &KeyBuf) -> Result<()> {
        let next = if source.mvcc {
            keys::successor(logical.clone())
        } else {
            let mut next = logical.clone();
            next.push(0);
            next
        };
        let mut steps = 0;
        while let Some(end) = self.front.as_mut().filter(|_| source.mvcc) {
            let keys = &end.span.leaf.keys;
            if end.index >= keys.count() || keys.strip_key_prefix(end.index, logical).is_none() {
                break;
            }
            end.index += 1;
            steps += 1;
            if steps == 4 {
                end.index = keys.lower_bound(&next);
            }
        }
        let at_end = self.front.as_ref().is_some_and(|end| end.index >= end.span.leaf.keys.count());
        if at_end && source.mvcc {
            // Older versions may go on in the next leaf.
            if let Some(upper) = self.front.as_ref().and_then(|end| end.span.upper.clone())
                && upper[..] < next[..]
            {
                self.seek_front(source, &next)?;
            }
        }
        self.range.start = next;
        self.done |= self.range.start >= self.range.end;
        Ok(())
    }

    fn step_back(
        &mut self,
        source: &Source<'_>,
        tree: &Tree,
    ) -> Result<Option<(Arc<Node>, usize)>> {
        loop {
            if self.back.is_none() {
                let span = btree::leaf_before(source.pager, tree, Some(&self.range.end))?;
                let index = span.leaf.keys.lower_bound(&self.range.end);
                self.back = Some(End { span, index });
            }
            let Some(end) = &mut self.back else { return Ok(None) };
            if end.index > 0 {
                end.index -= 1;
                return Ok(Some((Arc::clone(&end.span.leaf), end.index)));
            }
            let Some(lower) = end.span.lower.take() else { return Ok(None) };
            if lower[..] <= self.range.start[..] {
                return Ok(None);
            }
            let span = btree::leaf_before(source.pager, tree, Some(&lower))?;
            let index = span.leaf.keys.lower_bound(&lower);
            self.back = Some(End { span, index });
        }
    }

    /// Goes before the newer versions of a record, to `range.end`.
    fn pass_back(&mut self, source: &Source<'_>) {
        let end_key = &self.range.end;
        if let Some(end) = &mut self.back {
            let keys = &end.span.leaf.keys;
            let before = end.index.checked_sub(1);
            if source.mvcc && before.is_none_or(|at| keys.key(at)[..] >= end_key[..]) {
                end.index = keys.lower_bound(end_key);
                if end.index == 0 && end.span.lower.as_ref().is_some_and(|lower| lower > end_key) {
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
