//! Applying the log's frames to a state.

use std::collections::VecDeque;

use super::rewrite::Rewriter;
use crate::changelog::CommitHead;
use crate::changes::Changes;
use crate::error::{Error, Result};
use crate::format::frame::{Frame, FrameType};
use crate::format::free_list::Extent;
use crate::format::header::{Header, Retired};
use crate::format::redo::{Bounds, Change, CommitPrefix, MaintenancePrefix, first_change};
use crate::ids::FrameNo;
use crate::keys::{Family, decode_physical};
use crate::limits::TreeLimits;
use crate::pager::{Owner, Pager};
use crate::probe::{self, Probe};
use crate::stats::RecoveryReport;
use crate::sync::lock;
use crate::time::Timestamp;
use crate::timeline::{MetaRow, PLAIN, Root, Source};
use crate::wal::{Evidence, LogFile};

/// What replay has come to.
pub(super) struct Replayed {
    pub(super) root: Root,
    pub(super) committed: Vec<(FrameNo, FrameNo)>,
    pub(super) changelog: Option<Rewriter>,
}

/// Replays frames into a state.
pub(super) struct Replayer<'a> {
    pager: &'a Pager,
    limits: TreeLimits,
    root: Root,
    /// The transaction whose parts are being read, and what is left of its stream.
    open: Option<Changes>,
    stream: VecDeque<u8>,
    /// First frame of the transaction that is being read.
    first: Option<FrameNo>,
    /// The changelog's end, where it is to have what is replayed.
    pub(super) changelog: Option<Rewriter>,
    /// First and last frames of the commits and of maintenance.
    committed: Vec<(FrameNo, FrameNo)>,
    /// The highest header generation that a replayed frame names.
    pub(super) generation: u64,
    frames: u64,
    commits: u64,
    bytes: u64,
}

impl<'a> Replayer<'a> {
    pub(super) fn new(pager: &'a Pager, limits: TreeLimits, root: Root) -> Self {
        Self {
            pager,
            limits,
            root,
            open: None,
            stream: VecDeque::new(),
            first: None,
            changelog: None,
            committed: Vec::new(),
            generation: 0,
            frames: 0,
            commits: 0,
            bytes: 0,
        }
    }

    /// The state so far.
    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    pub(super) fn frame(&mut self, frame: &Frame<'_>, place: Retired, log: &LogFile) -> Result<()> {
        probe::hit(Probe::RecoveredFrames);
        self.frames += 1;
        self.bytes += frame.size() as u64;
        self.generation = self.generation.max(frame.header.generation);
        let number = frame.header.number;
        let offset = log.at(place.slot, place.offset as usize);
        let bad = |what: String| log.corrupt(offset, format!("frame {number}: {what}"));
        match frame.header.frame_type {
            FrameType::Anchor => {}
            FrameType::Part => self.changes(frame, frame.payload).map_err(|e| e.or(bad))?,
            FrameType::Abort => self.discard(),
            FrameType::Commit | FrameType::Base => {
                let (prefix, rest) = CommitPrefix::decode(frame.payload).map_err(bad)?;
                self.changes(frame, rest).map_err(|error| error.or(bad))?;
                self.commit(frame, place, prefix).map_err(|error| error.or(bad))?;
            }
            FrameType::Maintenance => {
                self.maintenance(frame, place).map_err(|error| error.or(bad))?;
            }
        }
        self.relieve()
    }

