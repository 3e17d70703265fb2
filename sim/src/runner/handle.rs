//! Opening and closing, and what holds of a handle as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{ChangelogOptions, ChangelogValues, Db, Durability, Error, Options};

use super::upkeep::retention;
use super::{PRIMARY, Session, World};
use crate::model::{Mark, Upkeep};
use crate::op::{Changelog, ClockMove, Open, Setup, Wrong};
use crate::oracle::{
    Check, Kind, Shown, Stop, brief, checked, everything, fail, judge, media_faults, same,
    sync_faults,
};

/// Options for a handle; the persisted ones only where the file may be new.
pub(super) fn options(setup: &Setup, open: Open, created: bool) -> Options {
    let buffered = open.buffered.unwrap_or(setup.buffered);
    let options = Options::new()
        .cache_bytes(open.cache_bytes.unwrap_or(setup.cache_bytes))
        .checkpoint_wal_bytes(open.checkpoint_bytes.unwrap_or(setup.checkpoint_bytes))
        .durability(if buffered { Durability::Buffered } else { Durability::Sync })
        .read_only(open.read_only)
        .small_limits(setup.segment_bytes);
    let options = match retention((open.keep_commits, open.keep_nanos)) {
        Some(retention) => options.retention(retention),
        None => options,
    };
    let options = match changelog(setup, open) {
        Some(changelog) => options.changelog(changelog),
        None => options,
    };
    if created {
        return options.create_if_missing(false);
    }
    options.mvcc(setup.mvcc).page_size(setup.page_bytes).max_value_bytes(setup.max_value_bytes)
}

/// What a handle keeps.
pub(super) fn kept(setup: &Setup, open: Open) -> Changelog {
    open.changelog.unwrap_or(setup.changelog)
}

fn changelog(setup: &Setup, open: Open) -> Option<ChangelogOptions> {
    let values = match kept(setup, open) {
        Changelog::Off => return None,
        Changelog::Full => ChangelogValues::Full,
        Changelog::Hash => ChangelogValues::Hash,
        Changelog::Bare => ChangelogValues::None,
    };
    Some(ChangelogOptions::new().values(values).segment_bytes(setup.changelog_bytes))
}

pub(super) fn open_on(disk: &SimVfs, options: Options) -> Result<Db, Error> {
    Db::open_with(Arc::new(disk.clone()), PRIMARY, options)
}

/// Opens the database on a disk.
///
/// # Errors
/// The engine's.
pub fn open_for(setup: &Setup, disk: &SimVfs, open: Open, created: bool) -> Result<Db, Error> {
    open_on(disk, options(setup, open, created))
}

impl World {
    pub(super) fn options(&self, open: Open) -> Options {
        options(&self.setup, open, self.bounds.created)
    }

    pub(super) fn open(&mut self, open: Open) -> Check {
        if self.session.is_some() || self.dead {
            return Ok(());
        }
        let untouched = open.read_only.then(|| self.disk.view_hash());
        let changelog = kept(&self.setup, open);
        if !open.read_only {
            let heads = self.bounds.durable.head..=self.model.head();
            self.model.story_mut().attempt(heads, changelog);
        }
        let opened = open_on(&self.disk, self.options(open));
        if opened.is_err() {
            // One that turns the changelog on has written before it failed.
            self.closed &= open.read_only || changelog == Changelog::Off;
        }
        if self.disk.crashed().is_some() {
            return Err(Stop::Excused);
        }
        let db = match opened {
            Ok(db) => db,
            Err(error) => return self.refused(open, &error),
        };
        let session = Session {
            tx: None,
            waiting: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            diffs: BTreeMap::new(),
            follows: BTreeMap::new(),
            db: db.clone(),
            read_only: open.read_only,
            buffered: open.buffered.unwrap_or(self.setup.buffered),
            changelog,
            keep: (open.keep_commits, open.keep_nanos),
            upkeep: Upkeep::default(),
            opened_at: 0,
            unknown: false,
            hurt: false,
            base: self.disk.fired(),
        };
        self.session = Some(session);
        self.recovered(&db, open.read_only)?;
        if self.undisturbed() && untouched.is_some_and(|hash| hash != self.disk.view_hash()) {
            return fail(Kind::Touched, "read-only open", "a file has changed");
        }
        let excuses = self.excuses();
        let Some((db, shown)) = self.shown()? else { return Ok(()) };
        everything(&db, &self.model, &shown, &excuses)?;
        self.whole_changelog()
    }

