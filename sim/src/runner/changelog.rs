//! Reads of the changelog: through the handle, beside it, and while nobody has the database open.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hexxladb::vfs::Vfs;
use hexxladb::vfs::sim::{FaultKind, Fired};
use hexxladb::{ChangelogCursor, ChangelogFilter, ChangelogReader, Db, Error, Follow};

use super::trial::segments;
use super::{PRIMARY, World};
use crate::op::{Changelog, Spot, Way};
use crate::oracle::{
    Check, Entries, Excuses, Failure, Kind, Reach, Stop, beside, fail, from_spot, io_faults, whole,
};

/// Spots, evenly spread, that the changelog is read from after each open.
const SPOTS: u64 = 6;

/// Everything in the changelog from a cursor on, through a handle.
///
/// # Errors
/// The engine's.
pub fn changelog_of(db: &Db, cursor: ChangelogCursor) -> Result<Entries<'static>, Error> {
    through(db, cursor, ChangelogFilter::new())
}

/// Entries from a cursor on, through a handle.
fn through(
    db: &Db,
    cursor: ChangelogCursor,
    filter: ChangelogFilter,
) -> Result<Entries<'static>, Error> {
    Ok(Box::new(db.read_changelog(cursor, filter)?))
}

/// Entries from a cursor on that are there, as somebody gets them who follows.
fn following(
    db: &Db,
    cursor: ChangelogCursor,
    filter: ChangelogFilter,
) -> Result<Entries<'static>, Error> {
    let follow = Follow::new().filter(filter).timeout(Duration::ZERO);
    Ok(Box::new(db.follow(cursor, follow)?))
}

impl World {
    /// How far reading through the handle gets.
    fn reach(&self, db: &Db, excuses: &Excuses) -> Check<Reach> {
        let most = self.model.head();
        let least = match &self.session {
            // It mends nothing, so that what is only in the log is not in the changelog.
            Some(session) if session.read_only && !self.closed => 0,
            Some(session) if session.read_only => excuses.take("head", db.head())?,
            _ => self.bounds.durable.head,
        };
        Ok(Reach { least, most, loose: false })
    }

    /// Reads the whole changelog through the handle, and from some spots in it.
    pub(super) fn whole_changelog(&mut self) -> Check {
        let excuses = self.excuses();
        let Some(session) = &self.session else { return Ok(()) };
        let (db, writes) = (session.db.clone(), !session.read_only);
        if !self.tells(&db, &excuses)? {
            return Ok(());
        }
        let reach = self.reach(&db, &excuses)?;
        let read = |cursor| changelog_of(&db, cursor);
        let (model, story) = (&self.model, self.model.story());
        let told = whole("changelog", read, (model, story), reach, &excuses)?;
        if !writes {
            return Ok(());
        }
        self.model.story_mut().learn(&told.starts);
        self.bounds.show(told.last, true);
        let step = (told.last + 2).div_ceil(SPOTS).max(1);
        for seq in (0..=told.last + 2).rev().step_by(step as usize) {
            for (way, index) in [(Way::Read, 0), (Way::Read, 1), (Way::Follow, 0)] {
                self.read_spot(way, Spot { seq, index, filter: 0 })?;
            }
        }
        self.beside_writer()
    }

    /// Whether the handle has a changelog to tell of; judges what it answers where not.
    fn tells(&self, db: &Db, excuses: &Excuses) -> Check<bool> {
        let Some(session) = &self.session else { return Ok(false) };
        let off = session.changelog == Changelog::Off;
        let none = if session.read_only { !self.model.story().begun() } else { off };
        if !none {
            return Ok(true);
        }
        match db.read_changelog_since(0).map(drop) {
            Err(Error::ChangelogDisabled) => Ok(false),
            // An attempt to turn it on that nobody knows the end of.
            Ok(()) if session.read_only => Ok(false),
            Err(error) => Err(excuses.stop("read_changelog_since", &error)),
            Ok(()) => fail(Kind::Accepted, "read_changelog_since", "without a changelog"),
        }
    }

