//! Pruning from the application's own timer: the library starts no thread.

use crate::cancel::CancelToken;
use crate::db::Db;
use crate::error::Result;
use crate::prune::{PruneProfile, Pruned};

/// Prunes by the options' retention policy, a batch at a time.
///
/// ```
/// use hexxladb::{CancelToken, Db, Error, Options, PruneProfile, PruneScheduler, Retention};
/// let options = Options::in_memory().retention(Retention::Commits(1000));
/// let db = Db::open("memory", options)?;
/// let (scheduler, cancel) = (PruneScheduler::new(&db, PruneProfile::Balanced), CancelToken::new());
/// // From the application's timer, say once a minute:
/// let pruned = scheduler.tick(&cancel)?;
/// println!("{pruned}");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PruneScheduler {
    db: Db,
    profile: PruneProfile,
}

impl PruneScheduler {
    /// A scheduler for a database.
    pub fn new(db: &Db, profile: PruneProfile) -> Self {
        Self { db: db.clone(), profile }
    }

    /// One bounded pass: removes at most the profile's batch of rows, as far as the policy allows
    /// now. Without a policy it removes nothing, and says so.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled) with the rows that were removed before, and
    /// as [`Db::prune_cell_versions`].
    pub fn tick(&self, cancel: &CancelToken) -> Result<Pruned> {
        self.db.prune_tick(self.profile, cancel)
    }
}
