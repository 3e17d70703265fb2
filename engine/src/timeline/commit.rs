//! What is kept of each commit, and finding a commit by its time.

use super::root::MetaRow;
use super::rows::Source;
use crate::btree;
use crate::error::{Error, Result};
use crate::ids::HistoryHash;
use crate::keys;
use crate::time::Timestamp;

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Commit {
    /// Its sequence: commits count from 1.
    pub seq: u64,
    /// Its time, never before that of the commit before it.
    pub time: Timestamp,
    /// Who or why, if the transaction said.
    pub note: Option<String>,
    /// First 16 bytes of the SHA-256 chain over all commits up to this one.
    pub history_hash: [u8; 16],
}

/// One commit of the timeline.
pub(crate) fn commit_at(source: &Source<'_>, seq: u64) -> Result<Option<Commit>> {
    let Some(bytes) = source.meta(&keys::commit_key(seq))? else { return Ok(None) };
    let row = MetaRow::decode(&bytes).map_err(|what| {
        Error::corrupt(source.pager.file.path(), 0, format!("timeline row of commit {seq}: {what}"))
    })?;
    Ok(Some(Commit { seq, time: row.time, note: row.note, history_hash: row.hash }))
}

/// The history hash up to and with a commit, where the timeline still has it; zeros at 0.
pub(crate) fn hash_at(source: &Source<'_>, seq: u64) -> Result<Option<HistoryHash>> {
    if seq == 0 {
        return Ok(Some(HistoryHash::default()));
    }
    Ok(commit_at(source, seq)?.map(|commit| commit.history_hash))
}

/// The oldest commit that the timeline still has.
pub(crate) fn first_commit(source: &Source<'_>) -> Result<Option<u64>> {
    let range = keys::commit_range();
    let found = btree::lower_bound(source.pager, &source.root.meta, &range.start)?;
    let key = found.map(|found| found.leaf.keys.key(found.index));
    Ok(key.filter(|key| range.contains(key)).map(|key| ending_seq(&key)))
}

/// The newest commit with a time of at most `time`; 0 before the first.
pub(crate) fn seq_at_time(source: &Source<'_>, time: Timestamp) -> Result<u64> {
    let mut after = keys::commit_time_key(time, u64::MAX);
    after.push(0);
    let mut bound = after;
    loop {
        let span = btree::leaf_before(source.pager, &source.root.meta, &bound)?;
        if span.index > 0 {
            let key = span.leaf.keys.key(span.index - 1);
            let in_timeline = keys::commit_time_range().contains(&key);
            return Ok(if in_timeline { ending_seq(&key) } else { 0 });
        }
        match span.lower {
            Some(lower) => bound = lower,
            None => return Ok(0),
        }
    }
}

fn ending_seq(key: &[u8]) -> u64 {
    key.last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
