//! Every retained version of one record.

use std::sync::Arc;

use crate::content::{Record, family_of, key_of};
use crate::core::Core;
use crate::error::Result;
use crate::keys::{Family, KeyBuf};
use crate::record::RecordId;
use crate::time::Timestamp;
use crate::timeline::{commit_at, newest_at};
use crate::tx::decoded;

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
    family: Family,
    /// Versions above this sequence were yielded already.
    below: Option<u64>,
}

impl History {
    pub(crate) fn new(core: Arc<Core>, record: &RecordId) -> Result<Self> {
        let logical = key_of(record, &core.limits)?;
        let head = core.group.load().seq;
        Ok(Self { core, logical, family: family_of(record), below: Some(head) })
    }

    fn read(&self, seq: u64) -> Result<Option<Version>> {
        self.core.check_open()?;
        let root = self.core.group.load();
        let source = self.core.source(&root);
        let Some(row) = newest_at(&source, &self.logical, seq)? else { return Ok(None) };
        let time = commit_at(&source, row.seq)?.map(|commit| commit.time);
        let value = source.value(&row)?;
        let decode = |bytes| decoded(source.pager, Record::decode(self.family, bytes));
        let record = value.map(decode).transpose()?;
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
