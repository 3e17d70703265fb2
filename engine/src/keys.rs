//! Physical keys: how the names of records become bytes whose order is the order of the records.
//!
//! A key is a family byte, the parts of the name, and in format v2 eight bytes of the commit that
//! wrote the version. Within one logical key the newest version comes first, so that "visible at
//! S" is one seek. No logical key is a prefix of another, so versions of different records never
//! mix, and the rows of one record are exactly those from its logical key to [`successor`].
//!
//! | family | byte | logical key after it |
//! | --- | --- | --- |
//! | never a family | `00` | |
//! | meta | `10` | kind byte, then by kind; never a sequence |
//! | raw | `20` | application key, escaped ([`escape`]) |
//! | cell | `30` | packed coordinate, 16 bytes |
//! | reserved: facet, edge, seam | `40`, `50`, `60` | |
//! | reserved: cells by tag, source, validity week | `80`, `84`, `88` | |
//! | reserved: edges by target | `90` | |
//! | reserved: seams by cell, source, validity week | `a0`, `a4`, `a8` | |
//! | never a family | `ff` | |
//!
//! | meta kind | byte | after it |
//! | --- | --- | --- |
//! | commit | `10` | sequence, 8 bytes big-endian |
//! | commit-time | `20` | nanoseconds with the sign bit flipped, then sequence, 8 bytes big-endian each |
//! | reserved: snapshot tag, changelog consumer, prune floor | `30`, `40`, `50` | |

mod decode_error;
mod escape;
mod logical;
#[cfg(test)]
mod tests;

use std::ops::{Bound, RangeBounds};

use smallvec::SmallVec;

pub(crate) use decode_error::DecodeError;
pub(crate) use escape::escaped_len;
#[cfg(test)]
pub(crate) use logical::{LogicalKey, PhysicalKey, decode_logical};
pub(crate) use logical::{
    cell_coord, decode_physical, plain_raw_end, plain_raw_start, raw_app_key,
};

use crate::error::{Error, Result};
use crate::lattice::{Coord, PackedCoord};
use crate::time::Timestamp;

/// A key while it is built. Most keys fit without an allocation.
pub(crate) type KeyBuf = SmallVec<[u8; 64]>;

/// Bytes of the commit sequence that ends a versioned key.
pub(crate) const SEQ_BYTES: usize = 8;

/// What a raw key takes beside its escaped application key: family, terminator, sequence.
pub(crate) const RAW_KEY_OVERHEAD_BYTES: usize = 1 + escape::TERMINATOR.len() + SEQ_BYTES;

/// Most bytes of a tag, source or relation type, escaped, without its terminator.
pub(crate) const MAX_TEXT_BYTES: usize = 255;

/// Kinds of rows, by the first byte of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Family {
    Meta = 0x10,
    Raw = 0x20,
    Cell = 0x30,
}

impl Family {
    fn from_byte(byte: u8) -> std::result::Result<Self, DecodeError> {
        match byte {
            0x10 => Ok(Self::Meta),
            0x20 => Ok(Self::Raw),
            0x30 => Ok(Self::Cell),
            0x00 | 0xFF => Err(DecodeError::damaged(format!("{byte:#04x} is never a family"))),
            _ => Err(DecodeError::newer(format!("key family {byte:#04x}"))),
        }
    }

    /// Every key of the family.
    pub(crate) fn range(self) -> KeyRange {
        let mut start = KeyBuf::new();
        start.push(self as u8);
        KeyRange::starting_with(start)
    }
}

/// Kinds of meta rows, by the second byte of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum MetaKind {
    Commit = 0x10,
    CommitTime = 0x20,
}

impl MetaKind {
    fn from_byte(byte: u8) -> std::result::Result<Self, DecodeError> {
        match byte {
            0x10 => Ok(Self::Commit),
            0x20 => Ok(Self::CommitTime),
            0x00 | 0xFF => Err(DecodeError::damaged(format!("{byte:#04x} is never a meta kind"))),
            _ => Err(DecodeError::newer(format!("meta kind {byte:#04x}"))),
        }
    }
}

/// Keys from `start` up to, but not including, `end`; `start` is never above `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub(crate) start: KeyBuf,
    pub(crate) end: KeyBuf,
}

impl KeyRange {
    /// Empty where `start` lies above `end`.
    fn new(start: KeyBuf, end: KeyBuf) -> Self {
        if start <= end { Self { start, end } } else { Self { end: start.clone(), start } }
    }

    /// Every key that begins with `prefix`.
    fn starting_with(prefix: KeyBuf) -> Self {
        let end = successor(prefix.clone());
        Self { start: prefix, end }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.start.as_slice() <= key && key < self.end.as_slice()
    }
}

/// The logical key of a cell.
pub(crate) fn cell_key(coord: Coord) -> KeyBuf {
    packed_key(PackedCoord::from(coord))
}

fn packed_key(packed: PackedCoord) -> KeyBuf {
    let mut key = KeyBuf::new();
    key.push(Family::Cell as u8);
    key.extend_from_slice(packed.as_bytes());
    key
}

