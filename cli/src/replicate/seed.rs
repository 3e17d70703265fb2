//! Beginning a replica with a snapshot of the source.
//!
//! What always holds: the snapshot goes into a database beside the replica, which takes the
//! replica's name once it is complete and closed. Until then the replica is as it was; a crash
//! leaves a file that the next start removes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hexxladb::{CancelToken, Db, Error, Options, Seed, Snapshot};
use serde::Serialize;

use super::{Args, MAX_VALUE_BYTES};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::stop::Stop;
use crate::{keeping, open_to_read};

/// What a replica began with.
#[derive(Debug, Serialize)]
pub(super) struct Seeded {
    pub(super) seq: u64,
    pub(super) records: u64,
}

/// A replica that is to begin anew, and why.
pub(super) struct Seeding<'a> {
    pub(super) args: &'a Args,
    pub(super) stop: &'a Stop,
    pub(super) why: Error,
}

/// Ends of the names of the files that a seeding may leave behind.
const LEFTOVERS: [&str; 2] = ["", "-wal"];

/// Where the snapshot goes, and the files beside it.
fn seed_path(dst: &Path, end: &str) -> PathBuf {
    beside(&beside(dst, "-seed"), end)
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Removes what a seeding left behind that was killed. The caller has the replica open, so that
/// none is under way.
pub(super) fn remove_leftovers(dst: &Path) -> Result<(), Failure> {
    LEFTOVERS.iter().try_for_each(|end| remove(&seed_path(dst, end)))
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(cannot("remove", path, &error))
        }
        _ => Ok(()),
    }
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::Input(format!("cannot {what} {}: {error}", path.display()))
}

impl Seeding<'_> {
    /// Puts a database with the state of a snapshot of the source in the replica's place.
    pub(super) fn replace(self, db: Db) -> Result<Seeded, Failure> {
        let dst = &self.args.dst;
        let head = db.head()?;
        db.close()?;
        drop(db);
        let kept = keeping::kept(dst)?;
        if head > 0 && kept.is_some() && self.args.keeping.values(kept).is_some() {
            return Err(self.refused(
                "DST has to begin anew, and keeps a changelog of its own, which would break off\n  \
                 move DST and its changelog away, or turn that off with --changelog=off, and run \
                 this again",
            ));
        }
        // Readers may stay; others that write, and other seedings, are kept out.
        let held = open_to_read(dst)?;
        let source = self.source()?;
        let snapshot = source.snapshot()?;
        if snapshot.seq() <= head {
            return Err(self.refused("and SRC itself has nothing that DST lacks"));
        }
        let families = source.stats_mvcc().map(|stats| stats.families).unwrap_or_default();
        let total = families.iter().map(|family| family.visible).sum();
        let records = self.fill(&snapshot, total)?;
        // It was closed, and is whole without its log, which is none of the new one's.
        remove(&beside(dst, "-wal"))?;
        let seed = seed_path(dst, "");
        fs::rename(&seed, dst).map_err(|error| cannot("rename", &seed, &error))?;
        sync_directory(dst)?;
        drop(held);
        Ok(Seeded { seq: snapshot.seq(), records })
    }

    fn refused(self, text: &str) -> Failure {
        Failure::Explained(self.why, text.to_owned())
    }

    fn source(&self) -> Result<Db, Failure> {
        open_to_read(&self.args.src).map_err(|failure| match failure {
            Failure::Database(error @ Error::DatabaseLocked { .. }) => Failure::Explained(
                error,
                format!(
                    "DST has to begin with a snapshot of SRC ({}), for which nobody may be writing \
                     to SRC\n  end the program that writes, and run this again; once DST has begun \
                     that program may go on",
                    self.why
                ),
            ),
            other => other,
        })
    }

    /// Writes the state of a snapshot to the database beside the replica; how many records.
    fn fill(&self, snapshot: &Snapshot, total: u64) -> Result<u64, Failure> {
        let progress = Mutex::new(Progress::of("seed", "records", 0, total));
        let cancel = CancelToken::new();
        self.stop.sets(&cancel);
        let progress: hexxladb::Progress = Arc::new(move |done| {
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress.set(done, || "written".to_owned());
        });
        let how = Seed { cancel: Some(cancel), progress: Some(progress) };
        let options = Options::new().max_value_bytes(MAX_VALUE_BYTES);
        let db = Db::open(seed_path(&self.args.dst, ""), options)?;
        let seeded = db.seed_from(snapshot, &how).map_err(Failure::from);
        // Closed cleanly whatever came; the first failure is the one to tell.
        let closed = db.close().map_err(Failure::from);
        let stopped = || "DST is as it was; run the same command again".to_owned();
        match seeded {
            Err(Failure::Database(Error::Cancelled { .. })) => self.stop.check(stopped)?,
            Err(other) => return Err(other),
            Ok(_) => {}
        }
        closed.and(seeded)
    }
}

/// Makes the new name durable.
fn sync_directory(path: &Path) -> Result<(), Failure> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let synced = File::open(parent).and_then(|directory| directory.sync_all());
    synced.map_err(|error| cannot("sync", parent, &error))
}
