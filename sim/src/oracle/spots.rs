//! The changelog from any place on, through filters, and as followers are told of it.

use std::collections::BTreeSet;

use hexxladb::{ChangelogCursor, ChangelogEntry, ChangelogFilter, ChangelogOp, Error};

use super::changelog::{Entries, Heard, Reach, ended, judge_loosely, listen, same_told};
use super::reads::record_id;
use super::{Check, Excuses, Kind, brief, fail};
use crate::model::{Act, Entry, Family, Model, Told};
use crate::op::Spot;

/// What a plan's number stands for as a filter; 0 is none.
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
