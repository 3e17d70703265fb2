//! Logical keys of index rows, and ranges of them with all their versions.

use std::ops::RangeBounds;

use ulid::Ulid;

use super::escape;
use super::records::{at_coord, ends_and_text};
use super::{Family, KeyBuf, KeyRange, logical_range};
use crate::lattice::{Coord, PackedCoord};
use crate::time::Week;

const SIGN_BIT: u32 = 1 << 31;

fn with_text(family: Family, text: &str) -> KeyBuf {
    let mut key = KeyBuf::from_slice(&[family as u8]);
    escape::push_text(&mut key, text.as_bytes());
    key
}

fn with_week(family: Family, week: Week) -> KeyBuf {
    let mut key = KeyBuf::from_slice(&[family as u8]);
    // The order of the unsigned number is the order of weeks.
    key.extend_from_slice(&(week.get().cast_unsigned() ^ SIGN_BIT).to_be_bytes());
    key
}

/// The week in the four bytes of a key, if it is one that a time lies in.
pub(super) fn week_from(bytes: [u8; 4]) -> Option<Week> {
    Week::new((u32::from_be_bytes(bytes) ^ SIGN_BIT).cast_signed()).ok()
}

fn then_coord(mut key: KeyBuf, coord: Coord) -> KeyBuf {
    key.extend_from_slice(PackedCoord::from(coord).as_bytes());
    key
}

fn then_seam(mut key: KeyBuf, id: Ulid) -> KeyBuf {
    key.extend_from_slice(&id.to_bytes());
    key
}

fn text_range<T: AsRef<str>>(family: Family, range: &impl RangeBounds<T>) -> KeyRange {
    let bound = |text: &T| with_text(family, text.as_ref());
    logical_range(family, range.start_bound().map(bound), range.end_bound().map(bound))
}

fn text_prefix(family: Family, prefix: &str) -> KeyRange {
    let mut key = KeyBuf::from_slice(&[family as u8]);
    escape::push_escaped(&mut key, prefix.as_bytes(), escape::escaped_len(prefix.as_bytes()));
    KeyRange::starting_with(key)
}

fn week_range(family: Family, range: &impl RangeBounds<Week>) -> KeyRange {
    let bound = |week: &Week| with_week(family, *week);
    logical_range(family, range.start_bound().map(bound), range.end_bound().map(bound))
}

/// The index row of a cell under a tag.
pub(crate) fn cell_by_tag_key(tag: &str, coord: Coord) -> KeyBuf {
    then_coord(with_text(Family::CellByTag, tag), coord)
}

/// The index row of a cell under its source.
pub(crate) fn cell_by_source_key(source: &str, coord: Coord) -> KeyBuf {
    then_coord(with_text(Family::CellBySource, source), coord)
}

/// The index row of a cell under the week in which it becomes valid.
pub(crate) fn cell_by_week_key(week: Week, coord: Coord) -> KeyBuf {
    then_coord(with_week(Family::CellByWeek, week), coord)
}

/// The index row of an edge under its target.
pub(crate) fn edge_by_target_key(to: Coord, from: Coord, relation: &str) -> KeyBuf {
    ends_and_text(Family::EdgeByTarget, to, from, relation)
}

/// The index row of a seam under one of its cells.
pub(crate) fn seam_by_cell_key(coord: Coord, id: Ulid) -> KeyBuf {
    then_seam(at_coord(Family::SeamByCell, coord.into()), id)
}

/// The index row of a seam under its source.
pub(crate) fn seam_by_source_key(source: &str, id: Ulid) -> KeyBuf {
    then_seam(with_text(Family::SeamBySource, source), id)
}

/// The index row of a seam under the week in which it becomes valid.
pub(crate) fn seam_by_week_key(week: Week, id: Ulid) -> KeyBuf {
    then_seam(with_week(Family::SeamByWeek, week), id)
}

/// Cells under the tags in `range`.
pub(crate) fn cell_by_tag_range<T: AsRef<str>>(range: &impl RangeBounds<T>) -> KeyRange {
    text_range(Family::CellByTag, range)
}

/// Cells under the tags that begin with `prefix`.
pub(crate) fn cell_by_tag_prefix(prefix: &str) -> KeyRange {
    text_prefix(Family::CellByTag, prefix)
}

/// Cells under the sources in `range`.
pub(crate) fn cell_by_source_range<T: AsRef<str>>(range: &impl RangeBounds<T>) -> KeyRange {
    text_range(Family::CellBySource, range)
}

/// Cells under the sources that begin with `prefix`.
pub(crate) fn cell_by_source_prefix(prefix: &str) -> KeyRange {
    text_prefix(Family::CellBySource, prefix)
}

/// Cells under the weeks in `range`.
pub(crate) fn cell_by_week_range(range: &impl RangeBounds<Week>) -> KeyRange {
    week_range(Family::CellByWeek, range)
}

/// Edges that lead to a coordinate.
pub(crate) fn edges_to_range(to: Coord) -> KeyRange {
    KeyRange::starting_with(at_coord(Family::EdgeByTarget, to.into()))
}

/// Seams of a cell.
pub(crate) fn seams_of_range(coord: Coord) -> KeyRange {
    KeyRange::starting_with(at_coord(Family::SeamByCell, coord.into()))
}

/// Seams under the sources in `range`.
pub(crate) fn seam_by_source_range<T: AsRef<str>>(range: &impl RangeBounds<T>) -> KeyRange {
    text_range(Family::SeamBySource, range)
}

/// Seams under the sources that begin with `prefix`.
pub(crate) fn seam_by_source_prefix(prefix: &str) -> KeyRange {
    text_prefix(Family::SeamBySource, prefix)
}

/// Seams under the weeks in `range`.
pub(crate) fn seam_by_week_range(range: &impl RangeBounds<Week>) -> KeyRange {
    week_range(Family::SeamByWeek, range)
}
