//! Indexes by definition: what each must hold follows from the records of a state.

use hexxladb::{Coord, Timestamp};

use super::{Content, Id, Place};
use crate::op::Pos;

/// An index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Index {
    /// Cells by tag.
    CellTag,
    /// Cells by source.
    CellSource,
    /// Cells by the week in which they become valid.
    CellWeek,
    /// Edges by where they lead.
    EdgeTarget,
    /// Seams by the cells that they join.
    SeamCell,
    /// Seams by source.
    SeamSource,
    /// Seams by the week in which they become valid.
    SeamWeek,
}

impl Index {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::CellTag,
        Self::CellSource,
        Self::CellWeek,
        Self::EdgeTarget,
        Self::SeamCell,
        Self::SeamSource,
        Self::SeamWeek,
    ];
}

/// What a record stands under in an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IndexKey {
    /// A tag or a source.
    Text(String),
    /// A week, by the number that it has from that of 1970-01-01 on.
    Week(i64),
    /// A coordinate.
    Place(Place),
}

/// The week of an instant: 0 is that of 1970-01-01, a Thursday; weeks begin on Mondays.
#[must_use]
pub fn week_of(time: Timestamp) -> i64 {
    (time.as_nanos().div_euclid(86_400_000_000_000) + 3).div_euclid(7)
}

fn place(coord: Coord) -> IndexKey {
    IndexKey::Place(Pos { q: coord.q(), r: coord.r() }.into())
}

fn texts<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<IndexKey> {
    texts.into_iter().filter(|text| !text.is_empty()).cloned().map(IndexKey::Text).collect()
}

fn weeks(from: Option<Timestamp>) -> Vec<IndexKey> {
    from.map(|from| IndexKey::Week(week_of(from))).into_iter().collect()
}

/// What a record stands under in an index.
fn keys_of(index: Index, id: &Id, content: &Content) -> Vec<IndexKey> {
    match (index, id, content) {
        // An empty tag is a tag; an empty source is none.
        (Index::CellTag, _, Content::Cell(cell)) => {
            cell.tags.iter().cloned().map(IndexKey::Text).collect()
        }
        (Index::CellSource, _, Content::Cell(cell)) => texts([&cell.provenance.source_id]),
        (Index::CellWeek, _, Content::Cell(cell)) => weeks(cell.validity.valid_from),
        (Index::EdgeTarget, Id::Edge(_, to, _), _) => vec![IndexKey::Place(*to)],
        (Index::SeamCell, _, Content::Seam(seam)) => vec![place(seam.cell_a), place(seam.cell_b)],
        (Index::SeamSource, _, Content::Seam(seam)) => texts([&seam.provenance.source_id]),
        (Index::SeamWeek, _, Content::Seam(seam)) => weeks(seam.validity.valid_from),
        _ => Vec::new(),
    }
}

/// An index of a state, in order.
#[must_use]
pub fn indexed<'a>(
    index: Index,
    state: &[(&'a Id, &'a Content)],
) -> Vec<(IndexKey, &'a Id, &'a Content)> {
    let keys = |(id, content): &(&'a Id, &'a Content)| {
        let (id, content) = (*id, *content);
        keys_of(index, id, content).into_iter().map(move |key| (key, id, content))
    };
    let mut rows: Vec<_> = state.iter().flat_map(keys).collect();
    rows.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    rows
}

/// The coordinates up to `radius` steps around a center, in the order that walks have: ring by
/// ring, each from its corner in direction (-1,1) along (1,0), (1,-1), (0,-1), (-1,0), (-1,1),
/// (0,1).
#[must_use]
pub fn around(center: Pos, radius: u32) -> Vec<Pos> {
    const SIDES: [(i32, i32); 6] = [(1, 0), (1, -1), (0, -1), (-1, 0), (-1, 1), (0, 1)];
    let mut coords = vec![center];
    for ring in 1..=radius.cast_signed() {
        let mut pos = Pos { q: center.q - ring, r: center.r + ring };
        for (q, r) in SIDES {
            for _ in 0..ring {
                coords.push(pos);
                pos = Pos { q: pos.q + q, r: pos.r + r };
            }
        }
    }
    coords
}

/// Steps from one coordinate to another.
#[must_use]
pub fn distance(a: Pos, b: Pos) -> u32 {
    let (q, r) = (a.q - b.q, a.r - b.r);
    q.unsigned_abs().max(r.unsigned_abs()).max((q + r).unsigned_abs())
}
