//! Retention and pruning.

use super::Db;
use crate::cancel::CancelToken;
use crate::error::Result;
use crate::prune::{self, PruneBefore, PrunePlan, PruneProfile, Pruned};

impl Db {
    /// The sequence below which the options' [`Retention`](crate::Retention) keeps nothing: with
    /// `Commits(n)` head − n, or 0; with `Duration(d)` the newest commit at or before `d` back
    /// from now or from head's commit time, whichever is earlier; with both the lower one. `None`
    /// without a policy.
    ///
    /// # Errors
    /// [`Error::MvccRequired`](crate::Error::MvccRequired) in format v1,
    /// [`Error::DatabaseClosed`](crate::Error::DatabaseClosed), I/O errors and damage.
    pub fn suggested_prune_before_seq(&self) -> Result<Option<u64>> {
        self.require_mvcc("suggested_prune_before_seq")?;
        self.core.check_open()?;
        let retention = self.core.options.retention;
        prune::suggested(&self.core, &self.core.source(&self.core.group.load()), retention)
    }

    /// Gives up the snapshots before a sequence or time, and removes at most `max_rows` versions
    /// that only they could see, with their index rows; returns how many. Takes no sequence.
    ///
    /// `before` becomes the oldest readable sequence (0 stays readable, and empty), or the lowest
    /// sequence below it that a tag or a snapshot in use keeps: that floor is published before the
    /// first row goes, and never falls. It may pass the retention policy. Of each record the
    /// newest version at or below the floor stays, unless it is a tombstone below the floor.
    ///
    /// Call again until it returns 0: then nothing is left to be removed, or something holds the
    /// floor, which [`Db::plan_prune`] names. Writers wait for about as long as for a transaction
    /// of 128 rows; readers do not wait. The walk passes over what did not change since the last
    /// one that was through.
    ///
    /// ```
    /// # use hexxladb::{Db, Error, Options};
    /// # let db = Db::open("prune", Options::in_memory())?;
    /// for value in ["1", "2", "3"] {
    ///     db.update(|tx| tx.put("k", value))?;
    /// }
    /// assert_eq!(db.prune_cell_versions(2, 1000)?, 1);
    /// assert_eq!(db.view_at(2, |tx| tx.get("k"))?.as_deref(), Some(&b"2"[..]));
    /// assert!(matches!(db.snapshot_at(1), Err(Error::SnapshotPruned { oldest: 2, .. })));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for 0 rows,
    /// [`Error::ReadSeqFuture`](crate::Error::ReadSeqFuture) above head,
    /// [`Error::NestedWrite`](crate::Error::NestedWrite) inside a write transaction,
    /// [`Error::MvccRequired`](crate::Error::MvccRequired) in format v1;
    /// [`Error::CorruptDatabase`](crate::Error::CorruptDatabase) where it meets a damaged page,
    /// and nothing is lost; and as [`Db::update`].
    pub fn prune_cell_versions(
        &self,
        before: impl Into<PruneBefore>,
        max_rows: u64,
    ) -> Result<u64> {
        self.require_mvcc("prune_cell_versions")?;
        Ok(prune::prune(&self.core, before.into(), max_rows)?.rows)
    }

    /// What [`Db::prune_cell_versions`] would do, all calls together, and what holds the floor.
    /// Reads what has changed since the last pruning that was through, and changes nothing.
    ///
    /// # Errors
    /// As [`Db::prune_cell_versions`].
    pub fn plan_prune(&self, before: impl Into<PruneBefore>) -> Result<PrunePlan> {
        self.require_mvcc("plan_prune")?;
        prune::plan(&self.core, before.into())
    }

    /// What pruning by the options' policy would do under a profile. Without a policy the plan
    /// does nothing, and says so.
    ///
    /// # Errors
    /// As [`Db::plan_prune`].
    pub fn plan_prune_by_profile(&self, profile: PruneProfile) -> Result<PrunePlan> {
        self.require_mvcc("plan_prune_by_profile")?;
        prune::plan_by_profile(&self.core, profile)
    }

    /// Carries out one batch of a plan, as far as the options' policy allows now. Without a policy
    /// it removes nothing, and says so.
    ///
    /// # Errors
    /// As [`Db::prune_cell_versions`].
    pub fn prune_cell_versions_by_profile(&self, plan: &PrunePlan) -> Result<Pruned> {
        self.require_mvcc("prune_cell_versions_by_profile")?;
        prune::carry_out(&self.core, plan)
    }

    /// One bounded pass of pruning under a profile.
    pub(crate) fn prune_tick(&self, profile: PruneProfile, cancel: &CancelToken) -> Result<Pruned> {
        self.require_mvcc("PruneScheduler::tick")?;
        prune::tick(&self.core, profile, cancel)
    }
}
