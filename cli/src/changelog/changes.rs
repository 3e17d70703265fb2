//! Entries from a cursor on, those to come included, and what becomes of gaps.

use std::io::{self, Write};

use hexxladb::{ChangelogCursor, ChangelogEntry, ChangelogFollow, Error, Result};
use hexxladb_sinks::Source;

use crate::text;

/// Where entries are read from a cursor on.
type Open<'a> = dyn Fn(ChangelogCursor) -> Result<ChangelogFollow> + 'a;

/// Whether reading waits for commits to come, and what it does where the changelog lacks some.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct How {
    /// Wait for commits to come, until a signal ends it
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Go on behind commits that the changelog lacks, saying so on standard error, instead of
    /// ending there
    #[arg(long)]
    skip_gaps: bool,
}

/// Entries in order, each once.
pub(super) struct Changes<'a> {
    open: &'a Open<'a>,
    entries: ChangelogFollow,
    how: How,
}

impl<'a> Changes<'a> {
    /// From a cursor on.
    pub(super) fn from(cursor: ChangelogCursor, open: &'a Open<'a>, how: How) -> Result<Self> {
        Ok(Self { open, entries: open(cursor)?, how })
    }

    /// Where reading goes on.
    pub(super) fn cursor(&self) -> ChangelogCursor {
        self.entries.cursor()
    }

    fn next(&mut self, wait: bool) -> Result<Option<ChangelogEntry>> {
        loop {
            let next = if wait { self.entries.next().transpose() } else { self.entries.try_next() };
            match next {
                Err(Error::ChangelogGap { first, last }) if self.how.skip_gaps => {
                    let gap = text::commits(first, last);
                    // Nobody may be listening; the work goes on all the same.
                    let _ = writeln!(io::stderr(), "gap: the changelog is without {gap}");
                    self.entries = (self.open)(ChangelogCursor::after(last))?;
                }
                next => return next,
            }
        }
    }
}

impl Source for Changes<'_> {
    fn ready(&mut self) -> Result<Option<ChangelogEntry>> {
        self.next(false)
    }

    fn wait(&mut self) -> Result<Option<ChangelogEntry>> {
        if self.how.follow { self.next(true) } else { Ok(None) }
    }
}
