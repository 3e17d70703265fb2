//! A batch of entries: what is there, or comes soon, as far as it can soon be durable.
//!
//! Following, a batch is open for a moment, so that a source with many small commits does not cost
//! a sync for each of them: both sides share the disk.

use std::time::{Duration, Instant};

use hexxladb::{ChangelogEntry, ChangelogFollow, ChangelogOp, ChangelogValue, Result};

use crate::stop::Stop;

/// How long entries are gathered before their commits are waited for.
const GATHER: Duration = Duration::from_millis(10);

/// The pause before it looks again for what may come.
const PAUSE: Duration = Duration::from_millis(2);

/// Whole commits from a follower. Ends early at a commit whose entries
/// lack values, which it names.
pub(super) struct Batch<'a> {
    /// One that was waited for: more may come soon.
    first: Option<ChangelogEntry>,
    live: bool,
    entries: &'a mut ChangelogFollow,
    stop: &'a Stop,
    begun: Instant,
    between_commits: bool,
    lacking: &'a mut Option<u64>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        first: Option<ChangelogEntry>,
        entries: &'a mut ChangelogFollow,
        stop: &'a Stop,
        lacking: &'a mut Option<u64>,
    ) -> Self {
        let begun = Instant::now();
        Self { live: first.is_some(), first, entries, stop, begun, between_commits: true, lacking }
    }

    fn is_over(&self) -> bool {
        self.stop.is_requested() || self.begun.elapsed() >= GATHER
    }

    /// The next entry that is there in time; what has begun of a commit is read to its end.
    fn soon(&mut self) -> Result<Option<ChangelogEntry>> {
        loop {
            if self.between_commits && self.is_over() {
                return Ok(None);
            }
            let next = self.entries.try_next()?;
            if next.is_some() || !self.live || self.is_over() {
                return Ok(next);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Iterator for Batch<'_> {
    type Item = Result<ChangelogEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = match self.first.take() {
            Some(entry) => Ok(Some(entry)),
            None => self.soon(),
        };
        if let Ok(Some(entry)) = &next {
            self.between_commits = entry.last_in_commit;
            let puts = matches!(entry.op, ChangelogOp::Put | ChangelogOp::Resolve);
            if puts && !matches!(entry.value, ChangelogValue::Full(_)) {
                *self.lacking = Some(entry.seq);
                return None;
            }
        }
        next.transpose()
    }
}
