//! Logical keys of records, and ranges of them with all their versions.

use std::ops::RangeBounds;

use ulid::Ulid;

use super::escape::{self, TERMINATOR, escaped_len};
use super::{Family, KeyBuf, KeyRange, RAW_KEY_OVERHEAD_BYTES, logical_range};
use crate::error::{Error, Result};
use crate::lattice::{Coord, PackedCoord};

/// The logical key of a cell.
pub(crate) fn cell_key(coord: Coord) -> KeyBuf {
    at_coord(Family::Cell, coord.into())
}

/// The logical key of a facet.
pub(crate) fn facet_key(coord: Coord, id: u8) -> KeyBuf {
    let mut key = at_coord(Family::Facet, coord.into());
    key.push(id);
    key
}

/// The logical key of an edge.
pub(crate) fn edge_key(from: Coord, to: Coord, relation: &str) -> KeyBuf {
    ends_and_text(Family::Edge, from, to, relation)
}

/// The logical key of a seam.
pub(crate) fn seam_key(id: Ulid) -> KeyBuf {
    let mut key = KeyBuf::from_slice(&[Family::Seam as u8]);
    key.extend_from_slice(&id.to_bytes());
    key
}

/// A family, and a coordinate: what all its keys at the coordinate begin with.
pub(super) fn at_coord(family: Family, packed: PackedCoord) -> KeyBuf {
    let mut key = KeyBuf::from_slice(&[family as u8]);
    key.extend_from_slice(packed.as_bytes());
    key
}

/// A family, two coordinates and a text.
pub(super) fn ends_and_text(family: Family, first: Coord, second: Coord, text: &str) -> KeyBuf {
    let mut key = at_coord(family, first.into());
    key.extend_from_slice(PackedCoord::from(second).as_bytes());
    escape::push_text(&mut key, text.as_bytes());
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
pub(super) fn raw_bound(app_key: &[u8]) -> KeyBuf {
    ended(raw_start(app_key, escaped_len(app_key)))
}

#[inline]
fn ended(mut key: KeyBuf) -> KeyBuf {
    key.extend_from_slice(&TERMINATOR);
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

/// Every raw key that begins with `prefix`.
pub(crate) fn raw_prefix_range(prefix: &[u8]) -> KeyRange {
    KeyRange::starting_with(raw_start(prefix, escaped_len(prefix)))
}

/// Every raw key in `range`.
pub(crate) fn raw_range<K: AsRef<[u8]>>(range: &impl RangeBounds<K>) -> KeyRange {
    let bound = |key: &K| raw_bound(key.as_ref());
    logical_range(Family::Raw, range.start_bound().map(bound), range.end_bound().map(bound))
}

/// Every cell in `range`.
pub(crate) fn cell_range(range: &impl RangeBounds<PackedCoord>) -> KeyRange {
    coord_range(Family::Cell, range)
}

/// Every facet of the coordinates in `range`.
pub(crate) fn facet_range(range: &impl RangeBounds<PackedCoord>) -> KeyRange {
    coord_range(Family::Facet, range)
}

/// Every facet of a cell.
pub(crate) fn facets_of_range(coord: Coord) -> KeyRange {
    KeyRange::starting_with(at_coord(Family::Facet, coord.into()))
}

/// Every edge that leaves a coordinate in `range`.
pub(crate) fn edge_range(range: &impl RangeBounds<PackedCoord>) -> KeyRange {
    coord_range(Family::Edge, range)
}

/// Every edge that leaves a coordinate.
pub(crate) fn edges_from_range(coord: Coord) -> KeyRange {
    KeyRange::starting_with(at_coord(Family::Edge, coord.into()))
}

/// Every seam in `range`.
pub(crate) fn seam_range(range: &impl RangeBounds<Ulid>) -> KeyRange {
    let bound = |id: &Ulid| seam_key(*id);
    logical_range(Family::Seam, range.start_bound().map(bound), range.end_bound().map(bound))
}

fn coord_range(family: Family, range: &impl RangeBounds<PackedCoord>) -> KeyRange {
    let bound = |packed: &PackedCoord| at_coord(family, *packed);
    logical_range(family, range.start_bound().map(bound), range.end_bound().map(bound))
}
