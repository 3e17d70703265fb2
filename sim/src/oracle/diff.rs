//! Differences between snapshots against the model.

use hexxladb::{ChangeKind, Db, SnapshotDiff};

use super::history::is_pruned;
use super::reads::{content_of, record_id};
use super::{Check, Excuses, Kind, Shown, brief, fail, same};
use crate::model::{Content, Id, Model};

/// A record that differs: as the first snapshot has it, and as the second.
pub type Difference = (Id, Option<Content>, Option<Content>);

/// What differs between two snapshots by the model, in the order of keys.
#[must_use]
pub fn expected_differences(model: &Model, (a, b): (u64, u64)) -> Vec<Difference> {
    let ids = model.ids(model.head());
    let all = ids.map(|id| (id.clone(), model.get(id, a).cloned(), model.get(id, b).cloned()));
    all.filter(|(_, old, new)| old != new).collect()
}

/// What differs between two snapshots.
///
/// # Errors
/// When it is not what the model says, or at an error.
pub fn differences(
    db: &Db,
    model: &Model,
    (a, b): (u64, u64),
    shown: &Shown,
    excuses: &Excuses,
) -> Check {
    let diff = db.snapshot_diff(a, b);
    if [a, b].iter().any(|seq| (1..shown.floor()).contains(seq)) {
        return is_pruned("snapshot_diff below the floor", diff, shown.floor(), excuses);
    }
    let mut diff = excuses.take("snapshot_diff", diff)?;
    let expected = expected_differences(model, (a, b));
    for wanted in &expected {
        next_difference(&mut diff, Some(wanted), excuses)?;
    }
    next_difference(&mut diff, None, excuses)
}

/// Judges the next difference.
///
/// # Errors
/// When it is not the one wanted, or at an error.
pub fn next_difference(
    diff: &mut SnapshotDiff,
    wanted: Option<&Difference>,
    excuses: &Excuses,
) -> Check {
    let label = "snapshot_diff";
    let found = match (diff.next(), wanted) {
        (None, None) => return Ok(()),
        (None, Some(wanted)) => {
            return fail(Kind::Wrong, label, format!("the end, expected {}", brief(wanted)));
        }
        (Some(found), _) => excuses.take(label, found)?,
    };
    let Some((id, old, new)) = wanted else {
        return fail(Kind::Wrong, label, format!("{}, expected the end", brief(&found)));
    };
    same("record of a difference", &found.id, &record_id(id))?;
    same("difference, first", &found.old.as_ref().map(content_of), old)?;
    same("difference, second", &found.new.as_ref().map(content_of), new)?;
    let kind = match (old, new) {
        (None, _) => ChangeKind::Added,
        (_, None) => ChangeKind::Removed,
        _ => ChangeKind::Modified,
    };
    same("kind of a difference", &found.kind(), &kind)
}
