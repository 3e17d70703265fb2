//! Files at rest, and what damage to them may lead to.
//!
//! A damaged database may end in a typed error or in a committed prefix, never in anything else.
//! What it may fall back to depends on the damage: frames at the log's very end that are gone
//! look like commits that never came to be; nothing else may be lost silently.

use std::path::PathBuf;

use hexxladb::Db;
use hexxladb::vfs::sim::SimVfs;

use super::changelog::changelog_of;
use super::handle::{open_on, options};
use super::trial::segments;
use super::{LOG, PRIMARY};
use crate::model::{Mark, Model};
use crate::op::{Changelog, Damage, Open, Setup};
use crate::oracle::{
    Bounds, Check, Excuses, Kind, Reach, Shown, Stop, checked, everything, fail, judge, whole,
};

/// A primary and its log that nobody has open, and what they stand for.
pub struct Patient {
    pub(super) setup: Setup,
    pub(super) disk: SimVfs,
    pub(super) model: Model,
    pub(super) bounds: Bounds,
    /// The database was closed well: its primary is complete alone.
    pub(super) closed: bool,
}

/// What a trial may find.
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
pub(super) struct Legal {
    /// What must be there at least, when the database opens.
    pub(super) least: Mark,
    /// Whether it may refuse to open.
    pub(super) refuse: bool,
    /// Whether a fall back below what was shown must be reported.
    pub(super) report: bool,
    /// Whether whoever opens it would have it created.
    pub(super) create: bool,
    /// Whether the changelog may lack what it had, as long as it says so.
    pub(super) loose: bool,
    pub(super) label: &'static str,
}

/// How a trial went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// What it counts as.
    pub kind: &'static str,
    /// The database fell back as the one exception for damaged media allows.
    pub fell_back: bool,
    /// Hash of the file operations.
    pub hash: u128,
}

impl Patient {
    /// Damages a copy of the files, opens it and reads everything. `None` when there was nothing
    /// to damage.
    ///
    /// # Errors
    /// When a promise is broken.
    pub fn suffer(&self, damage: Damage) -> Check<Option<Trial>> {
        let disk = self.disk.fork();
        let Some((kind, label)) = inflict(&disk, damage) else { return Ok(None) };
        // Frames that are gone from the log's end look like commits that never came to be, but
        // not where a closed primary is complete without them.
        let keeps_frames = !matches!(
            damage,
            Damage::CutLog(_)
                | Damage::ZeroLog { .. }
                | Damage::RepeatLog { .. }
                | Damage::RotLog { .. }
        );
        let goes_on =
            damage == Damage::RemoveChangelog || self.closed && damage == Damage::RemoveLog;
        let legal = Legal {
            least: if self.closed || keeps_frames { self.bounds.shown } else { Mark::default() },
            refuse: !goes_on,
            loose: !(self.closed && damage == Damage::RemoveLog),
            report: matches!(damage, Damage::RotLog { .. }),
            create: damage == Damage::EmptyPrimary,
            label,
        };
        let fell_back = self.try_open(&disk, &legal)?;
        let fell_back = fell_back && legal.report;
        Ok(Some(Trial { kind, fell_back, hash: disk.trace_hash() }))
    }

    /// The contents of primary and log, and of the changelog's files.
    #[must_use]
    pub fn contents(&self) -> Vec<Vec<u8>> {
        let both = [PRIMARY, LOG].map(PathBuf::from).into_iter();
        let all = both.chain(segments(&self.disk));
        all.map(|path| self.disk.read_file(&path).unwrap_or_default()).collect()
    }

    /// Opens the files of a trial and reads everything, twice. Says whether the database fell
    /// back below what was shown.
    pub(super) fn try_open(&self, disk: &SimVfs, legal: &Legal) -> Check<bool> {
        let excuses = Excuses { media: legal.refuse, ..Excuses::default() };
        let mut fell_back = false;
        for _ in 0..2 {
            let created = self.bounds.created && !legal.create;
            let opened = open_on(disk, options(&self.setup, Open::default(), created));
            let db = match opened {
                Ok(db) => db,
                Err(error) if legal.refuse && excuses.cover(&error) => return Ok(fell_back),
                Err(error) => return Err(excuses.stop(legal.label, &error)),
            };
            // Damage that is met while reading ends the reading.
            let found = match Shown::of(&db, &self.model, &excuses) {
                Err(Stop::Excused) => return Ok(fell_back),
                found => found?,
            };
            let fell = self.judge(&db, &found, legal, fell_back)?;
            fell_back |= fell;
            let read = everything(&db, &self.model, &found, &excuses);
            let read = read.and_then(|()| checked(&db, &excuses));
            match read.and_then(|()| self.changelog(&db, &found, legal, &excuses)) {
                Err(Stop::Excused) | Ok(()) => {}
                Err(failed) => return Err(failed),
            }
            drop(db);
            disk.kill();
        }
        Ok(fell_back)
    }

