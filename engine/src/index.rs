//! Which index rows a record has: they follow from its key and content alone.
//!
//! Always: at every snapshot an index row is visible exactly where a record is visible that has
//! it.

use smallvec::SmallVec;

use crate::error::Result;
use crate::keys::{self, DecodeError, KeyBuf, LogicalKey};
use crate::lattice::Coord;
use crate::record::{Cell, Seam, Validity, decode_cell, decode_seam};
use crate::time::Week;

/// Logical keys of index rows, in order, each once.
pub(crate) type IndexKeys = SmallVec<[KeyBuf; 4]>;

/// The index rows of a cell.
pub(crate) fn of_cell(coord: Coord, cell: &Cell) -> IndexKeys {
    let mut rows: IndexKeys =
        cell.tags.iter().map(|tag| keys::cell_by_tag_key(tag, coord)).collect();
    let source = &cell.provenance.source_id;
    if !source.is_empty() {
        rows.push(keys::cell_by_source_key(source, coord));
    }
    rows.extend(first_week(cell.validity).map(|week| keys::cell_by_week_key(week, coord)));
    in_order(rows)
}

/// The index row of an edge.
pub(crate) fn of_edge(from: Coord, to: Coord, relation: &str) -> IndexKeys {
    IndexKeys::from_iter([keys::edge_by_target_key(to, from, relation)])
}

/// The index rows of a seam.
pub(crate) fn of_seam(id: ulid::Ulid, seam: &Seam) -> IndexKeys {
    let mut rows = IndexKeys::from_iter([
        keys::seam_by_cell_key(seam.cell_a, id),
        keys::seam_by_cell_key(seam.cell_b, id),
    ]);
    let source = &seam.provenance.source_id;
    if !source.is_empty() {
        rows.push(keys::seam_by_source_key(source, id));
    }
    rows.extend(first_week(seam.validity).map(|week| keys::seam_by_week_key(week, id)));
    in_order(rows)
}

/// The index rows of a record as it is stored.
pub(crate) fn of_record(logical: &[u8], value: &[u8]) -> Result<IndexKeys, DecodeError> {
    Ok(match keys::decode_logical(logical)? {
        LogicalKey::Cell(coord) => of_cell(coord, &decode_cell(value)?),
        LogicalKey::Edge(from, to, relation) => of_edge(from, to, &relation),
        LogicalKey::Seam(id) => of_seam(id, &decode_seam(value)?),
        _ => IndexKeys::new(),
    })
}

/// The week in which a record becomes valid; none for one that always was.
fn first_week(validity: Validity) -> Option<Week> {
    validity.valid_from.map(Week::of)
}

fn in_order(mut rows: IndexKeys) -> IndexKeys {
    rows.sort_unstable();
    rows.dedup();
    rows
}
