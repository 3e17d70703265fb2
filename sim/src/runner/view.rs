//! Where a run stands, as whoever draws its next operation must know it.

use std::path::PathBuf;

use super::World;
use crate::op::{Key, Slot};
use crate::random::Random;

/// Bytes that are looked at together.
const GRAIN_BYTES: usize = 16;

/// A file as it lies on the disk.
#[derive(Clone, Debug, Default)]
pub struct FileView {
    /// Its name.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Where it holds anything but zeros, in grains.
    used: Vec<u64>,
}

impl FileView {
    /// A file with these contents.
    #[must_use]
    pub fn new(path: &str, contents: &[u8]) -> Self {
        let grains = contents.chunks(GRAIN_BYTES).enumerate();
        let used = grains.filter(|(_, grain)| grain.iter().any(|byte| *byte != 0));
        Self {
            path: path.to_owned(),
            bytes: contents.len() as u64,
            used: used.map(|(index, _)| (index * GRAIN_BYTES) as u64).collect(),
        }
    }

    /// The place of a byte below `end`; mostly of one that means something.
    pub fn place(&self, random: &mut Random, end: u64) -> u64 {
        let end = end.min(self.bytes).max(1);
        let used = &self.used[..self.used.partition_point(|place| *place < end)];
        if used.is_empty() || random.percent(15) {
            return random.below(end);
        }
        random.pick(used) + random.below(GRAIN_BYTES as u64)
    }
}

/// Where a run stands, for whoever draws its next operation.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
pub struct View {
    /// A handle is open.
    pub open: bool,
    /// It only reads.
    pub read_only: bool,
    /// A write transaction is open.
    pub in_tx: bool,
    /// Commits that were not waited for.
    pub waiting: Vec<Slot>,
    /// Snapshots that are held.
    pub snapshots: Vec<Slot>,
    /// Differences that are being read.
    pub diffs: Vec<Slot>,
    /// Snapshot tags.
    pub tags: Vec<Key>,
    /// The prune floor.
    pub floor: u64,
    /// Copies that were put aside.
    pub stashes: Vec<Slot>,
    /// The newest commit begun.
    pub head: u64,
    /// The wall clock.
    pub clock_nanos: i64,
    /// Faults have fired under this handle, so that it may refuse to write.
    pub poisoned: bool,
    /// Faults are armed or persist.
    pub disturbed: bool,
    /// Operations go on failing.
    pub stuck: bool,
    /// The database exists.
    pub created: bool,
    /// The primary.
    pub primary: FileView,
    /// The log.
    pub log: FileView,
    /// The changelog's files.
    pub changelog: Vec<FileView>,
    /// Followers of the changelog.
    pub follows: Vec<Slot>,
    /// Size of what the disk writes atomically.
    pub sector_bytes: u32,
}

impl World {
    /// Where the run stands.
    #[must_use]
    pub fn view(&self) -> View {
        let session = self.session.as_ref();
        let keys = |slots: Option<Vec<Slot>>| slots.unwrap_or_default();
        let stuck = self.failing || self.disk.free_sectors().is_some();
        let file = |path: &PathBuf| {
            FileView::new(&path.to_string_lossy(), &self.disk.read_file(path).unwrap_or_default())
        };
        View {
            open: session.is_some(),
            read_only: session.is_some_and(|session| session.read_only),
            in_tx: session.is_some_and(|session| session.tx.is_some()),
            waiting: keys(session.map(|session| session.waiting.keys().copied().collect())),
            snapshots: keys(session.map(|session| session.snapshots.keys().copied().collect())),
            diffs: keys(session.map(|session| session.diffs.keys().copied().collect())),
            tags: session.map_or_else(Vec::new, |session| {
                session.upkeep.tags.keys().map(|name| Key::from(name.as_str())).collect()
            }),
            floor: session.map_or(0, |session| session.upkeep.floor),
            stashes: self.stashes.keys().copied().collect(),
            head: self.model.head(),
            clock_nanos: self.clock_nanos(),
            poisoned: session.is_some_and(|session| session.unknown || self.excuses().poisoned()),
            disturbed: self.armed,
            stuck,
            created: self.bounds.created,
            primary: file(&self.primary),
            log: file(&self.log),
            changelog: self.segments_at_rest().iter().map(file).collect(),
            follows: keys(session.map(|session| session.follows.keys().copied().collect())),
            sector_bytes: self.setup.sector_bytes,
        }
    }
}
