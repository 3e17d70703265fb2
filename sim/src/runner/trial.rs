//! What-if: the files as they are now, damaged or mixed with older ones, opened in a world of
//! their own. The run itself goes on untouched, so its oracle stays strict.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hexxladb::vfs::sim::SimVfs;
use hexxladb::vfs::{FileExt, OpenMode, Vfs};

use super::patient::{Legal, Patient};
use super::{PRIMARY, World};
use crate::model::{Mark, Model};
use crate::op::{Damage, Files, Slot};
use crate::oracle::{Bounds, Check};

/// The header slots of a primary: four blocks.
const HEADER_BYTES: usize = 4 * 4096;

/// Copies of both files, as a process would have read them, and what they stood for.
#[derive(Clone)]
pub(super) struct Stash {
    primary: Option<Vec<u8>>,
    log: Option<Vec<u8>>,
    changelog: Segments,
    model: Model,
    bounds: Bounds,
}

/// Files of a changelog, by their paths.
type Segments = BTreeMap<PathBuf, Vec<u8>>;

/// The paths of the changelog's files, as a process would find them.
pub(super) fn segments(disk: &SimVfs) -> Vec<PathBuf> {
    let primary = Path::new(PRIMARY);
    let start = format!("{}-changelog", primary.file_name().unwrap_or_default().to_string_lossy());
    let names = primary.parent().and_then(|dir| disk.list(dir).ok()).unwrap_or_default();
    let ours = names.into_iter().filter(|name| name.to_string_lossy().starts_with(&start));
    let mut paths: Vec<_> = ours.map(|name| primary.with_file_name(name)).collect();
    paths.sort();
    paths
}

/// A file as a process would read it now.
fn cached(disk: &SimVfs, path: &Path) -> Option<Vec<u8>> {
    let file = disk.open(path, OpenMode::Read).ok()?;
    let mut bytes = vec![0; file.len().ok()? as usize];
    file.read_exact_at(0, &mut bytes).ok()?;
    Some(bytes)
}

const NOTHING: Mark = Mark { head: 0, changes: 0, removed: 0 };

/// What mixed files may lead to.
const MIXED: Legal = Legal {
    least: NOTHING,
    refuse: true,
    report: false,
    create: false,
    loose: true,
    label: "mixed files",
};

impl World {
    fn copy(&self) -> Stash {
        let disk = self.disk.fork();
        disk.heal();
        Stash {
            primary: cached(&disk, &self.primary),
            log: cached(&disk, &self.log),
            changelog: segments(&disk)
                .into_iter()
                .filter_map(|path| cached(&disk, &path).map(|bytes| (path, bytes)))
                .collect(),
            model: self.model.clone(),
            bounds: self.bounds,
        }
    }

    /// Notes what the newest header tells of, if this step wrote it.
    pub(super) fn watch_header(&mut self, told: Mark) {
        if self.stashes.is_empty() {
            return;
        }
        let primary = self.disk.read_file(&self.primary).unwrap_or_default();
        let header = primary[..primary.len().min(HEADER_BYTES)].to_vec();
        if header != self.header {
            self.header = header;
            self.header_shown = told;
        }
    }

    pub(super) fn stash(&mut self, slot: Slot) {
        let copy = self.copy();
        if self.stashes.is_empty() {
            let primary = self.disk.read_file(&self.primary).unwrap_or_default();
            self.header = primary[..primary.len().min(HEADER_BYTES)].to_vec();
            self.header_shown = Mark::default();
        }
        self.stashes.insert(slot, copy);
    }

    /// A new disk with these files.
    fn disk_of(
        &self,
        primary: Option<&Vec<u8>>,
        log: Option<&Vec<u8>>,
        changelog: &Segments,
    ) -> SimVfs {
        let disk = SimVfs::with_sector_bytes(self.setup.disk_seed ^ 1, self.setup.sector_bytes);
        disk.set_tick_nanos(0);
        if let Some(bytes) = primary {
            disk.write_file(&self.primary, bytes);
        }
        if let Some(bytes) = log {
            disk.write_file(&self.log, bytes);
        }
        for (path, bytes) in changelog {
            disk.write_file(path, bytes);
        }
        disk
    }

    /// Older files in the place of one or both of the present ones.
    pub(super) fn restore(&mut self, slot: Slot, files: Files) -> Check {
        let Some(old) = self.stashes.get(&slot).cloned() else { return Ok(()) };
        let now = self.copy();
        let (primary, log, changelog) = match files {
            Files::Primary => (&old.primary, &now.log, &now.changelog),
            Files::Log => (&now.primary, &old.log, &now.changelog),
            Files::Both => (&old.primary, &old.log, &now.changelog),
            Files::Changelog => (&now.primary, &now.log, &old.changelog),
            Files::All => (&old.primary, &old.log, &old.changelog),
        };
        // The older files alone are a whole older state, and a changelog that tells of more, or of
        // less, is another one's.
        let strange = *changelog != if files == Files::Changelog { &now } else { &old }.changelog;
        if !old.bounds.created || primary.is_none() || log.is_none() || self.excuses().damaged() {
            return Ok(());
        }
        self.tally.fault("mixed files");
        let head_of = |stash: &Stash| {
            stash.primary.as_ref().map(|bytes| bytes[..bytes.len().min(HEADER_BYTES)].to_vec())
        };
        // With the headers as they were, the older files are a whole older state, and nothing
        // can tell it from that state.
        let whole = matches!(files, Files::Both | Files::All)
            || (files == Files::Log && head_of(&old) == head_of(&now));
        let (stands_for, legal) = if whole {
            let least = old.bounds.shown;
            (&old, Legal { least, refuse: strange, loose: strange, ..MIXED })
        } else if files == Files::Changelog {
            (&now, Legal { least: now.bounds.shown, refuse: strange, loose: strange, ..MIXED })
        } else {
            // An older log lacks what was committed since; the newest header tells of all that
            // was there when it was written.
            let known = if files == Files::Log { self.header_shown } else { now.bounds.shown };
            (&now, Legal { least: known.min(now.bounds.shown), ..MIXED })
        };
        let patient = self.patient(stands_for, primary.as_ref(), log.as_ref(), changelog);
        let verdict = patient.try_open(&patient.disk, &legal);
        self.note(&format!("trial {:x}", patient.disk.trace_hash()));
        verdict.map(drop)
    }

    /// The files as they are now, at rest; none while the medium is damaged.
    #[must_use]
    pub fn files_at_rest(&self) -> Option<Patient> {
        let now = self.copy();
        if !now.bounds.created || self.excuses().damaged() || now.log.is_none() {
            return None;
        }
        Some(self.patient(&now, now.primary.as_ref(), now.log.as_ref(), &now.changelog))
    }

    fn patient(
        &self,
        stands_for: &Stash,
        primary: Option<&Vec<u8>>,
        log: Option<&Vec<u8>>,
        changelog: &Segments,
    ) -> Patient {
        Patient {
            setup: self.setup,
            disk: self.disk_of(primary, log, changelog),
            model: stands_for.model.clone(),
            bounds: stands_for.bounds,
            closed: self.closed,
        }
    }

    /// Damage done to a copy of the files as they are now.
    pub(super) fn damage(&mut self, damage: Damage) -> Check {
        let Some(patient) = self.files_at_rest() else { return Ok(()) };
        if let Some(trial) = patient.suffer(damage)? {
            self.tally.fault(trial.kind);
            self.tally.exceptions += u64::from(trial.fell_back);
            self.note(&format!("trial {:x}", trial.hash));
        }
        Ok(())
    }
}
