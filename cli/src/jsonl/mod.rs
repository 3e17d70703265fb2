//! The lines of an export beside its records: README.md has the whole schema.
//!
//! The first line says what it is, the last one how many records there were, so that a file that
//! was cut short is not taken for a whole one.

pub(crate) mod apply;
pub(crate) mod names;

use hexxladb::{Commit, Timestamp};
use serde::{Deserialize, Serialize};

use crate::log::hex;

pub(crate) const FORMAT: &str = "hexxladb-jsonl";
pub(crate) const VERSION: u32 = 1;

/// The first line.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) format: String,
    pub(crate) version: u32,
    pub(crate) content: Contents,
    /// Of a history: its first commit. Above 1 it is a snapshot of the state there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<u64>,
}

/// What an export holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Contents {
    /// The records of one state.
    State,
    /// Every retained commit with the records that it touched, and the snapshot tags.
    History,
}

impl Header {
    pub(crate) fn new(content: Contents, from: Option<u64>) -> Self {
        Self { format: FORMAT.to_owned(), version: VERSION, content, from }
    }
}

/// A line that is neither the first nor a record.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mark {
    /// A commit begins: the records that it touched follow.
    Commit(CommitMark),
    /// The state as of a commit begins: the records in it follow.
    Snapshot(CommitMark),
    Tag(TagMark),
    End(EndMark),
}

/// What the timeline keeps of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommitMark {
    pub(crate) seq: u64,
    pub(crate) time: Timestamp,
    pub(crate) note: Option<String>,
    pub(crate) history_hash: String,
}

impl From<Commit> for CommitMark {
    fn from(commit: Commit) -> Self {
        let history_hash = hex(&commit.history_hash);
        Self { seq: commit.seq, time: commit.time, note: commit.note, history_hash }
    }
}

/// A snapshot tag.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagMark {
    pub(crate) name: String,
    pub(crate) seq: u64,
}

/// The last line.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndMark {
    pub(crate) records: u64,
}
