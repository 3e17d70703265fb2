//! What must hold, and the judgement of what was seen.
//!
//! A failure is what no fault excuses. An error is excused only by a fault that can cause it: an
//! injected failure by that very failure, a report of damage by damage to the medium. Nothing
//! excuses wrong data.

mod bounds;
mod changelog;
mod diff;
mod history;
mod reads;
mod rows;
mod snapshot;
mod spots;
mod upkeep;
mod walk;

use std::fmt;

use hexxladb::Error;
use hexxladb::vfs::ErrorKind;
use hexxladb::vfs::sim::{FaultKind, Fired, SimVfs, is_injected, is_stopped};

pub use bounds::{Bounds, judge};
pub use changelog::{Entries, Reach, Whole, beside, whole};
pub use diff::{Difference, differences, expected_differences, next_difference};
pub use history::{
    at_time, checked, commits, counters, everything, histories, is_pruned, times, version_one,
    view_at_tag,
};
pub use reads::{Reads, Span, content_of, facet_id, record_id};
pub use rows::nothing_left_over;
pub use snapshot::{
    cell_range, edges, facets, index, point, prefix, raw_range, ring, ring_filter, seam_filter,
    seams_around, snapshot, transaction,
};
pub use spots::{Next, changelog_filter, from_spot, next_told, same_entry};
pub use upkeep::{Shown, consumers};

/// What went wrong, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The engine panicked.
    Panic,
    /// An operation took more file operations than it ever should.
    Hang,
    /// Something that was acknowledged or shown is gone.
    Lost,
    /// Something is there that nobody wrote, or that was refused or undone.
    Invented,
    /// Wrong data.
    Wrong,
    /// An error that nothing excuses.
    Error,
    /// A call that had to be refused was not.
    Accepted,
    /// Counters that disagree with a recount.
    Counters,
    /// `check` found something.
    Check,
    /// Bytes changed that must not.
    Touched,
    /// The same plan ran differently.
    Different,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Panic => "panic",
            Kind::Hang => "hang",
            Kind::Lost => "lost",
            Kind::Invented => "invented",
            Kind::Wrong => "wrong data",
            Kind::Error => "unexcused error",
            Kind::Accepted => "wrongly accepted",
            Kind::Counters => "counters",
            Kind::Check => "check",
            Kind::Touched => "bytes touched",
            Kind::Different => "not deterministic",
        })
    }
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub kind: Kind,
    /// Which check found it: with the kind, what makes two failures the same.
    pub label: &'static str,
    /// The particulars.
    pub detail: String,
}

impl Failure {
    /// A failure.
    #[must_use]
    pub fn new(kind: Kind, label: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, label, detail: detail.into() }
    }

    /// Whether both are the same failure, particulars aside.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        (self.kind, self.label) == (other.kind, other.label)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.kind, self.label, self.detail)
    }
}

/// Why a check ended early.
#[derive(Debug)]
pub enum Stop {
    /// With a failure.
    Failed(Box<Failure>),
    /// With an error that a fault excuses.
    Excused,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

/// The end of a check.
pub type Check<T = ()> = Result<T, Stop>;

/// Fails with these particulars.
///
/// # Errors
/// Always.
pub fn fail<T>(kind: Kind, label: &'static str, detail: impl Into<String>) -> Check<T> {
    Err(Failure::new(kind, label, detail).into())
}

/// Fails unless `found` is what is `expected`.
///
/// # Errors
/// When they differ.
pub fn same<T: PartialEq + fmt::Debug>(label: &'static str, found: &T, expected: &T) -> Check {
    if found == expected {
        return Ok(());
    }
    fail(Kind::Wrong, label, format!("found {}, expected {}", brief(found), brief(expected)))
}

/// The debug form, shortened.
pub fn brief(value: &impl fmt::Debug) -> String {
    let text = format!("{value:?}");
    if text.chars().count() <= 300 {
        return text;
    }
    text.chars().take(300).chain(['…']).collect()
}

/// Which errors faults excuse. Asked when an error turns up, for faults strike in the midst of
/// operations.
#[derive(Clone, Debug, Default)]
pub struct Excuses {
    /// The medium is damaged, whatever the disk says: reports of damage are legal.
    pub media: bool,
    /// Operations go on failing until the faults are healed.
    pub failing: bool,
    /// The disk that the faults come from, and the faults of before the handle was opened. None
    /// where there are no faults.
    pub disk: Option<(SimVfs, Fired)>,
}

impl Excuses {
    /// Whether a fault has damaged the medium.
    #[must_use]
    pub fn damaged(&self) -> bool {
        self.media || self.disk.as_ref().is_some_and(|(disk, _)| media_faults(&disk.fired()) > 0)
    }

