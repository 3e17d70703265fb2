//! The whole of a database against the model: every retained snapshot, by sequence, time and tag;
//! histories, differences, commits, counters; and the engine's own check.

use hexxladb::{Db, Error, Timestamp};

use super::reads::{content_of, record_id};
use super::snapshot::snapshot;
use super::{Check, Excuses, Kind, Shown, brief, differences, fail, same};
use crate::model::{Family, Id, Model};

/// How many snapshots, evenly spread, are read in full when there are more.
const SNAPSHOTS: u64 = 24;

/// Records whose history is read; of more every n-th.
const HISTORIES: usize = 48;

/// Everything that can be read of a database that shows this.
///
/// # Errors
/// When it is not what the model says, or at an error.
pub fn everything(db: &Db, model: &Model, shown: &Shown, excuses: &Excuses) -> Check {
    let head = shown.head;
    view_head(db, model, shown, excuses)?;
    commits(db, model, (1, head), shown, excuses)?;
    if !model.mvcc() {
        return version_one(db);
    }
    let floor = shown.floor();
    let step = (head + 1 - floor).div_ceil(SNAPSHOTS).max(1);
    for seq in (floor..head).rev().step_by(step as usize) {
        view_at(db, model, seq, shown, excuses)?;
    }
    view_at(db, model, 0, shown, excuses)?;
    pruned(db, shown, excuses)?;
    tags(db, model, shown, excuses)?;
    times(db, model, shown, excuses)?;
    let middle = floor + (head - floor) / 2;
    for (a, b) in [(floor, head), (head, middle), (0, middle), (head, head)] {
        differences(db, model, (a, b), shown, excuses)?;
    }
    let ids: Vec<_> = model.ids(head).collect();
    let step = ids.len().div_ceil(HISTORIES).max(1);
    let mut recount = [(0, 0); Family::ALL.len()];
    for id in ids.iter().step_by(step) {
        let rows = histories(db, model, id, shown, excuses)?;
        let (logical, versions) = &mut recount[id.family() as usize];
        *logical += u64::from(rows > 0);
        *versions += rows;
    }
    counters(db, model, shown, (step == 1).then_some(&recount), excuses)
}

/// The engine's own check, which writes a checkpoint first.
///
/// # Errors
/// At a finding that no damage to the medium excuses, or at an error.
pub fn checked(db: &Db, excuses: &Excuses) -> Check {
    let report = excuses.take("check", db.check())?;
    if report.is_clean() || excuses.damaged() {
        return Ok(());
    }
    let first = report.findings.first().map_or(String::new(), ToString::to_string);
    let count = report.findings.len();
    fail(Kind::Check, "check", format!("{count} findings, the first: {first}"))
}

fn view_head(db: &Db, model: &Model, shown: &Shown, excuses: &Excuses) -> Check {
    let mut verdict = Ok(());
    let read: Result<(), Error> = db.view(|view| {
        verdict = snapshot(view, model, shown.head, shown, excuses)
            .and_then(|()| timeline(view, model, shown, excuses));
        Ok(())
    });
    excuses.take("view", read)?;
    verdict
}

/// Below the floor the oldest commits may be gone from the timeline; what is there is right.
fn timeline(view: &hexxladb::ReadTx, model: &Model, shown: &Shown, excuses: &Excuses) -> Check {
    let mut begun = false;
    for seq in 1..=shown.head {
        let found = excuses.take("commit of a view", view.commit(seq))?;
        if found.is_none() && !begun && seq < shown.floor() {
            continue;
        }
        begun = true;
        let found = found.map(|commit| (commit.time.as_nanos(), commit.note, commit.history_hash));
        let commit = model.commit(seq);
        let expected = commit.map(|commit| (commit.time, commit.note.clone(), commit.hash));
        same("commit of a view", &found, &expected)?;
    }
    Ok(())
}

fn view_at(db: &Db, model: &Model, seq: u64, shown: &Shown, excuses: &Excuses) -> Check {
    let mut verdict = Ok(());
    let read: Result<(), Error> = db.view_at(seq, |view| {
        verdict = snapshot(view, model, seq, shown, excuses);
        Ok(())
    });
    excuses.take("view_at", read)?;
    verdict
}

/// Snapshots below the floor are refused, the nearest and the farthest ones.
fn pruned(db: &Db, shown: &Shown, excuses: &Excuses) -> Check {
    let floor = shown.floor();
    let nearest = floor.saturating_sub(1);
    for seq in [1, nearest] {
        if seq == 0 || seq >= floor {
            continue;
        }
        is_pruned("view_at below the floor", db.view_at(seq, |_| Ok(())), floor, excuses)?;
        is_pruned("snapshot_at below the floor", db.snapshot_at(seq), floor, excuses)?;
        is_pruned("snapshot_diff below", db.snapshot_diff(seq, shown.head), floor, excuses)?;
    }
    Ok(())
}