/// The logical key of an application key of at most `max_key_bytes` escaped bytes; in the tree it
/// takes up to [`RAW_KEY_OVERHEAD_BYTES`] more.
pub(crate) fn raw_key(app_key: &[u8], max_key_bytes: usize) -> Result<KeyBuf> {
    let len = escaped_len(app_key);
    if len > max_key_bytes {
        return Err(Error::KeyTooLarge { what: "raw key", len, max: max_key_bytes });
    }
    Ok(ended(raw_start(app_key, len)))
}

/// The logical key of an application key of any length, as the end of a range may have it.
fn raw_bound(app_key: &[u8]) -> KeyBuf {
    ended(raw_start(app_key, escaped_len(app_key)))
}

#[inline]
fn ended(mut key: KeyBuf) -> KeyBuf {
    key.extend_from_slice(&escape::TERMINATOR);
    key
}

/// What all raw keys that begin with `prefix` begin with.
#[inline]
fn raw_start(prefix: &[u8], escaped_len: usize) -> KeyBuf {
    let mut key = KeyBuf::with_capacity(escaped_len + RAW_KEY_OVERHEAD_BYTES);
    key.push(Family::Raw as u8);
    escape::push_escaped(&mut key, prefix, escaped_len);
    key
}

/// The timeline row of a commit.
pub(crate) fn commit_key(seq: u64) -> KeyBuf {
    let mut key = meta_key(MetaKind::Commit);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// The timeline row that finds a commit by its time. Rows sort by time, then sequence.
pub(crate) fn commit_time_key(time: Timestamp, seq: u64) -> KeyBuf {
    let mut key = meta_key(MetaKind::CommitTime);
    key.extend_from_slice(&ordered_from_time(time).to_be_bytes());
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// Every `__meta/commit` row, by sequence.
pub(crate) fn commit_range() -> KeyRange {
    KeyRange::starting_with(meta_key(MetaKind::Commit))
}

/// Every `__meta/commit-time` row, by time, then sequence.
pub(crate) fn commit_time_range() -> KeyRange {
    KeyRange::starting_with(meta_key(MetaKind::CommitTime))
}

fn meta_key(kind: MetaKind) -> KeyBuf {
    KeyBuf::from_slice(&[Family::Meta as u8, kind as u8])
}

const SIGN_BIT: u64 = 1 << 63;

/// The time as a number whose unsigned order is the order of times.
fn ordered_from_time(time: Timestamp) -> u64 {
    time.as_nanos().cast_unsigned() ^ SIGN_BIT
}

fn time_from_ordered(ordered: u64) -> Timestamp {
    Timestamp::from_nanos((ordered ^ SIGN_BIT).cast_signed())
}

/// Makes a logical key the key of the version that commit `seq` wrote. The first key at or after
/// it is the newest version that snapshot `seq` sees, if it belongs to the same logical key.
#[inline]
pub(crate) fn push_seq(key: &mut KeyBuf, seq: u64) {
    key.extend_from_slice(&(!seq).to_be_bytes());
}

/// Splits a key of a version into logical key and commit sequence.
pub(crate) fn split_seq(key: &[u8]) -> Option<(&[u8], u64)> {
    let (logical, suffix) = key.split_last_chunk::<SEQ_BYTES>()?;
    (!logical.is_empty()).then(|| (logical, !u64::from_be_bytes(*suffix)))
}

/// The smallest key above every key that begins with `key`. `key` holds a byte below `FF`: its
/// family.
pub(crate) fn successor(mut key: KeyBuf) -> KeyBuf {
    while let Some(last) = key.pop() {
        if last < 0xFF {
            key.push(last + 1);
            break;
        }
    }
    key
}

/// Every raw key that begins with `prefix`.
pub(crate) fn raw_prefix_range(prefix: &[u8]) -> KeyRange {
    KeyRange::starting_with(raw_start(prefix, escaped_len(prefix)))
}

/// Every raw key in `range`, with all its versions.
pub(crate) fn raw_range<K: AsRef<[u8]>>(range: &impl RangeBounds<K>) -> KeyRange {
    let bound = |key: &K| raw_bound(key.as_ref());
    logical_range(Family::Raw, range.start_bound().map(bound), range.end_bound().map(bound))
}

/// Every cell in `range`, with all its versions.
pub(crate) fn cell_range(range: &impl RangeBounds<PackedCoord>) -> KeyRange {
    let bound = |packed: &PackedCoord| packed_key(*packed);
    logical_range(Family::Cell, range.start_bound().map(bound), range.end_bound().map(bound))
}

/// From bounds on logical keys to a range that takes in the versions of each key in them.
fn logical_range(family: Family, start: Bound<KeyBuf>, end: Bound<KeyBuf>) -> KeyRange {
    let whole = family.range();
    let start = match start {
        Bound::Included(key) => key,
        Bound::Excluded(key) => successor(key),
        Bound::Unbounded => whole.start,
    };
    let end = match end {
        Bound::Included(key) => successor(key),
        Bound::Excluded(key) => key,
        Bound::Unbounded => whole.end,
    };
    KeyRange::new(start, end)
}