    /// Reads the changelog from a spot on.
    pub(super) fn read_spot(&mut self, way: Way, spot: Spot) -> Check {
        let excuses = self.excuses();
        let Some(session) = &self.session else { return Ok(()) };
        let db = session.db.clone();
        if !self.tells(&db, &excuses)? {
            return Ok(());
        }
        let mut reach = self.reach(&db, &excuses)?;
        let known = (&self.model, self.model.story().starts());
        match way {
            Way::Read => {
                let read = |cursor, filter| through(&db, cursor, filter);
                from_spot("changelog from a spot", read, known, spot, reach, &excuses)
            }
            Way::Follow => {
                let read = |cursor, filter| following(&db, cursor, filter);
                from_spot("following the changelog", read, known, spot, reach, &excuses)
            }
            Way::Beside => {
                let opened =
                    ChangelogReader::open_with(std::sync::Arc::new(self.disk.clone()), PRIMARY);
                if let (Err(Error::ChangelogDisabled), false) =
                    (&opened, self.model.story().begun())
                {
                    return Ok(());
                }
                let reader = excuses.take("reader of the changelog", opened)?;
                reach.least = reach.least.min(self.least_beside());
                let read = |cursor, filter| {
                    let entries = reader.read(cursor, filter)?;
                    Ok(Box::new(entries) as Entries<'_>)
                };
                from_spot("changelog beside, from a spot", read, known, spot, reach, &excuses)
            }
        }
    }

    /// What somebody beside the handle must see, unless something failed: what was acknowledged.
    fn least_beside(&self) -> u64 {
        let Some(session) = &self.session else { return 0 };
        // What found no space is written with what comes next.
        let fired = self.disk.fired();
        let failures = |fired: &Fired| io_faults(fired) + fired.count(FaultKind::NoSpace);
        let quiet = !self.excuses().damaged()
            && failures(&fired) == failures(&session.base)
            && !self.failing
            && !session.hurt
            && !session.unknown;
        let kept = session.changelog != Changelog::Off && !session.read_only;
        if quiet && kept && !session.buffered { self.bounds.shown.head } else { 0 }
    }

    /// What somebody sees who reads beside the handle, which counts as shown.
    pub(super) fn beside_writer(&mut self) -> Check {
        let least = self.least_beside();
        self.seen_beside(least)
    }

    fn seen_beside(&mut self, least: u64) -> Check {
        let (model, story) = (&self.model, self.model.story());
        if !story.may_be() {
            return Ok(());
        }
        let disk = self.disk.fork();
        disk.heal();
        disk.set_free_sectors(None);
        disk.kill();
        // The copy has faults of its own, none; but what was done to its bytes was done.
        let excuses = self.excuses();
        let reach = Reach { least, most: model.head(), loose: false };
        let created = self.bounds.created;
        let seen = beside(&disk, (model, story), (created, reach), &excuses)?;
        if let Some(seen) = seen {
            self.bounds.show(seen.last, true);
        }
        Ok(())
    }

    /// What the files tell while nobody has the database open, which counts as shown.
    pub(super) fn at_rest(&mut self) -> Result<(), Failure> {
        match super::caught(|| self.seen_beside(0)) {
            Ok(Ok(()) | Err(Stop::Excused)) => Ok(()),
            Ok(Err(Stop::Failed(failure))) => Err(*failure),
            Err(message) => Err(super::panic_failure(&message)),
        }
    }

    /// The changelog's files, as somebody finds them who looks for what to damage.
    pub(super) fn segments_at_rest(&self) -> Vec<PathBuf> {
        self.disk.files().into_iter().filter(|path| is_segment(path)).collect()
    }

    /// Takes the changelog's files away while nobody has the database open.
    pub(super) fn lose_changelog(&mut self) {
        let disturbed = self.armed || self.failing || self.excuses().damaged();
        if self.session.is_some() || self.dead || disturbed || !self.model.story().may_be() {
            return;
        }
        let mut paths = segments(&self.disk);
        if paths.is_empty() {
            return;
        }
        let head = self.model.head();
        self.model.story_mut().lose(head);
        self.tally.fault("changelog missing");
        // The oldest first, the one that is written last: a crash in the midst leaves no gap.
        paths.sort_by_key(|path| (path.ends_with("main-changelog"), path.clone()));
        for path in paths {
            let _ = self.disk.remove(&path);
            let _ = self.disk.sync_dir(Path::new("/db"));
        }
    }
}

fn is_segment(path: &Path) -> bool {
    path.to_string_lossy().starts_with(&format!("{PRIMARY}-changelog"))
}
