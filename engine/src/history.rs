//! Every retained version of one record.

use std::sync::Arc;

use crate::bytes::Bytes;
use crate::core::Core;
use crate::error::Result;
use crate::keys::{self, Family, KeyBuf, LogicalKey};
use crate::limits::TreeLimits;
use crate::pager::Pager;
use crate::record::{
    Cell, Edge, EdgeId, Facet, FacetId, RecordId, Seam, decode_cell, decode_edge, decode_facet,
    decode_seam,
};
use crate::time::Timestamp;
use crate::timeline::{commit_at, newest_at};
use crate::tx::{damaged, decoded};

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
pub(crate) fn id_of(pager: &Pager, logical: &[u8]) -> Result<RecordId> {
    Ok(match decoded(pager, keys::decode_logical(logical))? {
        LogicalKey::Raw(key) => RecordId::Raw(key),
        LogicalKey::Cell(coord) => RecordId::Cell(coord),
        LogicalKey::Facet(coord, id) => RecordId::Facet(coord, FacetId::new(id)?),
        LogicalKey::Edge(from, to, relation) => RecordId::Edge(EdgeId { from, to, relation }),
        LogicalKey::Seam(id) => RecordId::Seam(id),
        _ => return Err(damaged(pager, "a row of an index among the records")),
    })
}

/// The content of the record of a logical key.
pub(crate) fn record_of(pager: &Pager, logical: &[u8], bytes: Bytes) -> Result<Record> {
    let family = logical.first().copied().unwrap_or_default();
    Ok(match decoded(pager, Family::from_byte(family))? {
        Family::Raw => Record::Raw(bytes),
        Family::Cell => Record::Cell(decoded(pager, decode_cell(&bytes))?),
        Family::Facet => Record::Facet(decoded(pager, decode_facet(&bytes))?),
        Family::Edge => Record::Edge(decoded(pager, decode_edge(&bytes))?),
        Family::Seam => Record::Seam(decoded(pager, decode_seam(&bytes))?),
        _ => return Err(damaged(pager, "a row of an index among the records")),
    })
}

/// One version of a record.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Version {
    /// The commit that wrote it.
    pub seq: u64,
    /// That commit's time; `None` where pruning has removed it from the timeline.
    pub time: Option<Timestamp>,
    /// The record; `None` where the commit deleted it.
    pub record: Option<Record>,
}

/// Versions of one record, newest first; reads each as it goes. Ends after an error.
pub struct History {
    core: Arc<Core>,
    logical: KeyBuf,
    /// Versions above this sequence were yielded already.
    below: Option<u64>,
}

impl History {
    pub(crate) fn new(core: Arc<Core>, record: &RecordId) -> Result<Self> {
        let logical = key_of(record, &core.limits)?;
        let head = core.group.load().seq;
        Ok(Self { core, logical, below: Some(head) })
    }

    fn read(&self, seq: u64) -> Result<Option<Version>> {
        self.core.check_open()?;
        let root = self.core.group.load();
        let source = self.core.source(&root);
        let Some(row) = newest_at(&source, &self.logical, seq)? else { return Ok(None) };
        let time = commit_at(&source, row.seq)?.map(|commit| commit.time);
        let value = source.value(&row)?;
        let record =
            value.map(|bytes| record_of(source.pager, &self.logical, bytes)).transpose()?;
        Ok(Some(Version { seq: row.seq, time, record }))
    }
}

impl Iterator for History {
    type Item = Result<Version>;

    fn next(&mut self) -> Option<Self::Item> {
        let version = self.read(self.below?);
        self.below = match &version {
            Ok(Some(version)) => version.seq.checked_sub(1),
            _ => None,
        };
        version.transpose()
    }
}

impl std::iter::FusedIterator for History {}
