//! A batch of entries: what is there, as far as it can soon be durable.

use std::time::{Duration, Instant};

use hexxladb::{ChangelogEntry, ChangelogFollow, ChangelogValue, Result};

use crate::stop::Stop;

/// How long entries are gathered before their commits are waited for.
const GATHER: Duration = Duration::from_millis(25);

/// Whole commits from a follower, without waiting for any. Ends early at a commit whose entries
/// lack values, which it names.
pub(super) struct Batch<'a> {
    /// One that was waited for.
    first: Option<ChangelogEntry>,
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
        Self { first, entries, stop, begun, between_commits: true, lacking }
    }
}

impl Iterator for Batch<'_> {
    type Item = Result<ChangelogEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        let over = || self.stop.is_requested() || self.begun.elapsed() >= GATHER;
        if self.first.is_none() && self.between_commits && over() {
            return None;
        }
        let next = match self.first.take() {
            Some(entry) => Ok(Some(entry)),
            None => self.entries.try_next(),
        };
        if let Ok(Some(entry)) = &next {
            self.between_commits = entry.last_in_commit;
            if matches!(entry.value, ChangelogValue::Hash(_)) {
                *self.lacking = Some(entry.seq);
                return None;
            }
        }
        next.transpose()
    }
}
