//! A commit as frames of the changelog.
//!
//! Entries are net: one for each record that the commit touched, in the order of their keys, with
//! what the record is after the commit. They follow from the states before and after it, so that
//! recovery derives from the log what the commit itself would have written.

use sha2::{Digest, Sha256};

use crate::bytes::Bytes;
use crate::error::Result;
use crate::format::changelog::{
    FRAME_HEADER_BYTES, FrameHead, FrameKind, RawEntry, RawOp, RawValue, push_entry, push_note,
    seal_frame,
};
use crate::ids::{HistoryHash, Identity};
use crate::keys::{Family, KeyBuf};
use crate::options::ChangelogValues;
use crate::record::{ResolutionStatus, decode_seam};
use crate::time::Timestamp;
use crate::timeline::{Source, newest_at};

/// What a commit is, beside the records that it touched.
#[derive(Clone, Debug)]
pub(crate) struct CommitHead {
    pub(crate) seq: u64,
    pub(crate) time: Timestamp,
    pub(crate) hash: HistoryHash,
    pub(crate) note: Option<String>,
}

/// How commits are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) history: Identity,
    pub(crate) values: ChangelogValues,
    /// Bytes that entries share a frame up to.
    pub(crate) frame_bytes: usize,
}

/// A state as of a sequence; the newest where none is given.
#[derive(Clone, Copy)]
pub(crate) struct State<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) seq: u64,
}

impl<'a> State<'a> {
    /// Everything in it.
    pub(crate) fn newest(source: Source<'a>) -> Self {
        Self { source, seq: u64::MAX }
    }

    fn value(&self, key: &[u8]) -> Result<Option<Bytes>> {
        match newest_at(&self.source, key, self.seq)? {
            Some(row) => self.source.value(&row),
            None => Ok(None),
        }
    }
}

/// Writes the frames of a commit that touched the records of these logical keys, which are in
/// order and each there once. `write` takes a frame at a time.
pub(crate) fn encode_commit(
    form: Form,
    commit: &CommitHead,
    keys: &[KeyBuf],
    before: State<'_>,
    after: State<'_>,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut frame = Frame::begin(commit, keys.len() as u32);
    for key in keys {
        let value = after.value(key)?;
        let op = match &value {
            None => RawOp::Delete,
            Some(value) if resolves(key, value, before)? => RawOp::Resolve,
            Some(_) => RawOp::Put,
        };
        let value = match (&value, form.values) {
            (Some(value), ChangelogValues::Full) => RawValue::Full(value),
            (Some(value), ChangelogValues::Hash) => RawValue::Hash(Sha256::digest(value).into()),
            (Some(_), ChangelogValues::None) | (None, _) => RawValue::None,
        };
        if frame.count > 0 && frame.bytes.len() + key.len() + len(&value) > form.frame_bytes {
            write(frame.end(form, commit))?;
            frame.next();
        }
        push_entry(&mut frame.bytes, &RawEntry { op, key, value });
        frame.count += 1;
    }
    write(frame.end(form, commit))
}

fn len(value: &RawValue<'_>) -> usize {
    match value {
        RawValue::Full(bytes) => bytes.len(),
        RawValue::Hash(hash) => hash.len(),
        RawValue::None => 0,
    }
}

/// Whether a value is that of a seam which was there, unresolved, and is resolved now.
fn resolves(key: &[u8], value: &[u8], before: State<'_>) -> Result<bool> {
    if key.first() != Some(&(Family::Seam as u8)) {
        return Ok(false);
    }
    let open = |value: &[u8]| {
        let seam =
            decode_seam(value).map_err(|error| error.at(before.source.pager.file.path(), 0))?;
        Ok(seam.resolution_status == ResolutionStatus::Unresolved)
    };
    if open(value)? {
        return Ok(false);
    }
    before.value(key)?.map_or(Ok(false), |old| open(&old))
}

/// The frame that is being filled.
struct Frame {
    bytes: Vec<u8>,
    index: u32,
    count: u32,
    total: u32,
}

impl Frame {
    fn begin(commit: &CommitHead, total: u32) -> Self {
        let mut bytes = vec![0; FRAME_HEADER_BYTES];
        push_note(&mut bytes, commit.note.as_deref());
        Self { bytes, index: 0, count: 0, total }
    }

    fn end(&mut self, form: Form, commit: &CommitHead) -> &[u8] {
        let head = FrameHead {
            kind: FrameKind::Entries,
            begins: self.index == 0,
            ends: self.index + self.count == self.total,
            index: self.index,
            count: self.count,
            total: self.total,
            seq: commit.seq,
            time: commit.time.as_nanos(),
            hash: commit.hash,
        };
        seal_frame(&form.history, &head, &mut self.bytes);
        &self.bytes
    }

    fn next(&mut self) {
        self.bytes.truncate(FRAME_HEADER_BYTES);
        self.index += self.count;
        self.count = 0;
    }
}