/// A call that must be refused because of the prune floor.
///
/// # Errors
/// When it is not.
pub fn is_pruned<T>(
    call: &'static str,
    result: Result<T, Error>,
    floor: u64,
    excuses: &Excuses,
) -> Check {
    match result {
        Err(Error::SnapshotPruned { oldest, .. }) => {
            same("oldest readable sequence in an error", &oldest, &floor)
        }
        Err(error) => Err(excuses.stop(call, &error)),
        Ok(_) => fail(Kind::Accepted, call, format!("below floor {floor}")),
    }
}

/// Every tag, and what it names.
fn tags(db: &Db, model: &Model, shown: &Shown, excuses: &Excuses) -> Check {
    let found = excuses.take("snapshot_tags", db.snapshot_tags())?;
    let found: Vec<_> = found.into_iter().map(|tag| (tag.name, tag.seq)).collect();
    let expected: Vec<_> =
        shown.upkeep.tags.iter().map(|(name, seq)| (name.clone(), *seq)).collect();
    same("snapshot tags", &found, &expected)?;
    expected.iter().try_for_each(|(name, seq)| view_at_tag(db, model, (name, *seq), shown, excuses))
}

/// The snapshot that a tag names.
///
/// # Errors
/// When it is not the model's, or at an error.
pub fn view_at_tag(
    db: &Db,
    model: &Model,
    (name, seq): (&str, u64),
    shown: &Shown,
    excuses: &Excuses,
) -> Check {
    let mut verdict = Ok(());
    let read: Result<(), Error> = db.view_at_tag(name, |view| {
        verdict = snapshot(view, model, seq, shown, excuses);
        Ok(())
    });
    excuses.take("view_at_tag", read)?;
    verdict
}

/// What each instant around each commit reads.
///
/// # Errors
/// When it is not what the model says, or at an error.
pub fn times(db: &Db, model: &Model, shown: &Shown, excuses: &Excuses) -> Check {
    let head = shown.head;
    let instants = (1..=head).map(|seq| model.time_at(seq));
    for time in instants.chain([i64::MIN, i64::MAX]) {
        for nanos in [time.saturating_sub(1), time, time.saturating_add(1)] {
            at_time(db, model, nanos, shown, excuses)?;
        }
    }
    let time = model.time_at(head.div_ceil(2));
    let seq = model.seq_at_time(time, head);
    let read = db.view_at_time(Timestamp::from_nanos(time), |view| Ok::<_, Error>(view.seq()));
    if seq < shown.floor() {
        return is_pruned("view_at_time below the floor", read, shown.floor(), excuses);
    }
    same("view at a time", &excuses.take("view_at_time", read)?, &seq)
}

/// The sequence of an instant.
///
/// # Errors
/// When it is not what the model says, or at an error.
pub fn at_time(db: &Db, model: &Model, nanos: i64, shown: &Shown, excuses: &Excuses) -> Check {
    let found = db.seq_at_time(Timestamp::from_nanos(nanos));
    let seq = model.seq_at_time(nanos, shown.head);
    if seq < shown.floor() {
        return is_pruned("seq_at_time below the floor", found, shown.floor(), excuses);
    }
    same("sequence at a time", &excuses.take("seq_at_time", found)?, &seq)
}

/// Every version of a record that is still there; how many there are.
///
/// # Errors
/// When they are not the model's, without an oldest part of what pruning may have removed, or at
/// an error.
pub fn histories(db: &Db, model: &Model, id: &Id, shown: &Shown, excuses: &Excuses) -> Check<u64> {
    let mut versions = excuses.take("history", db.history(record_id(id)))?;
    let expected: Vec<_> = model.history(id, shown.head).collect();
    let least = expected.len() - model.prunable(id, shown.floor()).min(expected.len());
    let mut count = 0;
    for (seq, content) in &expected {
        let Some(version) = versions.next() else {
            if count >= least {
                return Ok(count as u64);
            }
            return fail(Kind::Wrong, "history", format!("{} lacks version {seq}", brief(id)));
        };
        let version = excuses.take("history", version)?;
        count += 1;
        same("version in a history", &version.seq, seq)?;
        let time = version.time.map(Timestamp::as_nanos);
        // The timeline may have lost what lies below the floor.
        if time.is_some() || *seq >= shown.floor() {
            same("time of a version", &time, &Some(model.time_at(*seq)))?;
        }
        if version.record.as_ref().map(content_of) != *content {
            let what = format!("{} at {seq}: {}", brief(id), brief(&version.record));
            return fail(Kind::Wrong, "value in a history", what);
        }
    }
    match versions.next() {
        None => Ok(count as u64),
        Some(extra) => {
            let extra = excuses.take("history", extra)?;
            let what = format!("{} has version {} that nobody wrote", brief(id), extra.seq);
            fail(Kind::Wrong, "history", what)
        }
    }
}

