//! Records of all families as values, and the keys that they are stored under.

use crate::bytes::Bytes;
use crate::error::Result;
use crate::keys::{self, DecodeError, Family, KeyBuf, LogicalKey};
use crate::limits::TreeLimits;
use crate::record::{
    Cell, Edge, EdgeId, Facet, FacetId, RecordId, Seam, decode_cell, decode_edge, decode_facet,
    decode_seam,
};

/// The content of a record.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Record {
    /// A cell.
    Cell(Cell),
    /// A value of the raw keyspace.
    Raw(Bytes),
    /// A facet.
    Facet(Facet),
    /// An edge.
    Edge(Edge),
    /// A seam.
    Seam(Seam),
}

impl Record {
    /// The record of a family, as it is stored.
    pub(crate) fn decode(family: Family, bytes: Bytes) -> Result<Self, DecodeError> {
        Ok(match family {
            Family::Raw => Self::Raw(bytes),
            Family::Cell => Self::Cell(decode_cell(&bytes)?),
            Family::Facet => Self::Facet(decode_facet(&bytes)?),
            Family::Edge => Self::Edge(decode_edge(&bytes)?),
            Family::Seam => Self::Seam(decode_seam(&bytes)?),
            _ => return Err(DecodeError::damaged("a row of an index among the records")),
        })
    }
}

/// The family of a record.
pub(crate) fn family_of(id: &RecordId) -> Family {
    match id {
        RecordId::Cell(_) => Family::Cell,
        RecordId::Raw(_) => Family::Raw,
        RecordId::Facet(..) => Family::Facet,
        RecordId::Edge(_) => Family::Edge,
        RecordId::Seam(_) => Family::Seam,
    }
}

/// The logical key of a record.
pub(crate) fn key_of(id: &RecordId, limits: &TreeLimits) -> Result<KeyBuf> {
    Ok(match id {
        RecordId::Cell(coord) => keys::cell_key(*coord),
        RecordId::Raw(key) => keys::raw_key(key, limits.max_raw_key_bytes)?,
        RecordId::Facet(coord, id) => keys::facet_key(*coord, id.get()),
        RecordId::Edge(edge) => keys::edge_key(edge.from, edge.to, &edge.relation),
        RecordId::Seam(id) => keys::seam_key(*id),
    })
}

/// What a logical key of a record names.
pub(crate) fn id_of(logical: &[u8]) -> Result<RecordId, DecodeError> {
    Ok(match keys::decode_logical(logical)? {
        LogicalKey::Raw(key) => RecordId::Raw(key),
        LogicalKey::Cell(coord) => RecordId::Cell(coord),
        LogicalKey::Facet(coord, id) => {
            let id = FacetId::new(id).map_err(|_| DecodeError::damaged("a facet of no number"))?;
            RecordId::Facet(coord, id)
        }
        LogicalKey::Edge(from, to, relation) => RecordId::Edge(EdgeId { from, to, relation }),
        LogicalKey::Seam(id) => RecordId::Seam(id),
        _ => return Err(DecodeError::damaged("a row of an index among the records")),
    })
}
