//! The whole of a database against the model: every retained snapshot, histories, times,
//! commits, counters; and the engine's own check.

use hexxladb::{Db, Error, Record, RecordId, Timestamp};

use super::snapshot::snapshot;
use super::{Check, Excuses, Kind, brief, fail, same};
use crate::model::{Content, Id, Model};

/// How many snapshots, evenly spread, are read in full when there are more.
const SNAPSHOTS: u64 = 24;

/// Records whose history is read; of more every n-th.
const HISTORIES: usize = 48;

/// Everything that can be read of a database whose head is `head`.
///
/// # Errors
/// When it is not what the model says, or at an error.
pub fn everything(db: &Db, model: &Model, head: u64, excuses: &Excuses) -> Check {
    view_head(db, model, head, excuses)?;
    commits(db, model, (1, head), head, excuses)?;
    if model.mvcc() {
        let step = (head + 1).div_ceil(SNAPSHOTS).max(1);
        for seq in (0..head).rev().step_by(step as usize) {
            view_at(db, model, seq, excuses)?;
        }
        times(db, model, head, excuses)?;
        let ids: Vec<_> = model.ids(head).collect();
        for id in ids.iter().step_by(ids.len().div_ceil(HISTORIES).max(1)) {
            histories(db, model, id, head, excuses)?;
        }
        counters(db, model, head, excuses)
    } else {
        version_one(db)
    }
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

fn view_head(db: &Db, model: &Model, head: u64, excuses: &Excuses) -> Check {
    let mut verdict = Ok(());
    let read: Result<(), Error> = db.view(|view| {
        verdict = snapshot(view, model, head, excuses);
        Ok(())
    });
    excuses.take("view", read)?;
    verdict
}

fn view_at(db: &Db, model: &Model, seq: u64, excuses: &Excuses) -> Check {
    let mut verdict = Ok(());
    let read: Result<(), Error> = db.view_at(seq, |view| {
        verdict = snapshot(view, model, seq, excuses);
        Ok(())
    });
    excuses.take("view_at", read)?;
    verdict
}

/// What each instant around each commit reads.
///
/// # Errors
/// When it is not what the model says, or at an error.
pub fn times(db: &Db, model: &Model, head: u64, excuses: &Excuses) -> Check {
    let instants = (1..=head).map(|seq| model.time_at(seq));
    for time in instants.chain([i64::MIN, i64::MAX]) {
        for nanos in [time.saturating_sub(1), time, time.saturating_add(1)] {
            let found =
                excuses.take("seq_at_time", db.seq_at_time(Timestamp::from_nanos(nanos)))?;
            same("sequence at a time", &found, &model.seq_at_time(nanos, head))?;
        }
    }
    let time = model.time_at(head.div_ceil(2));
    let read = db.view_at_time(Timestamp::from_nanos(time), |view| Ok::<_, Error>(view.seq()));
    same("view at a time", &excuses.take("view_at_time", read)?, &model.seq_at_time(time, head))
}

/// Every version of a record.
///
/// # Errors
/// When they are not the model's, or at an error.
pub fn histories(db: &Db, model: &Model, id: &Id, head: u64, excuses: &Excuses) -> Check {
    let record = match id {
        Id::Raw(key) => RecordId::from(key.clone()),
        Id::Cell(_, pos) => RecordId::from(pos.coord()),
    };
    let mut versions = excuses.take("history", db.history(record))?;
    for (seq, content) in model.history(id, head) {
        let Some(version) = versions.next() else {
            return fail(Kind::Wrong, "history", format!("{} lacks version {seq}", brief(id)));
        };
        let version = excuses.take("history", version)?;
        let expected = (*seq, Some(model.time_at(*seq)));
        same(
            "version in a history",
            &(version.seq, version.time.map(Timestamp::as_nanos)),
            &expected,
        )?;
        if !is_content(version.record.as_ref(), content.as_ref()) {
            let what = format!("{} at {seq}: {}", brief(id), brief(&version.record));
            return fail(Kind::Wrong, "value in a history", what);
        }
    }
    match versions.next() {
        None => Ok(()),
        Some(extra) => {
            let extra = excuses.take("history", extra)?;
            let what = format!("{} has version {} that nobody wrote", brief(id), extra.seq);
            fail(Kind::Wrong, "history", what)
        }
    }
}

fn is_content(found: Option<&Record>, expected: Option<&Content>) -> bool {
    match (found, expected) {
        (None, None) => true,
        (Some(Record::Raw(found)), Some(Content::Raw(expected))) => found[..] == expected[..],
        (Some(Record::Cell(found)), Some(Content::Cell(expected))) => found == &**expected,
        _ => false,
    }
}

/// The commits of a range, both ways.
///
/// # Errors
/// When they are not the model's, or at an error.
pub fn commits(db: &Db, model: &Model, range: (u64, u64), head: u64, excuses: &Excuses) -> Check {
    let (from, to) = (range.0.max(1), range.1.min(head));
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

/// Counters against a recount.
///
/// # Errors
/// When they differ, or at an error.
pub fn counters(db: &Db, model: &Model, head: u64, excuses: &Excuses) -> Check {
    let stats = excuses.take("stats_mvcc", db.stats_mvcc())?;
    let (raw, cell) = (model.counts(false, head), model.counts(true, head));
    let found = (
        stats.commit_seq,
        stats.logical_cell_count,
        stats.visible_cell_count,
        stats.versioned_row_count,
        stats.oldest_readable_seq,
    );
    let expected = (head, cell.logical, cell.visible, raw.rows + cell.rows, 0);
    if found != expected {
        let what = format!("found {found:?}, expected {expected:?}");
        return fail(Kind::Counters, "statistics", what);
    }
    for family in &stats.families {
        let counts = match family.family {
            "raw" => raw,
            "cell" => cell,
            _ => continue,
        };
        let found = (family.visible, family.logical, family.rows);
        let expected = (counts.visible, counts.logical, counts.rows);
        if found != expected {
            let what = format!("{}: found {found:?}, expected {expected:?}", family.family);
            return fail(Kind::Counters, "statistics of a family", what);
        }
    }
    Ok(())
}

/// What format v1 must refuse.
///
/// # Errors
/// When it does not.
pub fn version_one(db: &Db) -> Check {
    let time = Timestamp::from_nanos(0);
    let calls: [(&'static str, Option<Error>); 6] = [
        ("view_at", db.view_at(0, |_| Ok::<_, Error>(())).err()),
        ("view_at_time", db.view_at_time(time, |_| Ok::<_, Error>(())).err()),
        ("snapshot_at", db.snapshot_at(0).err()),
        ("history", db.history(b"k".to_vec()).err()),
        ("stats_mvcc", db.stats_mvcc().err()),
        ("seq_at_time", db.seq_at_time(time).err()),
    ];
    for (call, error) in calls {
        if !matches!(error, Some(Error::MvccRequired { .. })) {
            let what = format!("{}, expected MvccRequired", brief(&error));
            return fail(Kind::Accepted, call, what);
        }
    }
    Ok(())
}
