//! Consumers of the changelog: named positions that are as durable as commits, and advance when
//! their owner says so.

use std::sync::Arc;

use crate::changelog::{ChangelogCursor, ChangelogFilter};
use crate::core::Core;
use crate::entries::{self, ChangelogEntries, ChangelogFollow, Follow};
use crate::error::{Error, Result};
use crate::ids::HistoryHash;
use crate::keys;
use crate::maintenance::Maintenance;
use crate::tags::check_name;
use crate::timeline::{ConsumerRow, Source, consumer, consumers, hash_at};

/// A consumer of the changelog; get one from
/// [`Db::changelog_consumer`](crate::Db::changelog_consumer).
pub struct ChangelogConsumer {
    core: Arc<Core>,
    name: String,
}

/// What there is to know of a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ConsumerInfo {
    /// Its name.
    pub name: String,
    /// The entry that it reads next.
    pub position: ChangelogCursor,
    /// Commits that it has not read to their end.
    pub lag_commits: u64,
    /// Whether pruning waits for it.
    pub holds_floor: bool,
}

/// A consumer of this name, registered at the oldest entry if it is new.
pub(crate) fn open(core: &Arc<Core>, name: &str) -> Result<ChangelogConsumer> {
    check_name(core, "changelog consumer", name)?;
    require_changelog(core)?;
    let found = core.read(|source| consumer(&source, name))?;
    if found.is_none() && !core.options.read_only {
        change(core, name, |_, row| Ok(Some(row.unwrap_or_default())))?;
    }
    Ok(ChangelogConsumer { core: Arc::clone(core), name: name.to_owned() })
}

/// All consumers, by name.
pub(crate) fn list(core: &Arc<Core>) -> Result<Vec<ConsumerInfo>> {
    core.read(|source| {
        let head = source.root.seq;
        let rows = consumers(&source)?.into_iter();
        let info = |(name, row): (String, ConsumerRow)| ConsumerInfo {
            name,
            position: cursor_of(row),
            lag_commits: (head + 1).saturating_sub(row.seq.max(1)),
            holds_floor: row.holds_floor,
        };
        Ok(rows.map(info).collect())
    })
}

/// Removes a consumer; says whether there was one.
pub(crate) fn remove(core: &Arc<Core>, name: &str) -> Result<bool> {
    check_name(core, "changelog consumer", name)?;
    let mut maintenance = Maintenance::begin(core)?;
    let found = consumer(&maintenance.source(), name)?.is_some();
    if found {
        maintenance.remove(&keys::consumer_key(name))?;
    }
    maintenance.commit()?;
    Ok(found)
}

/// Changes the row of a consumer, durably.
fn change(
    core: &Arc<Core>,
    name: &str,
    to: impl FnOnce(&Source<'_>, Option<ConsumerRow>) -> Result<Option<ConsumerRow>>,
) -> Result<()> {
    let mut maintenance = Maintenance::begin(core)?;
    let source = maintenance.source();
    let old = consumer(&source, name)?;
    let changed = to(&source, old);
    if let Ok(Some(new)) = &changed
        && old.as_ref() != Some(new)
    {
        maintenance.put_meta(&keys::consumer_key(name), &new.encode())?;
    }
    // Whatever was seen on the way must be durable before anyone hears of it.
    maintenance.commit()?;
    changed.map(|_| ())
}

fn require_changelog(core: &Core) -> Result<()> {
    core.check_open()?;
    if core.changelog.is_none() && !core.options.read_only {
        return Err(Error::ChangelogDisabled);
    }
    Ok(())
}

fn cursor_of(row: ConsumerRow) -> ChangelogCursor {
    ChangelogCursor { hash: row.hash, ..ChangelogCursor::at(row.seq, row.index) }
}

/// The history hash that a cursor should have, where the timeline still knows it.
fn hash_before(source: &Source<'_>, cursor: &ChangelogCursor) -> Result<Option<HistoryHash>> {
    let read = if cursor.index > 0 { cursor.seq } else { cursor.read_through() };
    if cursor.seq == 0 { Ok(None) } else { hash_at(source, read) }
}

impl ChangelogConsumer {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it stands: the entry to read next.
    ///
    /// # Errors
    /// [`Error::ChangelogConsumerNotFound`] when it was removed, [`Error::DatabaseClosed`], I/O
    /// errors and damage.
    pub fn position(&self) -> Result<ChangelogCursor> {
        let found = self.core.read(|source| consumer(&source, &self.name))?;
        found.map(cursor_of).ok_or_else(|| self.not_found())
    }

    /// Moves it on: what comes before the cursor is done with. As durable as a commit when this
    /// returns, at the cost of a sync: advance it once for many entries.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a place before its own, [`Error::ReadSeqFuture`] after the
    /// end of head, [`Error::HistoryDiverged`] for one of another history,
    /// [`Error::ChangelogConsumerNotFound`], and as [`Db::update`](crate::Db::update).
    pub fn advance(&self, to: ChangelogCursor) -> Result<()> {
        require_changelog(&self.core)?;
        change(&self.core, &self.name, |source, old| {
            let old = old.ok_or_else(|| self.not_found())?;
            if (to.seq, to.index) < (old.seq, old.index) {
                let accepted = format!("{} or after", cursor_of(old));
                return Err(Error::invalid("consumer position", to, accepted));
            }
            let head = source.root.seq;
            if to.seq > head + 1 || (to.seq > head && to.index > 0) {
                return Err(Error::ReadSeqFuture { seq: to.seq, head });
            }
            let known = hash_before(source, &to)?;
            if let (Some(known), Some(hash)) = (known, to.hash)
                && known != hash
            {
                let seq = if to.index > 0 { to.seq } else { to.read_through() };
                return Err(Error::HistoryDiverged { seq });
            }
            let (seq, index) = (to.seq, to.index);
            Ok(Some(ConsumerRow { seq, index, hash: to.hash.or(known), ..old }))
        })
    }

    /// Whether pruning is to wait for it: versions that commits after its position wrote, or that
    /// they replaced, stay. Off for a new consumer.
    ///
    /// # Errors
    /// As [`ChangelogConsumer::advance`].
    pub fn hold_floor(&self, yes: bool) -> Result<()> {
        require_changelog(&self.core)?;
        change(&self.core, &self.name, |_, old| {
            let old = old.ok_or_else(|| self.not_found())?;
            Ok(Some(ConsumerRow { holds_floor: yes, ..old }))
        })
    }

    /// Entries from its position on that pass the filter.
    ///
    /// # Errors
    /// As [`Db::read_changelog`](crate::Db::read_changelog) and [`ChangelogConsumer::position`].
    pub fn read(&self, filter: ChangelogFilter) -> Result<ChangelogEntries> {
        entries::read(&self.core, self.position()?, filter)
    }

    /// Entries from its position on, waiting for those to come.
    ///
    /// # Errors
    /// As [`ChangelogConsumer::read`].
    pub fn follow(&self, follow: Follow) -> Result<ChangelogFollow> {
        entries::follow(&self.core, self.position()?, follow)
    }

    fn not_found(&self) -> Error {
        Error::ChangelogConsumerNotFound { name: self.name.clone() }
    }
}

impl std::fmt::Debug for ChangelogConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChangelogConsumer").field("name", &self.name).finish_non_exhaustive()
    }
}
