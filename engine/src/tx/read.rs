//! Reading a snapshot.
//!
//! In format v2 a snapshot is a sequence, not a root: each call reads the newest root at that
//! sequence, so that a snapshot held for ever does not keep pages from being reused. In format
//! v1 it is a root.

use std::sync::Arc;

use super::scan::ReadState;
use crate::core::Core;
use crate::error::Result;
use crate::timeline::{Commit, Root, Source, Ticket, commit_at};

/// A read transaction: one state of the database, for as long as it lives.
pub struct ReadTx {
    pub(super) core: Arc<Core>,
    seq: u64,
    /// Format v1 reads this root.
    pinned: Option<Arc<Root>>,
    ticket: Ticket,
    /// An owned snapshot: closing does not wait for it, and ends its reads.
    owned: bool,
}

impl ReadTx {
    pub(crate) fn new(
        core: &Arc<Core>,
        seq: u64,
        pinned: Option<Arc<Root>>,
        ticket: Ticket,
    ) -> Self {
        Self { core: Arc::clone(core), seq, pinned, ticket, owned: false }
    }

    /// The same, for an owner who may keep it beyond the handle's end.
    fn into_owned(mut self) -> Self {
        self.owned = true;
        self
    }

    /// The sequence that this transaction reads.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Where reads of this transaction look.
    #[inline]
    pub(super) fn state(&self) -> ReadState<'_> {
        ReadState::Snapshot(self)
    }

    #[inline]
    pub(super) fn read_seq(&self) -> u64 {
        self.seq
    }

    /// Whether the database is of format v2.
    pub(crate) fn is_versioned(&self) -> bool {
        self.core.limits.mvcc
    }

    /// What the timeline keeps of a commit up to this snapshot; `None` for 0, a later one, or one
    /// whose timeline row was pruned.
    ///
    /// # Errors
    /// I/O errors and damage.
    pub fn commit(&self, seq: u64) -> Result<Option<Commit>> {
        if seq == 0 || seq > self.seq {
            return Ok(None);
        }
        self.with_source(|source| commit_at(&source, seq))
    }

    /// The history hash of the commit that this transaction reads; zeros at 0.
    ///
    /// # Errors
    /// I/O errors and damage.
    pub fn history_hash(&self) -> Result<[u8; 16]> {
        Ok(self.commit(self.seq)?.map_or([0; 16], |commit| commit.history_hash))
    }

    #[inline]
    pub(crate) fn with_source<T>(&self, read: impl FnOnce(Source<'_>) -> Result<T>) -> Result<T> {
        if self.owned {
            self.core.check_open()?;
        }
        self.core.shed_if_due();
        let result = match &self.pinned {
            Some(root) => read(self.core.source(root)),
            None => read(self.core.source(&self.core.group.load())),
        };
        if self.owned {
            // Closing does not wait for this one: what was read beside it may be another's.
            self.core.check_open()?;
        }
        result
    }
}

impl Drop for ReadTx {
    fn drop(&mut self) {
        self.core.registry.end(&self.ticket);
    }
}

impl std::fmt::Debug for ReadTx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadTx").field("seq", &self.seq).finish_non_exhaustive()
    }
}

/// A snapshot that its owner may keep and send to other threads. Commits, checkpoints and pruning
/// do not disturb it; after [`Db::close`](crate::Db::close) its reads are
/// [`Error::DatabaseClosed`](crate::Error::DatabaseClosed).
#[derive(Debug)]
pub struct Snapshot(ReadTx);

impl Snapshot {
    pub(crate) fn new(tx: ReadTx) -> Self {
        Self(tx.into_owned())
    }
}

impl std::ops::Deref for Snapshot {
    type Target = ReadTx;

    fn deref(&self) -> &ReadTx {
        &self.0
    }
}