    /// An open that failed.
    fn refused(&mut self, open: Open, error: &Error) -> Check {
        let excuses = self.excuses();
        let missing = matches!(error, Error::DatabaseMissing { .. } | Error::NotADatabase { .. });
        if open.read_only && missing && !self.bounds.created {
            return Ok(());
        }
        if matches!(error, Error::Io(_)) && excuses.cover(error) {
            return Err(Stop::Excused);
        }
        // The medium is damaged and the engine says so. With transient damage (a stale read) a
        // second try may do better, but nothing promises it.
        self.dead = excuses.damaged() && excuses.cover(error);
        Err(excuses.stop("open", error))
    }

    /// Judges what an open found and takes it for the truth.
    fn recovered(&mut self, db: &Db, read_only: bool) -> Check {
        let excuses = self.excuses();
        let found = match Shown::of(db, &self.model, &excuses) {
            // Nobody goes on without knowing.
            Err(Stop::Excused) => {
                self.drop_session();
                return Err(Stop::Excused);
            }
            found => found?,
        };
        self.note(&format!("opened at {}", brief(&found)));
        let report = db.recovery_report().clone();
        let mark = match self.bounds.judge(&found, &self.model) {
            // The one exception: damaged frames at the log's very end. Rot leaves bytes to
            // report; a lost write leaves nothing.
            Err(_) if excuses.damaged() => {
                self.tally.exceptions += 1;
                let mark = judge(&found, &self.model, Mark::default(), "recovery")?;
                self.bounds.shown = mark;
                self.bounds.durable = self.bounds.durable.min(mark);
                mark
            }
            mark => mark?,
        };
        same("format version", &db.format_version(), &if self.setup.mvcc { 2 } else { 1 })?;
        if self.closed && !excuses.damaged() {
            let found_report = (report.clean, report.frames_replayed, report.frames_discarded);
            same("report after a clean close", &found_report, &(true, 0, 0))?;
            same("head after a clean close", &found.head, &self.model.head())?;
        }
        if let Some(session) = &mut self.session {
            session.opened_at = found.head;
            session.upkeep = found.upkeep;
        }
        if self.crashed {
            self.tally.recoveries += 1;
            self.crashed = false;
        }
        if read_only {
            let durable = !self.bounds.tainted;
            self.bounds.shown = mark;
            self.bounds.show_all(mark, durable);
            return Ok(());
        }
        self.model.truncate(mark.head);
        self.model.forget_changes(mark.changes);
        self.model.removed(mark.removed);
        if let Some(session) = &self.session {
            self.model.opened(session.changelog);
        }
        self.bounds.shown = mark;
        self.bounds.show_all(mark, true);
        self.bounds.created = true;
        self.bounds.tainted = false;
        self.closed = false;
        Ok(())
    }

    pub(super) fn open_wrong(&mut self, wrong: Wrong) -> Check {
        if self.session.is_some() || self.dead || !self.bounds.created {
            return Ok(());
        }
        let options = self.options(Open::default());
        let options = match wrong {
            Wrong::Mvcc => options.mvcc(!self.setup.mvcc),
            Wrong::PageSize => options.page_size(self.setup.page_bytes * 2),
        };
        match open_on(&self.disk, options) {
            Err(Error::OptionMismatch { .. } | Error::MigrationRequired { .. }) => Ok(()),
            Err(error) => Err(self.excuses().stop("open with a wrong option", &error)),
            Ok(_) => fail(Kind::Accepted, "open with a wrong option", wrong_name(wrong)),
        }
    }

    pub(super) fn second_open(&mut self, read_only: bool) -> Check {
        let Some(session) = &self.session else { return Ok(()) };
        let (both_read, head) = (session.read_only && read_only, session.opened_at);
        let view = self.disk.view_hash();
        let opened = open_on(&self.disk, self.options(Open { read_only, ..Open::default() }));
        if self.disk.crashed().is_some() {
            return Err(Stop::Excused);
        }
        match opened {
            Ok(db) if both_read => {
                same("head of a second reader", &self.excuses().take("head", db.head())?, &head)?;
            }
            Ok(_) => return fail(Kind::Accepted, "second open", "two handles on one database"),
            Err(Error::DatabaseLocked { .. }) if !both_read => {
                self.tally.fault("second opener");
            }
            Err(error) => return Err(self.excuses().stop("second open", &error)),
        }
        if self.undisturbed() && self.disk.view_hash() != view {
            return fail(Kind::Touched, "second open", "a file has changed");
        }
        Ok(())
    }

    /// Whether no fault of this step has itself changed what reads see.
    fn undisturbed(&self) -> bool {
        // A lost or misdirected write shows only when it is synced, perhaps now.
        let now = self.disk.fired();
        sync_faults(&now) == sync_faults(&self.before) && media_faults(&now) == 0
    }

