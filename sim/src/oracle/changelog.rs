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
use crate::model::{Act, Entry, Kept, Model, Story, Told};
use crate::op::Changelog;
use crate::runner::PRIMARY;

/// What was told, one after the other.
#[derive(Debug)]
pub(super) enum Heard {
    /// An entry.
    Entry(Box<ChangelogEntry>),
    /// Commits that are missing.
    Gap(u64, u64),
}

impl Heard {
    pub(super) fn last(&self) -> u64 {
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
pub(super) fn listen(
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
pub(super) fn ended(
    label: &'static str,
    error: &Error,
    heard: &[Heard],
    excuses: &Excuses,
) -> Stop {
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
pub(super) fn judge_loosely(
    label: &'static str,
    heard: &[Heard],
    model: &Model,
    most: u64,
) -> Check<Whole> {
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

pub(super) fn same_told(label: &'static str, heard: &Heard, wanted: &Told, model: &Model) -> Check {
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
