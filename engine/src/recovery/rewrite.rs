//! Writing to the changelog what the log holds and the changelog may not.
//!
//! Always: what stands after the synced end is written anew, also where the same bytes are there
//! already: that they could be read does not prove that they are durable. Nobody can read it
//! before the commits are durable in the log, which a power cut may still take them from.

use std::sync::Arc;

use super::Opening;
use crate::changelog::{
    Added, Batch, CommitHead, Form, Home, Limits, Primary, State, Tail, carry_out, encode_commit,
};
use crate::core::plan_changelog;
use crate::error::{Error, Result};
use crate::format::frame::FrameType;
use crate::format::header::ChangelogState;
use crate::format::redo::Change;
use crate::keys::{Family, KeyBuf, RECORD_FAMILIES, SEQ_BYTES};
use crate::options::ChangelogValues;
use crate::pager::Pager;
use crate::probe::{self, Probe};
use crate::timeline::{Root, Source, hash_at};
use crate::wal::{LogFile, Replay};

/// Writes replayed commits to the end of the changelog.
pub(super) struct Rewriter {
    tail: Tail,
    form: Form,
    batch: Batch,
    /// The last commit that is written or waits to be.
    last: u64,
    /// Records that the commit at hand touched.
    keys: Vec<KeyBuf>,
}

impl Rewriter {
    pub(super) fn new(mut tail: Tail, home: &Home, values: ChangelogValues) -> Self {
        tail.cork();
        let last = tail.last().0;
        let (form, batch) = (home.form(values), Batch::new(home.limits));
        Self { tail, form, batch, last, keys: Vec::new() }
    }

    /// A change of the commit at hand.
    pub(super) fn touch(&mut self, family: Family, change: &Change<'_>, mvcc: bool) {
        if !RECORD_FAMILIES.contains(&family) {
            return;
        }
        let (Change::Put { key, .. } | Change::Delete { key }) = change;
        let len = if mvcc { key.len().saturating_sub(SEQ_BYTES) } else { key.len() };
        self.keys.push(KeyBuf::from_slice(&key[..len]));
    }

    /// The commit at hand does not come to be.
    pub(super) fn discard(&mut self) {
        self.keys.clear();
    }

    /// The commit at hand is complete.
    pub(super) fn commit(
        &mut self,
        commit: &CommitHead,
        before: Source<'_>,
        after: Source<'_>,
    ) -> Result<()> {
        let mut keys = std::mem::take(&mut self.keys);
        if commit.seq <= self.last {
            let (last, hash) = self.tail.last();
            if commit.seq == last && commit.hash != hash {
                return Err(Error::HistoryDiverged { seq: last });
            }
            return Ok(());
        }
        probe::hit(Probe::ChangelogReplayed);
        keys.sort_unstable();
        keys.dedup();
        let (seq, time, hash) = (commit.seq, commit.time.as_nanos(), commit.hash);
        let added = Added { seq, time, hash, entries: keys.len() as u32, bytes: 0 };
        self.last = seq;
        let (before, after) = (State::newest(before), State::newest(after));
        self.batch.commit(&mut self.tail, added, |write| {
            encode_commit(self.form, commit, &keys, before, after, write)
        })
    }

    /// There are no more commits.
    pub(super) fn finish(mut self) -> Result<Tail> {
        self.batch.flush(&mut self.tail)?;
        Ok(self.tail)
    }
}

impl Opening<'_> {
    fn home(&self) -> Home {
        Home {
            vfs: Arc::clone(&self.vfs),
            primary: self.path.to_path_buf(),
            history: self.header.history,
            limits: Limits::of(&self.options),
        }
    }

    /// The changelog that the header counts on, ready to be given what the log holds: whatever the
    /// options, its entries must be durable before a frame is retired.
    pub(super) fn changelog_to_rewrite(
        &mut self,
        log: &LogFile,
        pager: &Pager,
        root: &Root,
    ) -> Result<Option<Rewriter>> {
        let state = self.header.changelog;
        if !state.on || self.options.read_only {
            return Ok(None);
        }
        let home = self.home();
        let hash_at = |seq| Ok((seq == root.seq).then_some(root.hash));
        let primary = Primary { head: self.head_of_log(log)?, hash_at: &hash_at };
        let plan = plan_changelog(&home, &state, &primary)?;
        // A newer header that was torn, and counts on what comes off now, may not become whole
        // once more by the one that takes its place.
        self.make_header_durable(pager)?;
        let tail = carry_out(&home, plan, &primary)?;
        Ok(Some(Rewriter::new(tail, &home, state.values)))
    }

    /// The last commit of the log, or that of the header; the error for a log that breaks off in
    /// committed data, before anything is written.
    fn head_of_log(&self, log: &LogFile) -> Result<u64> {
        let header = &self.header;
        let (mut head, mut generation) = (header.head_seq, header.generation);
        let Some(mut replay) = Replay::new(log, header.file, header.epoch, header.retired)? else {
            return Ok(head);
        };
        while let Some((frame, _)) = replay.next_frame()? {
            generation = generation.max(frame.header.generation);
            if matches!(frame.header.frame_type, FrameType::Commit | FrameType::Base) {
                head = frame.header.seq;
            }
        }
        self.check_break(log, &replay, generation, &replay.look_on()?)?;
        Ok(head)
    }

    /// The log has everything durable under the header at hand: the changelog gets it, too, and
    /// goes on, is turned on, or is left as it is, under one more header.
    pub(super) fn settle_changelog(
        &mut self,
        tail: Option<Tail>,
        pager: &Pager,
        root: &Root,
    ) -> Result<Option<Tail>> {
        let wanted = self.options.changelog;
        let mut state = self.header.changelog;
        let mut tail = match tail {
            Some(tail) => tail,
            None if wanted.is_none() => return Ok(None),
            None => {
                let source = Source::new(pager, root, self.limits().mvcc);
                let hash_at = |seq| hash_at(&source, seq);
                let (home, primary) = (self.home(), Primary { head: root.seq, hash_at: &hash_at });
                state.since = root.seq;
                carry_out(&home, plan_changelog(&home, &state, &primary)?, &primary)?
            }
        };
        tail.uncork()?;
        tail.sync()?;
        tail.sync_unnamed()?;
        tail.appear()?;
        let values = wanted.map_or(state.values, |options| options.values);
        state = ChangelogState { on: wanted.is_some(), values, end: tail.synced_end(), ..state };
        if state != self.header.changelog {
            self.header.changelog = state;
            self.make_header_durable(pager)?;
        }
        Ok(wanted.is_some().then_some(tail))
    }
}
