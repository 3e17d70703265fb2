//! Keys built from what they name, and the order that they must have, told without their bytes:
//! what tests and fuzzing hold the bytes against.

use ulid::Ulid;

use super::records::raw_bound;
use super::{KeyBuf, LogicalKey};
use crate::lattice::{Coord, PackedCoord};
use crate::time::Week;

/// A part of a key, as it sorts.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Number(i128),
    Bytes(Vec<u8>),
    At(PackedCoord),
    Seam(Ulid),
}

impl LogicalKey {
    /// The bytes of this key; raw keys of any length.
    pub(crate) fn encode(&self) -> KeyBuf {
        match self {
            Self::Commit(seq) => super::commit_key(*seq),
            Self::CommitTime { time, seq } => super::commit_time_key(*time, *seq),
            Self::Tag(name) => super::tag_key(name),
            Self::Consumer(name) => super::consumer_key(name),
            Self::Raw(key) => raw_bound(key),
            Self::Cell(coord) => super::cell_key(*coord),
            Self::Facet(coord, id) => super::facet_key(*coord, *id),
            Self::Edge(from, to, relation) => super::edge_key(*from, *to, relation),
            Self::Seam(id) => super::seam_key(*id),
            Self::CellByTag(tag, coord) => super::cell_by_tag_key(tag, *coord),
            Self::CellBySource(source, coord) => super::cell_by_source_key(source, *coord),
            Self::CellByWeek(week, coord) => super::cell_by_week_key(*week, *coord),
            Self::EdgeByTarget(to, from, relation) => {
                super::edge_by_target_key(*to, *from, relation)
            }
            Self::SeamByCell(coord, id) => super::seam_by_cell_key(*coord, *id),
            Self::SeamBySource(source, id) => super::seam_by_source_key(source, *id),
            Self::SeamByWeek(week, id) => super::seam_by_week_key(*week, *id),
        }
    }

    /// Where the key stands among all: its family, then its parts.
    pub(crate) fn place(&self) -> (u8, Vec<Part>) {
        use Part::{At, Bytes, Number, Seam};
        let text = |text: &str| Bytes(text.as_bytes().to_vec());
        let at = |at: &Coord| At((*at).into());
        let week = |week: &Week| Number(week.get().into());
        match self {
            Self::Commit(seq) => (0, vec![Number((*seq).into())]),
            Self::CommitTime { time, seq } => {
                (1, vec![Number(time.as_nanos().into()), Number((*seq).into())])
            }
            Self::Tag(name) => (2, vec![text(name)]),
            Self::Consumer(name) => (3, vec![text(name)]),
            Self::Raw(key) => (4, vec![Bytes(key.clone())]),
            Self::Cell(coord) => (5, vec![at(coord)]),
            Self::Facet(coord, id) => (6, vec![at(coord), Number((*id).into())]),
            Self::Edge(from, to, relation) => (7, vec![at(from), at(to), text(relation)]),
            Self::Seam(id) => (8, vec![Seam(*id)]),
            Self::CellByTag(tag, coord) => (9, vec![text(tag), at(coord)]),
            Self::CellBySource(source, coord) => (10, vec![text(source), at(coord)]),
            Self::CellByWeek(number, coord) => (11, vec![week(number), at(coord)]),
            Self::EdgeByTarget(to, from, relation) => (12, vec![at(to), at(from), text(relation)]),
            Self::SeamByCell(coord, id) => (13, vec![at(coord), Seam(*id)]),
            Self::SeamBySource(source, id) => (14, vec![text(source), Seam(*id)]),
            Self::SeamByWeek(number, id) => (15, vec![week(number), Seam(*id)]),
        }
    }
}