    /// Applies the whole changes that the stream holds with `payload` at its end.
    fn changes(
        &mut self,
        frame: &Frame<'_>,
        payload: &[u8],
    ) -> std::result::Result<(), ReplayError> {
        let (change, seq) = (frame.header.number, frame.header.seq);
        self.first.get_or_insert(change);
        let (root, mvcc) = (&self.root, self.limits.mvcc);
        let changes =
            self.open.get_or_insert_with(|| Changes::commit(root.clone(), seq, change, mvcc));
        let bounds = bounds(self.limits);
        self.stream.extend(payload);
        let stream = self.stream.make_contiguous();
        let mut at = 0;
        while let Some((change, len)) = first_change(&stream[at..], bounds)? {
            let family = family_of(&change, mvcc)?;
            if family == Family::Meta {
                return Err(ReplayError::Format("a commit that changes the timeline".into()));
            }
            if let Some(changelog) = &mut self.changelog {
                changelog.touch(family, &change, mvcc);
            }
            match change {
                Change::Put { key, row } => changes.put_row(self.pager, key, &[row])?,
                Change::Delete { key } => {
                    changes.delete_row(self.pager, key)?;
                }
            }
            at += len;
        }
        self.stream.drain(..at);
        Ok(())
    }

    fn commit(
        &mut self,
        frame: &Frame<'_>,
        place: Retired,
        prefix: CommitPrefix,
    ) -> std::result::Result<(), ReplayError> {
        if !self.stream.is_empty() {
            return Err(ReplayError::Format("its last change is cut short".into()));
        }
        let begins = frame.header.frame_type == FrameType::Base;
        let expected = if begins { frame.header.seq.max(1) } else { self.root.seq + 1 };
        if frame.header.seq != expected || (begins && self.root.seq > 0) {
            let what = format!("commit {}, {expected} expected", frame.header.seq);
            return Err(ReplayError::Format(what));
        }
        let Some(mut changes) = self.open.take() else { return Ok(()) };
        if changes.edit.stamp.seq != expected {
            return Err(ReplayError::Format("parts of another commit".into()));
        }
        let time = Timestamp::from_nanos(frame.header.time);
        let row = MetaRow { time, hash: prefix.history_hash, note: prefix.note };
        changes.finish(self.pager, &row)?;
        if begins {
            changes.begin_history();
        }
        if let Some(changelog) = &mut self.changelog {
            let commit = CommitHead { seq: expected, time, hash: row.hash, note: row.note };
            let before = Source::new(self.pager, &self.root, self.limits.mvcc);
            changelog.commit(&commit, before, changes.source(self.pager))?;
        }
        self.commits += 1;
        self.take_over(changes, frame.header.number, place);
        Ok(())
    }

    fn maintenance(
        &mut self,
        frame: &Frame<'_>,
        place: Retired,
    ) -> std::result::Result<(), ReplayError> {
        if self.open.is_some() {
            return Err(ReplayError::Format("maintenance inside of a transaction".into()));
        }
        let (prefix, mut stream) = MaintenancePrefix::decode(frame.payload)?;
        let number = frame.header.number;
        let (root, mvcc) = (self.root.clone(), self.limits.mvcc);
        let backwards = prefix.floor < root.floor || prefix.pruned < root.pruned;
        if backwards || prefix.floor > root.seq || prefix.pruned > prefix.floor {
            let what = format!("a prune floor of {} after {}", prefix.floor, root.floor);
            return Err(ReplayError::Format(what));
        }
        probe::hit(Probe::MaintenanceReplayed);
        let mut changes = Changes::maintenance(root, number, mvcc);
        (changes.root.floor, changes.root.pruned) = (prefix.floor, prefix.pruned);
        while let Some((change, len)) = first_change(stream, bounds(self.limits))? {
            match (family_of(&change, mvcc)?, change) {
                (Family::Meta, Change::Put { key, row }) => {
                    let value = row.strip_prefix(&[PLAIN]).ok_or("a row of unknown form")?;
                    changes.put_meta(self.pager, key, value)?;
                }
                (Family::Meta, Change::Delete { key }) => {
                    changes.remove_meta(self.pager, key)?;
                }
                (_, Change::Delete { key }) => changes.remove_version(self.pager, key)?,
                (_, Change::Put { .. }) => {
                    return Err(ReplayError::Format("maintenance that puts a record".into()));
                }
            }
            stream = &stream[len..];
        }
        if !stream.is_empty() {
            return Err(ReplayError::Format("its last change is cut short".into()));
        }
        self.take_over(changes, number, place);
        Ok(())
    }

