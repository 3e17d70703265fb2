//! Names of records.

use std::fmt;

use ulid::Ulid;

use super::facet::FacetId;
use crate::lattice::Coord;

/// The name of an edge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EdgeId {
    /// Where it begins.
    pub from: Coord,
    /// Where it leads.
    pub to: Coord,
    /// Its relation type.
    pub relation: String,
}

impl EdgeId {
    /// The edge of this relation type from one coordinate to another.
    pub fn new(from: Coord, to: Coord, relation: impl Into<String>) -> Self {
        Self { from, to, relation: relation.into() }
    }
}

impl fmt::Display for EdgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.from, self.to, self.relation)
    }
}

/// The name of a record.
///
/// ```
/// use hexxladb::{Coord, FacetId, RecordId};
/// let coord = Coord::new(3, 1)?;
/// assert_eq!(RecordId::from(coord).to_string(), "cell/(3,1)");
/// assert_eq!(RecordId::from((coord, FacetId::new(2)?)).to_string(), "facet/(3,1)/2");
/// assert_eq!(RecordId::from(b"name").to_string(), "raw/name");
/// # Ok::<(), hexxladb::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordId {
    /// The cell at a coordinate.
    Cell(Coord),
    /// A key of the raw keyspace.
    Raw(Vec<u8>),
    /// A facet of the cell at a coordinate.
    Facet(Coord, FacetId),
    /// An edge.
    Edge(EdgeId),
    /// A seam.
    Seam(Ulid),
}

impl fmt::Display for RecordId {
    /// As [`Db::dump`](crate::Db::dump) shows keys, but for bytes of a raw key that are not text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cell(coord) => write!(f, "cell/{coord}"),
            Self::Raw(key) => write!(f, "raw/{}", key.escape_ascii()),
            Self::Facet(coord, id) => write!(f, "facet/{coord}/{id}"),
            Self::Edge(edge) => write!(f, "edge/{edge}"),
            Self::Seam(id) => write!(f, "seam/{id}"),
        }
    }
}

impl From<Coord> for RecordId {
    fn from(coord: Coord) -> Self {
        Self::Cell(coord)
    }
}

impl From<Vec<u8>> for RecordId {
    fn from(key: Vec<u8>) -> Self {
        Self::Raw(key)
    }
}

impl From<&[u8]> for RecordId {
    fn from(key: &[u8]) -> Self {
        Self::Raw(key.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for RecordId {
    fn from(key: &[u8; N]) -> Self {
        Self::Raw(key.to_vec())
    }
}

impl From<(Coord, FacetId)> for RecordId {
    fn from((coord, id): (Coord, FacetId)) -> Self {
        Self::Facet(coord, id)
    }
}

impl From<EdgeId> for RecordId {
    fn from(edge: EdgeId) -> Self {
        Self::Edge(edge)
    }
}

impl From<Ulid> for RecordId {
    fn from(id: Ulid) -> Self {
        Self::Seam(id)
    }
}