    pub(super) fn close(&mut self) -> Check {
        let Some(session) = &self.session else { return Ok(()) };
        let result = session.db.close();
        if session.tx.is_some() {
            return match result {
                Err(Error::CloseInTransaction) => Ok(()),
                other => fail(Kind::Accepted, "close in a transaction", brief(&other)),
            };
        }
        if self.disk.crashed().is_some() {
            return Err(Stop::Excused);
        }
        let excuses = self.excuses();
        let refuse = self.must_not_acknowledge();
        let Some(mut session) = self.session.take() else { return Ok(()) };
        match result {
            // Nothing is promised, and nothing more can be asked of it.
            Ok(()) if refuse => {}
            Ok(()) => {
                closed_answers(&mut session)?;
                if !session.read_only {
                    self.bounds.show(self.model.head(), true);
                    self.bounds.sync();
                    self.closed = true;
                }
            }
            Err(error) => {
                self.session = Some(session);
                let stop = excuses.stop("close", &error);
                self.drop_session();
                return Err(stop);
            }
        }
        drop(session);
        Ok(())
    }

    /// The handle goes without a close; what hangs on it goes first.
    pub(super) fn drop_session(&mut self) {
        drop(self.session.take());
    }

    pub(super) fn sync(&mut self) -> Check {
        let Some(session) = self.session.as_ref().filter(|session| !session.read_only) else {
            return Ok(());
        };
        let result = session.db.sync();
        let excuses = self.excuses();
        if self.disk.crashed().is_some() {
            return Err(Stop::Excused);
        }
        excuses.take("sync", result)?;
        // After a failed sync this may still be true of what had been synced before; a power cut
        // will tell.
        self.bounds.show(self.model.head(), true);
        self.bounds.sync();
        Ok(())
    }

    pub(super) fn checkpoint(&mut self) -> Check {
        let Some(session) =
            self.session.as_ref().filter(|session| !session.read_only && session.tx.is_none())
        else {
            return Ok(());
        };
        let result = session.db.checkpoint();
        let excuses = self.excuses();
        if self.disk.crashed().is_some() {
            return Err(Stop::Excused);
        }
        excuses.take("checkpoint", result)?;
        self.bounds.sync();
        Ok(())
    }

    pub(super) fn check(&mut self) -> Check {
        let Some(session) = self.session.as_ref().filter(|session| session.tx.is_none()) else {
            return Ok(());
        };
        checked(&session.db, &self.excuses())
    }

    pub(super) fn move_clock(&mut self, clock: ClockMove) {
        match clock {
            ClockMove::Stop => {
                self.stopped_clock = true;
                self.tally.fault("clock stands still");
            }
            ClockMove::Run => {
                self.stopped_clock = false;
                self.tally.fault("clock goes on after standing still");
            }
            ClockMove::Step(_) if self.stopped_clock => {}
            ClockMove::Step(nanos) => {
                self.disk.step_clock(nanos);
                self.tally.fault(if nanos < 0 { "clock steps back" } else { "clock goes ahead" });
            }
        }
    }
}

/// What a closed handle must answer.
fn closed_answers(session: &mut Session) -> Check {
    let db = &session.db;
    if let Err(error) = db.close() {
        return fail(Kind::Error, "close of a closed handle", error.to_string());
    }
    let mut calls = vec![
        ("view after close", db.view(|_| Ok::<_, Error>(())).err()),
        ("begin_write after close", db.begin_write().err()),
        ("snapshot after close", db.snapshot().err()),
    ];
    for (_, snapshot) in session.snapshots.values() {
        calls.push(("snapshot of a closed database", snapshot.get(b"k").err()));
    }
    if db.format_version() == 2 {
        calls.extend([
            ("snapshot_diff after close", db.snapshot_diff(0, 0).err()),
            ("snapshot_tags after close", db.snapshot_tags().err()),
            ("prune after close", db.prune_cell_versions(0, 1).err()),
            ("stats_mvcc after close", db.stats_mvcc().err()),
        ]);
    }
    for held in session.diffs.values_mut() {
        // One that was at its end may stay there.
        if let Some(item) = held.diff.next() {
            calls.push(("differences of a closed database", item.err()));
        }
    }
    for held in session.follows.values_mut() {
        if let Some(item) = held.follow.next() {
            calls.push(("following a closed database", item.err()));
        }
    }
    for (call, error) in calls {
        if !matches!(error, Some(Error::DatabaseClosed)) {
            let what = format!("{}, expected DatabaseClosed", brief(&error));
            return fail(Kind::Accepted, call, what);
        }
    }
    Ok(())
}

fn wrong_name(wrong: Wrong) -> &'static str {
    match wrong {
        Wrong::Mvcc => "mvcc",
        Wrong::PageSize => "page_size",
    }
}