    /// Whether an injected error hit the handle, or may have: then it may refuse to write. A
    /// lack of space alone does not entitle it to.
    #[must_use]
    pub fn poisoned(&self) -> bool {
        let hit = |(disk, base): &(SimVfs, Fired)| io_faults(&disk.fired()) > io_faults(base);
        self.failing || self.disk.as_ref().is_some_and(hit)
    }

    /// Whether a failed sync has taken bytes out of the cache under the handle.
    fn reverted(&self) -> bool {
        self.disk.as_ref().is_some_and(|(disk, base)| {
            disk.fired().count(FaultKind::SyncRevert) > base.count(FaultKind::SyncRevert)
        })
    }

    fn space_limited(&self) -> bool {
        self.disk.as_ref().is_some_and(|(disk, _)| disk.free_sectors().is_some())
    }

    /// Whether the error is excused.
    #[must_use]
    pub fn cover(&self, error: &Error) -> bool {
        match error {
            Error::Io(io) => {
                is_injected(error)
                    || is_stopped(error)
                    || (io.kind() == ErrorKind::StorageFull && self.space_limited())
                    || (io.kind() == ErrorKind::UnexpectedEof && self.damaged())
            }
            // A read may still want bytes that a failed sync has taken out of the cache.
            Error::CorruptDatabase { .. } | Error::ChangelogCorrupt { .. } => {
                self.damaged() || self.reverted()
            }
            Error::ChangelogMismatch { .. }
            | Error::ChangelogForeign { .. }
            | Error::ChangelogGap { .. }
            | Error::ChangelogDisabled
            | Error::HistoryDiverged { .. }
            | Error::DatabaseMissing { .. }
            | Error::NotADatabase { .. }
            | Error::WalMismatch { .. }
            | Error::WalMissing { .. }
            | Error::UnsupportedFormat { .. } => self.damaged(),
            Error::Poisoned { .. } | Error::CommitUnknown { .. } => {
                self.damaged() || self.poisoned()
            }
            _ => false,
        }
    }

    /// Ends a check with this error: excused, or as a failure.
    pub fn stop(&self, call: &'static str, error: &Error) -> Stop {
        if self.cover(error) {
            return Stop::Excused;
        }
        Failure::new(Kind::Error, call, error.to_string()).into()
    }

    /// The value of a result, or the end of the check.
    ///
    /// # Errors
    /// When the result is an error.
    pub fn take<T>(&self, call: &'static str, result: Result<T, Error>) -> Check<T> {
        result.map_err(|error| self.stop(call, &error))
    }
}

/// Injected errors that fired.
#[must_use]
pub fn io_faults(fired: &Fired) -> u64 {
    count(fired, &[FaultKind::Eio, FaultKind::EioForever]) + sync_faults(fired)
}

/// Syncs that failed.
#[must_use]
pub fn sync_faults(fired: &Fired) -> u64 {
    count(fired, &[FaultKind::SyncKeep, FaultKind::SyncRevert])
}

/// Damage done to the medium, or to what is read from it.
#[must_use]
pub fn media_faults(fired: &Fired) -> u64 {
    count(fired, &[FaultKind::Rot, FaultKind::Lost, FaultKind::Misdirected, FaultKind::Stale])
}

fn count(fired: &Fired, kinds: &[FaultKind]) -> u64 {
    kinds.iter().map(|kind| fired.count(*kind)).sum()
}
