//! The changelog against the model: everything that reading it tells, from its beginning or from
//! any place, through a handle or beside one.

use std::collections::BTreeSet;
use std::sync::Arc;

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{
    ChangelogCursor, ChangelogEntry, ChangelogFilter, ChangelogOp, ChangelogReader, ChangelogValue,
    Error,
};

use super::reads::{content_of, record_id};
use super::{Check, Excuses, Kind, Stop, brief, fail};
use crate::model::{Act, Entry, Family, Kept, Model, Story, Told};
use crate::op::{Changelog, Spot};
use crate::runner::PRIMARY;

/// What was told, one after the other.
#[derive(Debug)]
pub enum Heard {
    /// An entry.
    Entry(Box<ChangelogEntry>),
    /// Commits that are missing.
    Gap(u64, u64),
}

impl Heard {
    fn last(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.seq,
            Self::Gap(_, last) => *last,
        }
    }
}

/// Entries, however they were asked for.
pub type Entries<'a> = Box<dyn Iterator<Item = Result<ChangelogEntry, Error>> + 'a>;

/// How far reading must and may get.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// The commit that it must get to.
    pub least: u64,
    /// The commit that it must not get beyond.
    pub most: u64,
    /// Files are missing: it may begin anywhere.
    pub loose: bool,
}

/// What reading everything came to.
#[derive(Clone, Debug, Default)]
pub struct Whole {
    /// The commits after which it begins.
    pub starts: BTreeSet<u64>,
    /// The last commit that it told of.
    pub last: u64,
}

/// Reads everything, beyond what is missing, and judges it.
///
/// # Errors
/// When it is not what the model says, or at an error.
pub fn whole<'a>(
    label: &'static str,
    mut read: impl FnMut(ChangelogCursor) -> Result<Entries<'a>, Error>,
    (model, story): (&Model, &Story),
    reach: Reach,
    excuses: &Excuses,
) -> Check<Whole> {
    let mut heard = Vec::new();
    let mut stopped = None;
    let mut cursor = Some(ChangelogCursor::START);
    while let Some(from) = cursor.take() {
        match read(from) {
            Ok(entries) => match listen(label, entries, &mut heard)? {
                None => {}
                Some(Error::ChangelogGap { first, last }) => {
                    if last < first || heard.last().is_some_and(|before| first <= before.last()) {
                        let what = format!("commits {first} to {last} are said to be missing");
                        return fail(Kind::Wrong, label, what);
                    }
                    heard.push(Heard::Gap(first, last));
                    cursor = Some(ChangelogCursor::after(last));
                }
                Some(error) => stopped = Some(error),
            },
            Err(error) => stopped = Some(error),
        }
    }
    let told = if reach.loose || excuses.damaged() {
        let told = judge_loosely(label, &heard, model, reach.most)?;
        if reach.loose && stopped.is_none() && !heard.is_empty() && told.last < reach.least {
            let what = format!("ends at {}, before {}", told.last, reach.least);
            return fail(Kind::Lost, label, what);
        }
        told
    } else {
        judge(label, &heard, (model, story), reach, stopped.is_none())?
    };
    match stopped {
        None => Ok(told),
        Some(error) => Err(ended(label, &error, &heard, excuses)),
    }
}

/// Takes entries up to the end or an error, after which nothing may come.
fn listen(
    label: &'static str,
    mut entries: Entries<'_>,
    heard: &mut Vec<Heard>,
) -> Check<Option<Error>> {
    loop {
        match entries.next() {
            Some(Ok(entry)) => heard.push(Heard::Entry(Box::new(entry))),
            Some(Err(error)) => {
                if entries.next().is_some() {
                    return fail(Kind::Wrong, label, format!("goes on after {error}"));
                }
                return Ok(Some(error));
            }
            None => {
                if entries.next().is_some() {
                    return fail(Kind::Wrong, label, "goes on after its end");
                }
                return Ok(None);
            }
        }
    }
}

/// The end of a check at an error: damage must be said to lie after what was delivered.
fn ended(label: &'static str, error: &Error, heard: &[Heard], excuses: &Excuses) -> Stop {
    let whole = heard.iter().rev().find_map(|heard| match heard {
        Heard::Entry(entry) => entry.last_in_commit.then_some(entry.seq),
        Heard::Gap(_, last) => Some(*last),
    });
    if let Error::ChangelogCorrupt { seq, offset, .. } = error
        && let Some(last) = whole
        && *seq != last
        // Of a segment whose header is damaged nothing is known.
        && (*seq, *offset) != (0, 0)
    {
        let what = format!("damaged after commit {seq}, but {last} was delivered");
        return super::Failure::new(Kind::Wrong, label, what).into();
    }
    excuses.stop(label, error)
}

