//! What-if: the files as they are now, damaged or mixed with older ones, opened in a world of
//! their own.
//!
//! The run itself goes on untouched, so its oracle stays strict. A trial may end in a typed
//! error or in a committed prefix, never in anything else; what it may fall back to depends on
//! what was done to the files.

use std::path::Path;

use hexxladb::Db;
use hexxladb::vfs::sim::SimVfs;
use hexxladb::vfs::{FileExt, OpenMode, Vfs};

use super::World;
use super::handle::open_on;
use crate::model::Model;
use crate::op::{Damage, Files, Open, Slot};
use crate::oracle::{Bounds, Check, Excuses, Kind, Stop, checked, everything, fail};

/// The header slots of a primary: four blocks.
const HEADER_BYTES: usize = 4 * 4096;

/// Copies of both files, as a process would have read them, and what they stood for.
#[derive(Clone)]
pub(super) struct Stash {
    primary: Option<Vec<u8>>,
    log: Option<Vec<u8>>,
    model: Model,
    bounds: Bounds,
}

/// What a trial may find.
struct Legal<'a> {
    model: &'a Model,
    /// Least head, when the database opens.
    least: u64,
    /// Whether it may refuse to open.
    refuse: bool,
    /// Whether a fall back below what was shown must be reported.
    report: bool,
    label: &'static str,
}

/// A file as a process would read it now.
fn cached(disk: &SimVfs, path: &Path) -> Option<Vec<u8>> {
    let file = disk.open(path, OpenMode::Read).ok()?;
    let mut bytes = vec![0; file.len().ok()? as usize];
    file.read_exact_at(0, &mut bytes).ok()?;
    Some(bytes)
}

impl World {
    fn copy(&self) -> Stash {
        let disk = self.disk.fork();
        disk.heal();
        Stash {
            primary: cached(&disk, &self.primary),
            log: cached(&disk, &self.log),
            model: self.model.clone(),
            bounds: self.bounds,
        }
    }

    /// Notes what had been shown before the step that wrote the newest header.
    pub(super) fn watch_header(&mut self, shown_before: u64) {
        if self.stashes.is_empty() {
            return;
        }
        let primary = self.disk.read_file(&self.primary).unwrap_or_default();
        let header = primary[..primary.len().min(HEADER_BYTES)].to_vec();
        if header != self.header {
            self.header = header;
            self.header_shown = shown_before;
        }
    }

    pub(super) fn stash(&mut self, slot: Slot) {
        let copy = self.copy();
        if self.stashes.is_empty() {
            let primary = self.disk.read_file(&self.primary).unwrap_or_default();
            self.header = primary[..primary.len().min(HEADER_BYTES)].to_vec();
            self.header_shown = 0;
        }
        self.stashes.insert(slot, copy);
    }

    /// A new disk with these files.
    fn disk_of(&self, primary: Option<&Vec<u8>>, log: Option<&Vec<u8>>) -> SimVfs {
        let disk = SimVfs::with_sector_bytes(self.setup.disk_seed ^ 1, self.setup.sector_bytes);
        disk.set_tick_nanos(0);
        if let Some(bytes) = primary {
            disk.write_file(&self.primary, bytes);
        }
        if let Some(bytes) = log {
            disk.write_file(&self.log, bytes);
        }
        disk
    }

    /// Older files in the place of one or both of the present ones.
    pub(super) fn restore(&mut self, slot: Slot, files: Files) -> Check {
        let Some(old) = self.stashes.get(&slot).cloned() else { return Ok(()) };
        let now = self.copy();
        let (primary, log) = match files {
            Files::Primary => (&old.primary, &now.log),
            Files::Log => (&now.primary, &old.log),
            Files::Both => (&old.primary, &old.log),
        };
        if !old.bounds.created || primary.is_none() || log.is_none() || self.excuses().damaged() {
            return Ok(());
        }
        self.tally.fault("mixed files");
        let head_of = |stash: &Stash| {
            stash.primary.as_ref().map(|bytes| bytes[..bytes.len().min(HEADER_BYTES)].to_vec())
        };
        // With the headers as they were, the older files are a whole older state, and nothing
        // can tell it from that state.
        let whole = files == Files::Both || (files == Files::Log && head_of(&old) == head_of(&now));
        let legal = if whole {
            Legal {
                model: &old.model,
                least: old.bounds.shown,
                refuse: false,
                report: false,
                label: "an older copy",
            }
        } else {
            // An older log lacks what was committed since; the newest header tells of all that
            // was there when it was written.
            let known = if files == Files::Log { self.header_shown } else { now.bounds.shown };
            Legal {
                model: &now.model,
                least: known.min(now.bounds.shown),
                refuse: true,
                report: false,
                label: "mixed files",
            }
        };
        let disk = self.disk_of(primary.as_ref(), log.as_ref());
        let verdict = self.try_open(&disk, &legal, legal.least);
        self.note(&format!("trial {:x}", disk.trace_hash()));
        verdict.map(drop)
    }