/// The retained commits of a range, both ways.
///
/// # Errors
/// When they are not the model's, or at an error.
pub fn commits(
    db: &Db,
    model: &Model,
    range: (u64, u64),
    shown: &Shown,
    excuses: &Excuses,
) -> Check {
    let (from, to) = (range.0.max(shown.floor()).max(1), range.1.min(shown.head));
    let mut wanted: Vec<u64> = (from..=to).collect();
    for way in ["forwards", "backwards"] {
        let mut items = excuses.take("commits", db.commits(range.0..=range.1))?;
        for seq in &wanted {
            let item = if way == "forwards" { items.next() } else { items.next_back() };
            let Some(item) = item else {
                return fail(Kind::Wrong, "commits", format!("end {way} before {seq}"));
            };
            let found = excuses.take("commits", item)?;
            let Some(expected) = model.commit(*seq) else { continue };
            let found_commit = (found.seq, found.time.as_nanos(), found.note);
            same("commit", &found_commit, &(*seq, expected.time, expected.note.clone()))?;
            same("history hash of a commit", &found.history_hash, &expected.hash)?;
        }
        if let Some(extra) = items.next() {
            let extra = excuses.take("commits", extra)?;
            return fail(Kind::Wrong, "commits", format!("{way}: {} is too many", extra.seq));
        }
        wanted.reverse();
    }
    Ok(())
}

/// Counters against the model and, where given, against a recount of all histories: records with
/// any version and versions, by family.
///
/// # Errors
/// When they differ, or at an error.
pub fn counters(
    db: &Db,
    model: &Model,
    shown: &Shown,
    recount: Option<&[(u64, u64); Family::ALL.len()]>,
    excuses: &Excuses,
) -> Check {
    let stats = excuses.take("stats_mvcc", db.stats_mvcc())?;
    let rows = model.rows(shown.head) - shown.upkeep.removed;
    let found = (stats.commit_seq, stats.oldest_readable_seq, stats.versioned_row_count);
    let expected = (shown.head, shown.floor(), rows);
    if found != expected {
        let what = format!("found {found:?}, expected {expected:?}");
        return fail(Kind::Counters, "statistics", what);
    }
    let names: Vec<_> = stats.families.iter().map(|family| family.family).collect();
    same("families of the statistics", &names, &Family::ALL.map(Family::name).to_vec())?;
    let sum: u64 = stats.families.iter().map(|family| family.rows).sum();
    same("sum of all rows", &sum, &rows)?;
    for (family, stats) in Family::ALL.into_iter().zip(&stats.families) {
        let (all, pruned) = model.counts(family, shown.head, shown.floor());
        let found = (stats.visible, stats.logical, stats.rows);
        let right = stats.visible == all.visible
            && (pruned.logical..=all.logical).contains(&stats.logical)
            && (pruned.rows..=all.rows).contains(&stats.rows)
            && recount.is_none_or(|counts| counts[family as usize] == (stats.logical, stats.rows));
        if !right {
            let recount = recount.map(|counts| counts[family as usize]);
            let what = format!(
                "{}: found {found:?}, expected {pruned:?} to {all:?}, counted {recount:?}",
                family.name()
            );
            return fail(Kind::Counters, "statistics of a family", what);
        }
    }
    let cells = &stats.families[Family::Cell as usize];
    let found = (stats.logical_cell_count, stats.visible_cell_count);
    same("statistics of cells", &found, &(cells.logical, cells.visible))
}

/// What format v1 must refuse.
///
/// # Errors
/// When it does not.
pub fn version_one(db: &Db) -> Check {
    let time = Timestamp::from_nanos(0);
    let calls: [(&'static str, Option<Error>); 15] = [
        ("view_at", db.view_at(0, |_| Ok::<_, Error>(())).err()),
        ("view_at_time", db.view_at_time(time, |_| Ok::<_, Error>(())).err()),
        ("view_at_tag", db.view_at_tag("t", |_| Ok::<_, Error>(())).err()),
        ("snapshot_at", db.snapshot_at(0).err()),
        ("snapshot_diff", db.snapshot_diff(0, 0).err()),
        ("history", db.history(b"k".to_vec()).err()),
        ("stats_mvcc", db.stats_mvcc().err()),
        ("seq_at_time", db.seq_at_time(time).err()),
        ("tag_snapshot", db.tag_snapshot("t").err()),
        ("snapshot_tags", db.snapshot_tags().err()),
        ("delete_snapshot_tag", db.delete_snapshot_tag("t").err()),
        ("prune_cell_versions", db.prune_cell_versions(0, 1).err()),
        ("plan_prune", db.plan_prune(0).err()),
        ("plan_prune_by_profile", db.plan_prune_by_profile(hexxladb::PruneProfile::Balanced).err()),
        ("suggested_prune_before_seq", db.suggested_prune_before_seq().err()),
    ];
    for (call, error) in calls {
        if !matches!(error, Some(Error::MvccRequired { .. })) {
            let what = format!("{}, expected MvccRequired", brief(&error));
            return fail(Kind::Accepted, call, what);
        }
    }
    Ok(())
}
