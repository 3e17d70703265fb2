//! Every retained version of one record.

use std::sync::Arc;

use crate::bytes::Bytes;
use crate::core::Core;
use crate::error::Result;
use crate::keys::{self, KeyBuf};
use crate::lattice::Coord;
use crate::record::Cell;
use crate::time::Timestamp;
use crate::timeline::{Source, commit_at, newest_at};
use crate::tx::cell_from;

/// The name of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordId {
    /// The cell at a coordinate.
    Cell(Coord),
    /// A key of the raw keyspace.
    Raw(Vec<u8>),
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

/// The content of a record.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Record {
    /// A cell.
    Cell(Cell),
    /// A value of the raw keyspace.
    Raw(Bytes),
}

/// One version of a record.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Version {
    /// The commit that wrote it.
    pub seq: u64,
    /// That commit's time.
    pub time: Timestamp,
    /// The record; `None` where the commit deleted it.
    pub record: Option<Record>,
}

/// Versions of one record, newest first; reads each as it goes. Ends after an error.
pub struct History {
    core: Arc<Core>,
    logical: KeyBuf,
    is_cell: bool,
    /// Versions above this sequence were yielded already.
    below: Option<u64>,
}

impl History {
    pub(crate) fn new(core: Arc<Core>, record: &RecordId) -> Result<Self> {
        let (logical, is_cell) = match record {
            RecordId::Cell(coord) => (keys::cell_key(*coord), true),
            RecordId::Raw(key) => (keys::raw_key(key, core.limits.max_raw_key_bytes)?, false),
        };
        let head = core.group.load().seq;
        Ok(Self { core, logical, is_cell, below: Some(head) })
    }

    fn read(&self, seq: u64) -> Result<Option<Version>> {
        self.core.check_open()?;
        let root = self.core.group.load();
        let source = self.core.source(&root);
        let Some(row) = newest_at(&source, &self.logical, seq)? else { return Ok(None) };
        let time = commit_at(&source, row.seq)?.map_or(Timestamp::MIN, |commit| commit.time);
        let value = source.value(&row)?;
        let record = value.map(|bytes| self.record(&source, bytes)).transpose()?;
        Ok(Some(Version { seq: row.seq, time, record }))
    }

    fn record(&self, source: &Source<'_>, bytes: Bytes) -> Result<Record> {
        Ok(if self.is_cell {
            Record::Cell(cell_from(source.pager, &bytes)?)
        } else {
            Record::Raw(bytes)
        })
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
