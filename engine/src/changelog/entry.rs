//! Entries of the changelog, and places in it.

use std::fmt;
use std::sync::Arc;

use crate::bytes::Bytes;
use crate::content::{Record, family_of};
use crate::error::{Error, Result};
use crate::ids::HistoryHash;
use crate::record::RecordId;
use crate::time::Timestamp;

/// What a commit did to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum ChangelogOp {
    /// Put it.
    Put,
    /// Deleted it, directly or with the cell that it hung on.
    Delete,
    /// Resolved a seam that was there and unresolved before.
    Resolve,
    /// Nothing: the commit touched no record and has a note alone.
    Note,
}

impl ChangelogOp {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Put, Self::Delete, Self::Resolve, Self::Note];

    /// Its name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Resolve => "resolve",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for ChangelogOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A value as an entry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangelogValue {
    /// None: a delete, a note, or values were not asked for.
    None,
    /// As the database stores it; see [`ChangelogEntry::record`].
    Full(Bytes),
    /// Its SHA-256.
    Hash([u8; 32]),
}

/// What one commit did to one record, net of everything within the commit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ChangelogEntry {
    /// The commit's sequence.
    pub seq: u64,
    /// Which of the commit's entries it is, from 0, in the order of the records' keys.
    pub index: u32,
    /// Whether it is the commit's last one.
    pub last_in_commit: bool,
    /// What was done.
    pub op: ChangelogOp,
    /// The record's name; `None` for [`ChangelogOp::Note`] alone.
    pub key: Option<RecordId>,
    /// Its value, as far as the changelog keeps values.
    pub value: ChangelogValue,
    /// The commit's time.
    pub time: Timestamp,
    /// The commit's note.
    pub note: Option<Arc<str>>,
    /// The history hash up to and with the commit.
    pub history_hash: HistoryHash,
    /// The history hash before it; zeros before the first.
    pub previous_hash: HistoryHash,
    pub(crate) commit_entries: u32,
}

impl ChangelogEntry {
    /// The family of its record, as statistics name it; `None` without a record.
    pub fn family(&self) -> Option<&'static str> {
        self.key.as_ref().map(|key| family_of(key).name())
    }

    /// How many entries its commit has.
    pub fn commit_entries(&self) -> u32 {
        self.commit_entries
    }

    /// The record that was put, where the changelog keeps values in full.
    ///
    /// # Errors
    /// [`Error::InvalidRecord`] for a value that this release cannot read.
    pub fn record(&self) -> Result<Option<Record>> {
        let (Some(key), ChangelogValue::Full(value)) = (&self.key, &self.value) else {
            return Ok(None);
        };
        let family = family_of(key);
        let decoded = Record::decode(family, value.clone());
        let unreadable = |what: String| Error::InvalidRecord { family: family.name(), what };
        decoded.map(Some).map_err(|error| unreadable(error.to_string()))
    }

    /// Where reading goes on after it.
    pub fn next(&self) -> ChangelogCursor {
        let (seq, index) =
            if self.last_in_commit { (self.seq + 1, 0) } else { (self.seq, self.index + 1) };
        ChangelogCursor { seq, index, hash: Some(self.history_hash) }
    }
}

/// A place in the changelog: the entry to read next, and the history that was read before it.
///
/// Ordered by sequence and index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ChangelogCursor {
    /// Commit of the entry to read next.
    pub seq: u64,
    /// Its index within the commit.
    pub index: u32,
    /// History hash of the commit that was read last, if it is known: that before `seq`, or
    /// `seq`'s own where `index` is above 0. Reading refuses to go on in another history.
    pub hash: Option<HistoryHash>,
}

impl ChangelogCursor {
    /// The oldest entry there is.
    pub const START: Self = Self { seq: 0, index: 0, hash: None };

    /// The first entry at or after a place, of whatever history.
    pub fn at(seq: u64, index: u32) -> Self {
        Self { seq, index, hash: None }
    }

    /// The first entry after a commit.
    pub fn after(seq: u64) -> Self {
        Self::at(seq.saturating_add(1), 0)
    }

    /// The newest commit that was read to its end, as far as the cursor tells.
    pub fn read_through(&self) -> u64 {
        self.seq.saturating_sub(1)
    }
}

impl fmt::Display for ChangelogCursor {
    /// `seq/index`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.seq, self.index)
    }
}