    /// The changes are the state from here on.
    fn take_over(&mut self, changes: Changes, number: FrameNo, place: Retired) {
        let mut freed = changes.edit.freed;
        let replaced = changes.edit.replaced.iter();
        freed.extend(replaced.filter_map(|node| node.get()).map(|disk| Extent::one(disk.page)));
        lock(&self.pager.space).commit(number, freed);
        self.root = Root { place, ..changes.root };
        self.committed.push((self.first.take().unwrap_or(number), number));
    }

    /// The parts read so far are void.
    fn discard(&mut self) {
        self.first = None;
        if let Some(changelog) = &mut self.changelog {
            changelog.discard();
        }
        if self.open.take().is_some() {
            lock(&self.pager.space).rollback();
        }
        self.stream.clear();
    }

    /// Keeps the nodes in memory within the budget: the replayed state goes to pages that nobody
    /// uses, and what an open transaction has added after it.
    fn relieve(&mut self) -> Result<()> {
        if self.pager.resident_bytes() <= self.pager.resident_limit() {
            return Ok(());
        }
        self.root.write_out(self.pager, Owner::Checkpoint)?;
        self.root = self.root.fold(self.pager).shed();
        if let Some(changes) = &mut self.open {
            changes.root.write_out(self.pager, Owner::Transaction)?;
            changes.root = changes.root.fold(self.pager).shed();
        }
        Ok(())
    }

    pub(super) fn report(&self, header: &Header, evidence: &Evidence) -> RecoveryReport {
        let mut reasons = Vec::new();
        if evidence.frames > 0 {
            reasons.push("frames behind a torn one belong to commits that were not acknowledged");
        }
        if evidence.torn_bytes > 0 {
            reasons.push("the last frame is torn: its commit was not acknowledged, or its bytes were damaged");
        }
        if self.open.is_some() {
            reasons.push("the log ends inside of a large transaction that did not commit");
        }
        RecoveryReport {
            clean: false,
            generation: header.generation,
            frames_replayed: self.frames,
            commits_replayed: self.commits,
            bytes_replayed: self.bytes,
            frames_discarded: evidence.frames + u64::from(evidence.torn_bytes > 0),
            bytes_discarded: evidence.bytes + evidence.torn_bytes,
            reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
        }
    }

    /// The state after the last commit, and the frames of the commits.
    pub(super) fn finish(mut self) -> Replayed {
        if self.open.is_some() {
            probe::hit(Probe::PartsDiscarded);
        }
        self.discard();
        Replayed { root: self.root, committed: self.committed, changelog: self.changelog }
    }
}

fn bounds(limits: TreeLimits) -> Bounds {
    Bounds { max_key_bytes: limits.max_key_bytes(), max_row_bytes: limits.max_value_bytes + 1 }
}

/// The family of the key that a change concerns, once the key is known to be one.
fn family_of(change: &Change<'_>, mvcc: bool) -> std::result::Result<Family, ReplayError> {
    let (Change::Put { key, .. } | Change::Delete { key }) = change;
    decode_physical(key, mvcc).map_err(|error| error.to_string())?;
    Ok(Family::from_byte(key[0]).map_err(|error| error.to_string())?)
}

/// Why a frame could not be replayed.
enum ReplayError {
    Format(String),
    Engine(Error),
}

impl ReplayError {
    fn or(self, bad: impl FnOnce(String) -> Error) -> Error {
        match self {
            Self::Format(what) => bad(what),
            Self::Engine(error) => error,
        }
    }
}

impl From<String> for ReplayError {
    fn from(what: String) -> Self {
        Self::Format(what)
    }
}

impl From<&str> for ReplayError {
    fn from(what: &str) -> Self {
        Self::Format(what.into())
    }
}

impl From<Error> for ReplayError {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}