fn judge(
    label: &'static str,
    heard: &[Heard],
    (model, story): (&Model, &Story),
    reach: Reach,
    complete: bool,
) -> Check<Whole> {
    let mut starts = BTreeSet::new();
    match heard.first() {
        None => {}
        Some(Heard::Entry(entry)) => drop(starts.insert(entry.seq.saturating_sub(1))),
        Some(Heard::Gap(first, _)) => drop(starts.insert(first.saturating_sub(1))),
    }
    starts.extend(heard.iter().filter_map(|heard| match heard {
        Heard::Gap(_, last) => Some(*last),
        Heard::Entry(_) => None,
    }));
    let last = heard.last().map_or(0, Heard::last);
    if last > reach.most {
        let what = format!("tells of commit {last}, {} is the newest", reach.most);
        return fail(Kind::Invented, label, what);
    }
    // Where nothing is told, it begins where nobody can tell.
    let silent = heard.is_empty() && story.starts().len() <= 1;
    if !silent && !story.allows(&starts, complete) {
        let what = format!("begins after {starts:?}, expected {story:?}");
        return fail(Kind::Wrong, label, what);
    }
    let known = if silent { story.starts() } else { &starts };
    let expected = model.told(known, last);
    for (at, heard) in heard.iter().enumerate() {
        match expected.get(at) {
            Some(wanted) => same_told(label, heard, wanted, model)?,
            None => {
                return fail(Kind::Wrong, label, format!("{}, expected the end", brief(heard)));
            }
        }
    }
    if !complete {
        return Ok(Whole { starts, last });
    }
    if let Some(missing) = expected.get(heard.len()) {
        return fail(Kind::Wrong, label, format!("the end, expected {}", brief(missing)));
    }
    if let Some(missing) = model.told(known, reach.least).get(heard.len()) {
        return fail(Kind::Lost, label, format!("ends at {last} before {}", brief(missing)));
    }
    Ok(Whole { starts, last })
}

/// Where damage may have led to an older header, or files are missing: whatever is told is right,
/// and nothing is passed over without a word.
fn judge_loosely(label: &'static str, heard: &[Heard], model: &Model, most: u64) -> Check<Whole> {
    let mut next = None;
    let mut starts = BTreeSet::new();
    for heard in heard {
        let (seq, index) = match heard {
            Heard::Entry(entry) => (entry.seq, entry.index),
            Heard::Gap(first, _) => (*first, 0),
        };
        if next.unwrap_or((seq, 0)) != (seq, index) || seq == 0 || heard.last() > most {
            return fail(Kind::Wrong, label, format!("{}, expected {next:?}", brief(heard)));
        }
        if next.is_none() {
            starts.insert(seq - 1);
        }
        next = Some(match heard {
            Heard::Entry(entry) if entry.last_in_commit => (seq + 1, 0),
            Heard::Entry(_) => (seq, index + 1),
            Heard::Gap(_, last) => (last + 1, 0),
        });
        match heard {
            Heard::Entry(entry) => {
                let kept = match entry.value {
                    ChangelogValue::Full(_) => Changelog::Full,
                    ChangelogValue::Hash(_) => Changelog::Hash,
                    _ => Changelog::Bare,
                };
                match model.entries_as(seq, kept).into_iter().nth(index as usize) {
                    Some(wanted) => same_told(label, heard, &Told::Entry(wanted), model)?,
                    None => return fail(Kind::Invented, label, brief(heard)),
                }
            }
            Heard::Gap(_, last) => drop(starts.insert(*last)),
        }
    }
    Ok(Whole { starts, last: heard.last().map_or(0, Heard::last) })
}

fn same_told(label: &'static str, heard: &Heard, wanted: &Told, model: &Model) -> Check {
    let same = match (heard, wanted) {
        (Heard::Entry(found), Told::Entry(wanted)) => is_entry(found, wanted, model),
        (Heard::Gap(first, last), Told::Gap(from, to)) => (first, last) == (from, to),
        _ => false,
    };
    if same {
        return Ok(());
    }
    fail(Kind::Wrong, label, format!("{}, expected {}", brief(heard), brief(wanted)))
}

