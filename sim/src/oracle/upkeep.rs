//! What a handle shows: its head, and what has become of the database by changes without a
//! sequence.

use hexxladb::Db;

use super::{Check, Excuses, Kind, fail, same};
use crate::model::{Model, Upkeep};

/// What a handle shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The newest commit.
    pub head: u64,
    /// The prune floor, rows removed, tags.
    pub upkeep: Upkeep,
}

impl Shown {
    /// Nothing pruned and nothing tagged.
    #[must_use]
    pub fn plain(head: u64) -> Self {
        Self { head, upkeep: Upkeep::default() }
    }

    /// The oldest commit that can be read; 0 when all can.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.upkeep.floor
    }

    /// Asks a handle.
    ///
    /// # Errors
    /// When what it says cannot be, or at an error.
    pub fn of(db: &Db, model: &Model, excuses: &Excuses) -> Check<Self> {
        let head = excuses.take("head", db.head())?;
        if !model.mvcc() || head > model.head() {
            return Ok(Self::plain(head));
        }
        let stats = excuses.take("stats_mvcc", db.stats_mvcc())?;
        let (all, there) = (model.rows(head), stats.versioned_row_count);
        let Some(removed) = all.checked_sub(there) else {
            let what = format!("{there} versions, of which only {all} were written");
            return fail(Kind::Counters, "statistics", what);
        };
        let floor = stats.oldest_readable_seq;
        if floor > head || removed > model.prunable_rows(floor) {
            let what = format!("floor {floor}, {removed} rows removed, head {head}");
            return fail(Kind::Wrong, "prune floor", what);
        }
        let (tags, consumers) = (tags(db, excuses)?, consumers(db, excuses)?);
        Ok(Self { head, upkeep: Upkeep { floor, tags, consumers, removed } })
    }
}

/// The consumers of a database's changelog: the commit to read next, and whether pruning waits.
///
/// # Errors
/// When what it says cannot be, or at an error.
pub fn consumers(
    db: &Db,
    excuses: &Excuses,
) -> Check<std::collections::BTreeMap<String, (u64, bool)>> {
    let found = excuses.take("changelog_consumers", db.changelog_consumers())?;
    same("order of consumers", &found.is_sorted_by(|a, b| a.name < b.name), &true)?;
    let at = |info: hexxladb::ConsumerInfo| (info.name, (info.position.seq, info.holds_floor));
    Ok(found.into_iter().map(at).collect())
}

/// The tags of a database.
fn tags(db: &Db, excuses: &Excuses) -> Check<std::collections::BTreeMap<String, u64>> {
    let tags = excuses.take("snapshot_tags", db.snapshot_tags())?;
    let names: Vec<&String> = tags.iter().map(|tag| &tag.name).collect();
    same("order of snapshot tags", &names.is_sorted_by(|a, b| a < b), &true)?;
    Ok(tags.into_iter().map(|tag| (tag.name, tag.seq)).collect())
}
