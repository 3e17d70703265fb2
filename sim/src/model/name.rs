//! Names and contents of records.

use std::sync::Arc;

use hexxladb::{Cell, Edge, Facet, Seam};

use super::morton;
use crate::op::Pos;

/// A family of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// The application's own keys.
    Raw,
    /// Cells.
    Cell,
    /// Facets.
    Facet,
    /// Edges.
    Edge,
    /// Seams.
    Seam,
}

impl Family {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 5] = [Self::Raw, Self::Cell, Self::Facet, Self::Edge, Self::Seam];

    /// What statistics call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Cell => "cell",
            Self::Facet => "facet",
            Self::Edge => "edge",
            Self::Seam => "seam",
        }
    }
}

/// A coordinate that sorts in Morton order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its place in Morton order.
    pub order: u64,
    /// The coordinate.
    pub pos: Pos,
}

impl From<Pos> for Place {
    fn from(pos: Pos) -> Self {
        Self { order: morton(pos), pos }
    }
}

/// The name of a record. Families sort one after the other, each in its own order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// A raw record by its key.
    Raw(Vec<u8>),
    /// A cell by its coordinate.
    Cell(Place),
    /// A facet by its cell and number.
    Facet(Place, u8),
    /// An edge by where it begins and leads, and its relation type.
    Edge(Place, Place, String),
    /// A seam by the number that its ULID is.
    Seam(u128),
}

impl Id {
    /// The cell at a coordinate.
    #[must_use]
    pub fn cell(pos: Pos) -> Self {
        Self::Cell(pos.into())
    }

    /// A facet of the cell at a coordinate.
    #[must_use]
    pub fn facet(pos: Pos, id: u8) -> Self {
        Self::Facet(pos.into(), id)
    }

    /// An edge.
    #[must_use]
    pub fn edge(from: Pos, to: Pos, relation: impl Into<String>) -> Self {
        Self::Edge(from.into(), to.into(), relation.into())
    }

    /// Its family.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::Raw(_) => Family::Raw,
            Self::Cell(_) => Family::Cell,
            Self::Facet(..) => Family::Facet,
            Self::Edge(..) => Family::Edge,
            Self::Seam(_) => Family::Seam,
        }
    }

    /// What names it in a history hash: the family's number and bytes.
    pub(super) fn hashed(&self) -> (u8, Vec<u8>) {
        let axial = |place: &Place| [place.pos.q.to_le_bytes(), place.pos.r.to_le_bytes()].concat();
        match self {
            Self::Raw(key) => (1, key.clone()),
            Self::Cell(place) => (2, axial(place)),
            Self::Facet(place, id) => (3, [axial(place), vec![*id]].concat()),
            Self::Edge(from, to, relation) => {
                (4, [axial(from), axial(to), relation.clone().into_bytes()].concat())
            }
            Self::Seam(id) => (5, id.to_be_bytes().to_vec()),
        }
    }
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Bytes.
    Raw(Arc<[u8]>),
    /// A cell, as it reads back.
    Cell(Arc<Cell>),
    /// A facet.
    Facet(Arc<Facet>),
    /// An edge.
    Edge(Arc<Edge>),
    /// A seam.
    Seam(Arc<Seam>),
}

impl Content {
    /// A cell, as it reads back.
    #[must_use]
    pub fn cell(mut cell: Cell) -> Self {
        cell.tags.sort();
        cell.tags.dedup();
        Self::Cell(Arc::new(cell))
    }

    /// Length in bytes as it is stored.
    #[must_use]
    pub fn stored_len(&self) -> usize {
        super::record_bytes::encode(self).len()
    }
}