/// Whether an entry is the one that the model wants.
fn is_entry(found: &ChangelogEntry, wanted: &Entry, model: &Model) -> bool {
    let Some(commit) = model.commit(wanted.seq) else { return false };
    let place = (found.seq, found.index, found.commit_entries(), found.last_in_commit)
        == (wanted.seq, wanted.index, wanted.of, wanted.index + 1 >= wanted.of);
    let op = found.op
        == match wanted.act {
            Act::Put => ChangelogOp::Put,
            Act::Delete => ChangelogOp::Delete,
            Act::Resolve => ChangelogOp::Resolve,
            Act::Note => ChangelogOp::Note,
        };
    let key = found.key == wanted.id.as_ref().map(record_id)
        && found.family() == wanted.id.as_ref().map(|id| id.family().name());
    let value = match (&found.value, &wanted.value) {
        (ChangelogValue::None, Kept::Nothing) => true,
        (ChangelogValue::Hash(found), Kept::Hash(wanted)) => found == wanted,
        (ChangelogValue::Full(bytes), Kept::Full(wanted)) => bytes[..] == wanted[..],
        _ => false,
    };
    let content = wanted.id.as_ref().and_then(|id| model.get(id, wanted.seq));
    let full = matches!(wanted.value, Kept::Full(_));
    let record = found
        .record()
        .is_ok_and(|record| record.as_ref().map(content_of).as_ref() == content.filter(|_| full));
    let of_commit = (found.time.as_nanos(), found.note.as_deref(), found.history_hash)
        == (commit.time, commit.note.as_deref(), commit.hash);
    place && op && key && value && record && of_commit
}

/// What a plan's number stands for as a filter; 0 is none.
#[must_use]
pub fn changelog_filter(number: u32) -> (ChangelogFilter, impl Fn(&Entry) -> bool) {
    const ACTS: [(ChangelogOp, Act); 4] = [
        (ChangelogOp::Put, Act::Put),
        (ChangelogOp::Delete, Act::Delete),
        (ChangelogOp::Resolve, Act::Resolve),
        (ChangelogOp::Note, Act::Note),
    ];
    let choice = number as usize / 16;
    let mut filter = ChangelogFilter::new();
    let (op, act) = ACTS[choice % 4];
    if number & 1 == 1 {
        filter = filter.op(op);
    }
    let families = [Family::ALL[choice % 5], Family::ALL[(choice + 2) % 5]];
    if number & 2 == 2 {
        filter = filter.family(families[0].name()).family(families[1].name());
    }
    let prefix = ["raw/k", "cell/(0,", "edge/(", "seam/"][choice % 4];
    if number & 4 == 4 {
        filter = filter.key_prefix(prefix);
    }
    let passes = move |entry: &Entry| {
        (number & 1 == 0 || entry.act == act)
            && (number & 2 == 0
                || entry.id.as_ref().is_some_and(|id| families.contains(&id.family())))
            && (number & 4 == 0
                || entry
                    .id
                    .as_ref()
                    .is_some_and(|id| record_id(id).to_string().starts_with(prefix)))
    };
    (filter, passes)
}

/// The `at`th of what reading from a spot on tells, one after the other.
#[derive(Debug)]
pub enum Next {
    /// This.
    Is(Told),
    /// Nothing yet.
    End,
    /// It lies below the oldest, which is this.
    Truncated(u64),
    /// Nobody knows.
    Unknown,
}

/// What somebody who follows is told next.
#[must_use]
pub fn next_told(
    (model, starts): (&Model, &BTreeSet<u64>),
    spot: Spot,
    at: usize,
    most: u64,
) -> Next {
    match expected(model, starts, spot, most) {
        Expected::Unknown => Next::Unknown,
        Expected::Truncated(oldest) => Next::Truncated(oldest),
        Expected::Rest(rest) => rest.into_iter().nth(at).map_or(Next::End, Next::Is),
    }
}

/// Judges an entry.
///
/// # Errors
/// When it is not the one wanted.
pub fn same_entry(
    label: &'static str,
    found: ChangelogEntry,
    wanted: &Told,
    model: &Model,
) -> Check {
    same_told(label, &Heard::Entry(Box::new(found)), wanted, model)
}

/// What reading from a spot on must tell up to a commit.
fn expected(model: &Model, starts: &BTreeSet<u64>, spot: Spot, most: u64) -> Expected {
    let Some(oldest) = starts.first().map(|start| start + 1) else { return Expected::Unknown };
    if spot.seq > 0 && spot.seq < oldest {
        return Expected::Truncated(oldest);
    }
    let passes = changelog_filter(spot.filter).1;
    let mut rest = Vec::new();
    for told in model.told(starts, most) {
        match told {
            Told::Entry(entry)
                if (entry.seq, entry.index) < (spot.seq, spot.index) && spot.seq > 0 => {}
            Told::Entry(entry) if passes(&entry) => rest.push(Told::Entry(entry)),
            Told::Entry(_) => {}
            Told::Gap(_, last) if last < spot.seq => {}
            gap @ Told::Gap(..) => {
                rest.push(gap);
                break;
            }
        }
    }
    Expected::Rest(rest)
}