    /// Reads the whole changelog.
    fn changelog(&self, db: &Db, found: &Shown, legal: &Legal, excuses: &Excuses) -> Check {
        let changelog = self.setup.changelog;
        if changelog == Changelog::Off {
            return Ok(());
        }
        let mut model = self.model.clone();
        model.truncate(found.head);
        model.opened(changelog);
        let reach = Reach { least: found.head, most: found.head, loose: legal.loose };
        let read = |cursor| changelog_of(db, cursor);
        whole(legal.label, read, (&model, model.story()), reach, excuses).map(drop)
    }

    /// Judges what was found; whether that is less than was shown.
    fn judge(&self, db: &Db, found: &Shown, legal: &Legal, fell_back: bool) -> Check<bool> {
        let fell = judge(found, &self.model, self.bounds.shown, legal.label).is_err();
        let report = db.recovery_report();
        let silent = report.frames_discarded == 0 && report.bytes_discarded == 0;
        if fell && legal.report && silent && !fell_back {
            let shown = self.bounds.shown.head;
            let what = format!("head is {}, shown {shown}; nothing said", found.head);
            return fail(Kind::Lost, legal.label, what);
        }
        judge(found, &self.model, legal.least, legal.label)?;
        Ok(fell)
    }
}

/// One of the changelog's files.
fn segment(disk: &SimVfs, file: u8) -> Option<PathBuf> {
    segments(disk).get(usize::from(file)).cloned()
}

/// Puts the changelog of another database in the place of the changelog.
fn replace(disk: &SimVfs) -> bool {
    let other = SimVfs::new(99);
    let setup = Setup { changelog: Changelog::Full, ..Setup::default() };
    let Ok(db) = open_on(&other, options(&setup, Open::default(), false)) else { return false };
    if db.update(|tx| tx.put(b"a", b"of another")).is_err() {
        return false;
    }
    drop(db);
    let (ours, theirs) = (segments(disk), segments(&other));
    let Some(bytes) = theirs.last().and_then(|path| other.read_file(path)) else { return false };
    let Some(path) = ours.first().filter(|path| path.ends_with("main-changelog")) else {
        return false;
    };
    disk.write_file(path, &bytes);
    true
}

/// Does the damage; what it counts as and what to call it, if there was something to damage.
fn inflict(disk: &SimVfs, damage: Damage) -> Option<(&'static str, &'static str)> {
    let (primary, log) = (PRIMARY.as_ref(), LOG.as_ref());
    let log_bytes = disk.read_file(log)?.len() as u64;
    let within = |from: u64, to: u64| from.min(log_bytes)..to.min(log_bytes);
    let (done, kind, label) = match damage {
        Damage::CutLog(len) => {
            (len < log_bytes && disk.cut_file(log, len), "partial log", "a cut log")
        }
        Damage::ZeroLog { from, to } => {
            let range = within(from, to);
            let done = !range.is_empty() && disk.zero_file(log, range);
            (done, "partial log", "a log with a hole")
        }
        Damage::RepeatLog { from, to, at } => {
            let range = within(from, to);
            let some = !range.is_empty() && at < log_bytes;
            let done = some && disk.duplicate_range(log, range, at);
            (done, "partial log", "a log with a repetition")
        }
        Damage::RemoveLog => (disk.remove_file(log), "partial log", "no log"),
        Damage::EmptyPrimary => {
            (disk.cut_file(primary, 0), "mixed files", "a log beside an empty primary")
        }
        Damage::RotPrimary { offset, mask } => {
            (disk.flip(primary, offset, mask), "rot at rest", "a rotten primary")
        }
        Damage::RotLog { offset, mask } => {
            (disk.flip(log, offset, mask), "rot at rest", "a rotten log")
        }
        Damage::RemoveChangelog => {
            let removed = segments(disk).iter().filter(|path| disk.remove_file(path)).count();
            (removed > 0, "changelog missing", "no changelog")
        }
        Damage::RemoveSegment(file) => {
            let done = segment(disk, file).is_some_and(|path| disk.remove_file(&path));
            (done, "changelog missing", "a changelog without one of its files")
        }
        Damage::CutSegment(file, len) => {
            let done = segment(disk, file).is_some_and(|path| disk.cut_file(&path, len));
            (done, "partial changelog", "a cut changelog")
        }
        Damage::RotSegment { file, offset, mask } => {
            let done = segment(disk, file).is_some_and(|path| disk.flip(&path, offset, mask));
            (done, "rot at rest", "a rotten changelog")
        }
        Damage::ForeignChangelog => (replace(disk), "mixed files", "another one's changelog"),
    };
    done.then_some((kind, label))
}
