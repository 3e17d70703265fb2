//! A second database that is kept in step by the changelog, on a disk of its own that may lose
//! power at any operation.

use std::sync::Arc;

use hexxladb::vfs::sim::{Applied, CrashAt, CutProfile, SimVfs};
use hexxladb::{ChangelogFilter, Db, Error};

use super::World;
use super::handle::options;
use crate::op::{Changelog, Open};
use crate::oracle::{Check, Excuses, Kind, Shown, everything, fail, same};

/// The replica's primary file.
const REPLICA: &str = "/db/replica";

/// The replica's disk, and what it is known to hold.
#[derive(Debug)]
pub(super) struct Replica {
    disk: SimVfs,
    created: bool,
    /// The newest commit that it was told to hold.
    head: u64,
}

impl Replica {
    pub(super) fn new(seed: u64, sector_bytes: u32) -> Self {
        let disk = SimVfs::with_sector_bytes(seed, sector_bytes);
        disk.set_tick_nanos(0);
        Self { disk, created: false, head: 0 }
    }
}

impl World {
    /// Brings the replica up to date. Its machine loses power before the modifying operation
    /// `cut`, if it comes to that, and shows afterwards what it was told to hold.
    pub(super) fn replicate(&mut self, cut: Option<u64>) -> Check {
        let Some(session) = &self.session else { return Ok(()) };
        if session.read_only || session.changelog == Changelog::Off {
            return Ok(());
        }
        let (source, excuses) = (session.db.clone(), self.excuses());
        let open = Open { changelog: Some(Changelog::Off), ..Open::default() };
        let how = options(&self.setup, open, self.replica.created);
        let disk = self.replica.disk.clone();
        let opened = Db::open_with(Arc::new(disk.clone()), REPLICA, how);
        let Ok(replica) = opened else {
            return fail(Kind::Error, "open of the replica", format!("{opened:?}"));
        };
        self.replica.created = true;
        let kept = replica.head().unwrap_or_default();
        if kept < self.replica.head {
            let what = format!("it holds {kept} commits, {} were acknowledged", self.replica.head);
            return fail(Kind::Lost, "replica", what);
        }
        let at = cut.map(|at| CrashAt { op: disk.mutating_ops() + at, applied: Applied::Nothing });
        disk.set_crash_at(at);
        let applied = replica.next_cursor().and_then(|cursor| {
            replica.apply_changelog(source.read_changelog(cursor, ChangelogFilter::new())?)
        });
        disk.set_crash_at(None);
        if disk.crashed().is_some() {
            drop(replica);
            disk.power_cut(CutProfile::Plain);
            return Ok(());
        }
        match applied {
            Ok(applied) => {
                self.replica.head = applied.head;
                let last = source.changelog_info().map_or(applied.head, |info| info.last);
                same("head of the replica", &applied.head, &last)?;
                self.note(&format!("replicated up to {last}"));
                everything(&replica, &self.model, &Shown::plain(last), &Excuses::default())
            }
            Err(
                Error::ChangelogTruncated { .. }
                | Error::ChangelogGap { .. }
                | Error::InvalidArgument { .. },
            ) if !self.is_replicable() => Ok(()),
            Err(error) => Err(excuses.stop("replicate", &error)),
        }
    }

    /// Whether the changelog holds all that the database ever committed, with values.
    fn is_replicable(&self) -> bool {
        let in_full =
            |seq| self.model.commit(seq).is_some_and(|commit| commit.logged == Changelog::Full);
        self.model.story().starts().iter().eq([&0]) && (1..=self.model.head()).all(in_full)
    }
}
