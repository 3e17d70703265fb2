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
//! | facet | `40` | packed coordinate, facet id 1 byte |
//! | edge | `50` | packed coordinates of from and to, relation type, escaped |
//! | seam | `60` | ULID, 16 bytes |
//! | cells by tag | `80` | tag, escaped, packed coordinate |
//! | cells by source | `84` | source, escaped, packed coordinate |
//! | cells by validity week | `88` | week, 4 bytes, packed coordinate |
//! | edges by target | `90` | packed coordinates of to and from, relation type, escaped |
//! | seams by cell | `a0` | packed coordinate, ULID |
//! | seams by source | `a4` | source, escaped, ULID |
//! | seams by validity week | `a8` | week, 4 bytes, ULID |
//! | never a family | `ff` | |
//!
//! | meta kind | byte | after it |
//! | --- | --- | --- |
//! | commit | `10` | sequence, 8 bytes big-endian |
//! | commit-time | `20` | nanoseconds with the sign bit flipped, then sequence, 8 bytes big-endian each |
//! | snapshot tag | `30` | name, escaped |
//! | changelog consumer | `40` | name, escaped |

mod decode_error;
mod escape;
mod indexes;
mod logical;
#[cfg(any(test, feature = "sim"))]
mod order;
mod records;
#[cfg(test)]
mod tests;

use std::ops::Bound;

use smallvec::SmallVec;

pub(crate) use decode_error::DecodeError;
pub(crate) use escape::escaped_len;
pub(crate) use indexes::{
    cell_by_source_key, cell_by_source_prefix, cell_by_source_range, cell_by_tag_key,
    cell_by_tag_prefix, cell_by_tag_range, cell_by_week_key, cell_by_week_range,
    edge_by_target_key, edges_to_range, seam_by_cell_key, seam_by_source_key,
    seam_by_source_prefix, seam_by_source_range, seam_by_week_key, seam_by_week_range,
    seams_of_range,
};
#[cfg(test)]
pub(crate) use logical::PhysicalKey;
pub(crate) use logical::{
    LogicalKey, cell_coord, cuts_record, decode_logical, decode_physical, plain_raw_end,
    plain_raw_start, raw_app_key,
};
pub(crate) use records::{
    cell_key, cell_range, edge_key, edge_range, edges_from_range, facet_key, facet_range,
    facets_of_range, raw_key, raw_prefix_range, raw_range, seam_key, seam_range,
};

use crate::time::Timestamp;

type Result<T> = std::result::Result<T, DecodeError>;

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
    Facet = 0x40,
    Edge = 0x50,
    Seam = 0x60,
    CellByTag = 0x80,
    CellBySource = 0x84,
    CellByWeek = 0x88,
    EdgeByTarget = 0x90,
    SeamByCell = 0xA0,
    SeamBySource = 0xA4,
    SeamByWeek = 0xA8,
}

/// Families whose rows are counted: the records themselves, in the order of their keys.
pub(crate) const RECORD_FAMILIES: [Family; 5] =
    [Family::Raw, Family::Cell, Family::Facet, Family::Edge, Family::Seam];

impl Family {
    pub(crate) fn from_byte(byte: u8) -> Result<Self> {
        match byte {
            0x10 => Ok(Self::Meta),
            0x20 => Ok(Self::Raw),
            0x30 => Ok(Self::Cell),
            0x40 => Ok(Self::Facet),
            0x50 => Ok(Self::Edge),
            0x60 => Ok(Self::Seam),
            0x80 => Ok(Self::CellByTag),
            0x84 => Ok(Self::CellBySource),
            0x88 => Ok(Self::CellByWeek),
            0x90 => Ok(Self::EdgeByTarget),
            0xA0 => Ok(Self::SeamByCell),
            0xA4 => Ok(Self::SeamBySource),
            0xA8 => Ok(Self::SeamByWeek),
            0x00 | 0xFF => Err(DecodeError::damaged(format!("{byte:#04x} is never a family"))),
            _ => Err(DecodeError::newer(format!("key family {byte:#04x}"))),
        }
    }

    /// The family's name, as statistics show it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Raw => "raw",
            Self::Cell => "cell",
            Self::Facet => "facet",
            Self::Edge => "edge",
            Self::Seam => "seam",
            Self::CellByTag => "cell-by-tag",
            Self::CellBySource => "cell-by-source",
            Self::CellByWeek => "cell-by-week",
            Self::EdgeByTarget => "edge-by-target",
            Self::SeamByCell => "seam-by-cell",
            Self::SeamBySource => "seam-by-source",
            Self::SeamByWeek => "seam-by-week",
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
    Tag = 0x30,
    Consumer = 0x40,
}

impl MetaKind {
    fn from_byte(byte: u8) -> Result<Self> {
        match byte {
            0x10 => Ok(Self::Commit),
            0x20 => Ok(Self::CommitTime),
            0x30 => Ok(Self::Tag),
            0x40 => Ok(Self::Consumer),
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

/// The row of a snapshot tag.
pub(crate) fn tag_key(name: &str) -> KeyBuf {
    let mut key = meta_key(MetaKind::Tag);
    escape::push_text(&mut key, name.as_bytes());
    key
}

/// Every row of a snapshot tag, by name.
pub(crate) fn tag_range() -> KeyRange {
    KeyRange::starting_with(meta_key(MetaKind::Tag))
}

/// The row of a consumer of the changelog.
pub(crate) fn consumer_key(name: &str) -> KeyBuf {
    let mut key = meta_key(MetaKind::Consumer);
    escape::push_text(&mut key, name.as_bytes());
    key
}

/// Every row of a consumer of the changelog, by name.
pub(crate) fn consumer_range() -> KeyRange {
    KeyRange::starting_with(meta_key(MetaKind::Consumer))
}

/// Every row of a record, of all families, without their indexes.
pub(crate) fn all_records_range() -> KeyRange {
    let (first, last) = (Family::Raw.range(), Family::Seam.range());
    KeyRange { start: first.start, end: last.end }
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