    /// Damage done to a copy of the files as they are now.
    pub(super) fn damage(&mut self, damage: Damage) -> Check {
        let now = self.copy();
        let (Some(_), Some(log)) = (&now.primary, &now.log) else { return Ok(()) };
        if !now.bounds.created || self.excuses().damaged() {
            return Ok(());
        }
        let log_bytes = log.len() as u64;
        let disk = self.disk_of(now.primary.as_ref(), now.log.as_ref());
        let (done, kind, label) = self.do_damage(&disk, damage, log_bytes);
        if !done {
            return Ok(());
        }
        self.tally.fault(kind);
        // Frames at the log's end that are gone look like commits that never came to be; they
        // alone may be lost, and not where a closed primary is complete without them.
        let tail = !matches!(damage, Damage::RotPrimary { .. } | Damage::RemoveLog);
        let legal = Legal {
            model: &now.model,
            least: if self.closed || !tail { now.bounds.shown } else { 0 },
            refuse: !(self.closed && damage == Damage::RemoveLog),
            report: matches!(damage, Damage::RotLog { .. }),
            label,
        };
        let shown = now.bounds.shown;
        let found = self.try_open(&disk, &legal, shown);
        self.note(&format!("trial {:x}", disk.trace_hash()));
        let fell_back = found?;
        self.tally.exceptions += u64::from(fell_back && legal.report);
        Ok(())
    }

    /// Whether there was something to damage, what it counts as, and what to call it.
    fn do_damage(
        &self,
        disk: &SimVfs,
        damage: Damage,
        log_bytes: u64,
    ) -> (bool, &'static str, &'static str) {
        match damage {
            Damage::CutLog(len) => {
                (len < log_bytes && disk.cut_file(&self.log, len), "partial log", "a cut log")
            }
            Damage::ZeroLog { from, to } => {
                let range = from.min(log_bytes)..to.min(log_bytes);
                let done = !range.is_empty() && disk.zero_file(&self.log, range);
                (done, "partial log", "a log with a hole")
            }
            Damage::RepeatLog { from, to, at } => {
                let range = from.min(log_bytes)..to.min(log_bytes);
                let some = !range.is_empty() && at < log_bytes;
                let done = some && disk.duplicate_range(&self.log, range, at);
                (done, "partial log", "a log with a repetition")
            }
            Damage::RemoveLog => (disk.remove_file(&self.log), "partial log", "no log"),
            Damage::RotPrimary { offset, mask } => {
                (disk.flip(&self.primary, offset, mask), "rot at rest", "a rotten primary")
            }
            Damage::RotLog { offset, mask } => {
                (disk.flip(&self.log, offset, mask), "rot at rest", "a rotten log")
            }
        }
    }

    /// Opens the files of a trial and reads everything, twice. Says whether the database fell
    /// back below what was shown.
    fn try_open(&self, disk: &SimVfs, legal: &Legal<'_>, shown: u64) -> Check<bool> {
        let excuses = Excuses { media: legal.refuse, ..Excuses::default() };
        let mut fell_back = false;
        for _ in 0..2 {
            let opened = open_on(disk, self.options(Open::default()));
            let db = match opened {
                Ok(db) => db,
                Err(error) if legal.refuse && excuses.cover(&error) => return Ok(fell_back),
                Err(error) => return Err(excuses.stop(legal.label, &error)),
            };
            let head = excuses.take(legal.label, db.head())?;
            if head > legal.model.head() {
                let what = format!("head is {head}, begun {}", legal.model.head());
                return fail(Kind::Invented, legal.label, what);
            }
            let report = db.recovery_report();
            let silent = report.frames_discarded == 0 && report.bytes_discarded == 0;
            if head < legal.least || (head < shown && legal.report && silent && !fell_back) {
                let what = format!("head is {head}, shown {shown}; nothing said");
                return fail(Kind::Lost, legal.label, what);
            }
            fell_back |= head < shown;
            // Damage that is met while reading ends the reading.
            let read = everything(&db, legal.model, head, &excuses);
            match read.and_then(|()| checked(&db, &excuses)) {
                Err(Stop::Excused) | Ok(()) => {}
                Err(failed) => return Err(failed),
            }
            drop_quietly(db, disk);
        }
        Ok(fell_back)
    }
}

/// Drops the handle and, as a new process will, forgets its locks.
fn drop_quietly(db: Db, disk: &SimVfs) {
    drop(db);
    disk.kill();
}