enum Expected {
    Unknown,
    Truncated(u64),
    Rest(Vec<Told>),
}

/// Reads from a spot on.
///
/// # Errors
/// When it is not what the model says, or at an error.
pub fn from_spot<'a>(
    label: &'static str,
    read: impl FnOnce(ChangelogCursor, ChangelogFilter) -> Result<Entries<'a>, Error>,
    (model, starts): (&Model, &BTreeSet<u64>),
    spot: Spot,
    reach: Reach,
    excuses: &Excuses,
) -> Check {
    let mut heard = Vec::new();
    let cursor = ChangelogCursor::at(spot.seq, spot.index);
    let stopped = match read(cursor, changelog_filter(spot.filter).0) {
        Ok(entries) => listen(label, entries, &mut heard)?,
        Err(error) => Some(error),
    };
    if excuses.damaged() {
        // Damage met before may have led anywhere that is right.
        let told = judge_loosely(label, &heard, model, reach.most);
        let whole = spot.index == 0 && spot.filter == 0;
        return if whole { told.map(drop) } else { Ok(()) };
    }
    let rest = match (expected(model, starts, spot, reach.most), &stopped) {
        (Expected::Unknown, _) => return Ok(()),
        (Expected::Truncated(oldest), Some(Error::ChangelogTruncated { oldest: found })) => {
            return super::same("oldest entry in an error", found, &oldest);
        }
        (Expected::Truncated(_), Some(error)) => return Err(excuses.stop(label, error)),
        (Expected::Truncated(oldest), None) => {
            return fail(Kind::Accepted, label, format!("from {spot:?}, the oldest is {oldest}"));
        }
        (Expected::Rest(rest), _) => rest,
    };
    let stopped = match stopped {
        Some(Error::ChangelogGap { first, last }) => {
            heard.push(Heard::Gap(first, last));
            None
        }
        Some(Error::ReadSeqFuture { .. }) if is_beyond(spot, reach.least) => return Ok(()),
        other => other,
    };
    for (at, heard) in heard.iter().enumerate() {
        match rest.get(at) {
            Some(wanted) => same_told(label, heard, wanted, model)?,
            None => {
                return fail(Kind::Wrong, label, format!("{}, expected the end", brief(heard)));
            }
        }
    }
    if let Some(error) = stopped {
        return Err(ended(label, &error, &heard, excuses));
    }
    match rest.get(heard.len()) {
        None | Some(Told::Gap(..)) if heard.len() >= rest.len() => Ok(()),
        Some(Told::Entry(next)) if next.seq > reach.least && begins(next, heard.last(), spot) => {
            Ok(())
        }
        Some(Told::Gap(first, _)) if *first > reach.least => Ok(()),
        missing => {
            fail(Kind::Lost, label, format!("ends before {}, from {spot:?}", brief(&missing)))
        }
    }
}

/// Whether what is missing is a commit of its own, not the rest of one.
fn begins(next: &Entry, before: Option<&Heard>, spot: Spot) -> bool {
    let told = before.map_or(0, Heard::last);
    told < next.seq && (spot.filter > 0 || next.index == 0 || next.seq == spot.seq)
}

/// Whether a spot lies beyond the entry that comes after a commit.
fn is_beyond(spot: Spot, head: u64) -> bool {
    spot.seq > head + 1 || (spot.seq > head && spot.index > 0)
}

/// Reads the changelog beside whoever has the database open, or while nobody has. `None` where
/// the files do not know of a changelog.
///
/// # Errors
/// When it is not what the model says, or at an error.
pub fn beside(
    disk: &SimVfs,
    (model, story): (&Model, &Story),
    (created, reach): (bool, Reach),
    excuses: &Excuses,
) -> Check<Option<Whole>> {
    let label = "changelog beside";
    let reader = match ChangelogReader::open_with(Arc::new(disk.clone()), PRIMARY) {
        Err(Error::DatabaseMissing { .. } | Error::NotADatabase { .. }) if !created => {
            return Ok(None);
        }
        Err(Error::ChangelogDisabled) if story.starts().is_empty() => return Ok(None),
        opened => excuses.take("reader of the changelog", opened)?,
    };
    let read = |cursor| Ok(Box::new(reader.read(cursor, ChangelogFilter::new())?) as Entries<'_>);
    whole(label, read, (model, story), reach, excuses).map(Some)
}
