//! The simulated disk: its files, their names, and the space they take.
//!
//! Knows nothing of faults by number, of processes or of clocks; it does what one operation does
//! and what a power cut does. Files are numbered in order of creation and the numbers are never
//! given again, so a choice that names a file means the same one for ever.

mod edit;
mod listing;
mod power;

use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::Fate;
use super::image::Image;
use super::inode::Inode;
use super::names::{FileId, NameChange, Names};
use crate::OpenMode;
use crate::locks::LockTable;

/// No file is longer; a simulated disk is for small files, and an absurd offset is an error.
const MAX_LEN_BYTES: u64 = 1 << 32;

#[derive(Debug)]
struct Slot {
    inode: Arc<Inode>,
    /// The name it has in the cache view, or had last.
    path: Arc<Path>,
    /// Whether it has a name in the cache view.
    named: bool,
    opens: u32,
    locks: LockTable,
}

#[derive(Debug)]
pub(super) struct Disk {
    sector_bytes: u64,
    slots: Vec<Slot>,
    names: Names,
    /// Counts everything that becomes pending, over all files.
    order: u64,
    free_sectors: Option<u64>,
    keep_history: bool,
}

impl Disk {
    pub(super) fn new(sector_bytes: u32) -> Self {
        Self {
            sector_bytes: u64::from(sector_bytes),
            slots: Vec::new(),
            names: Names::default(),
            order: 0,
            free_sectors: None,
            keep_history: false,
        }
    }

    /// The same disk with no handle open and no lock held.
    pub(super) fn fork(&self) -> Self {
        let slots = self.slots.iter().map(|slot| Slot {
            inode: Arc::clone(&slot.inode),
            path: Arc::clone(&slot.path),
            named: slot.named,
            opens: 0,
            locks: LockTable::default(),
        });
        Self { slots: slots.collect(), names: self.names.clone(), ..*self }
    }

    pub(super) fn sector_bytes(&self) -> u64 {
        self.sector_bytes
    }

    /// Order of the newest change, pending or not.
    pub(super) fn order(&self) -> u64 {
        self.order
    }

    pub(super) fn keep_history(&mut self) {
        self.keep_history = true;
    }

    fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    fn slot(&self, file: FileId) -> &Slot {
        &self.slots[file.0 as usize]
    }

    fn slot_mut(&mut self, file: FileId) -> &mut Slot {
        &mut self.slots[file.0 as usize]
    }

    fn inode(&self, file: FileId) -> &Inode {
        &self.slot(file).inode
    }

    fn inode_mut(&mut self, file: FileId) -> &mut Inode {
        Arc::make_mut(&mut self.slot_mut(file).inode)
    }

    // Names.

    pub(super) fn find(&self, path: &Path) -> Option<FileId> {
        self.names.get(path)
    }

    /// Opens or creates.
    pub(super) fn open(&mut self, path: &Path, mode: OpenMode) -> Result<FileId> {
        let file = match (self.find(path), mode) {
            (Some(_), OpenMode::CreateNew) => return Err(ErrorKind::AlreadyExists.into()),
            (Some(file), _) => file,
            (None, OpenMode::Read | OpenMode::ReadWrite) => {
                return Err(ErrorKind::NotFound.into());
            }
            (None, OpenMode::Create | OpenMode::CreateNew) => self.create(path),
        };
        self.slot_mut(file).opens += 1;
        Ok(file)
    }

    fn create(&mut self, path: &Path) -> FileId {
        let path: Arc<Path> = Arc::from(path);
        let file = self.new_slot(&path);
        let order = self.next_order();
        self.names.change(order, NameChange::Create { file, path });
        file
    }

    fn new_slot(&mut self, path: &Arc<Path>) -> FileId {
        let file = FileId(self.slots.len() as u32);
        self.slots.push(Slot {
            inode: Arc::default(),
            path: Arc::clone(path),
            named: true,
            opens: 0,
            locks: LockTable::default(),
        });
        file
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        let file = self.find(from).ok_or(ErrorKind::NotFound)?;
        if from == to {
            return Ok(());
        }
        if let Some(replaced) = self.find(to) {
            self.unname(replaced);
        }
        let (from, to): (Arc<Path>, Arc<Path>) = (Arc::from(from), Arc::from(to));
        self.slot_mut(file).path = Arc::clone(&to);
        let order = self.next_order();
        self.names.change(order, NameChange::Rename { file, from, to });
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> Result<()> {
        let file = self.find(path).ok_or(ErrorKind::NotFound)?;
        self.unname(file);
        let order = self.next_order();
        self.names.change(order, NameChange::Remove { file, path: Arc::from(path) });
        Ok(())
    }

    /// The file has no name left; without a handle its space is free.
    fn unname(&mut self, file: FileId) {
        self.slot_mut(file).named = false;
        if self.slot(file).opens == 0 {
            self.give_space(self.inode(file).space.taken_sectors());
        }
    }

    /// Names of the files in a directory, sorted.
    pub(super) fn list(&self, dir: &Path) -> Vec<PathBuf> {
        let in_dir = self.names.cached().filter(|(path, _)| path.parent() == Some(dir));
        // Paths in one directory are ordered by their names.
        in_dir.filter_map(|(path, _)| path.file_name()).map(PathBuf::from).collect()
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) {
        self.names.sync(dir);
        self.forget_unreachable();
    }

    pub(super) fn close(&mut self, file: FileId, handle: u64) {
        let slot = self.slot_mut(file);
        slot.locks.release(handle);
        slot.opens -= 1;
        if slot.opens == 0 && !slot.named {
            self.give_space(self.inode(file).space.taken_sectors());
            self.forget_unreachable();
        }
    }

    /// Drops the bytes of files that no name, handle or power cut can bring back.
    fn forget_unreachable(&mut self) {
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            let idle = !slot.named && slot.opens == 0;
            if idle && !self.names.reachable(FileId(index as u32)) {
                self.slots[index].inode = Arc::default();
            }
        }
    }

    // Space.

    pub(super) fn free_sectors(&self) -> Option<u64> {
        self.free_sectors
    }

    pub(super) fn set_free_sectors(&mut self, free: Option<u64>) {
        self.free_sectors = free;
    }

    fn give_space(&mut self, sectors: u64) {
        self.free_sectors = self.free_sectors.map(|free| free.saturating_add(sectors));
    }

    fn take_space(&mut self, sectors: u64) {
        self.free_sectors = self.free_sectors.map(|free| free.saturating_sub(sectors));
    }

    /// Takes space for as many of the bytes as there is; returns how many that is.
    fn reserve(&mut self, file: FileId, offset: u64, end: u64) -> Result<u64> {
        if end > MAX_LEN_BYTES {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let free = self.free_sectors.unwrap_or(u64::MAX);
        let sector = self.sector_bytes;
        let inode = self.inode_mut(file);
        let (bytes, sectors) = inode.space.fitting(offset, end, free, sector);
        if bytes == 0 && end > offset {
            return Err(ErrorKind::StorageFull.into());
        }
        inode.space.take(offset, offset + bytes, sector);
        self.take_space(sectors);
        Ok(bytes)
    }

    // One file.

    pub(super) fn len(&self, file: FileId) -> u64 {
        self.inode(file).cache.len_bytes
    }

    pub(super) fn cached(&self, file: FileId) -> &Image {
        &self.inode(file).cache
    }

    pub(super) fn durable(&self, file: FileId) -> &Image {
        &self.inode(file).durable
    }

    /// The file as it was before its last `age` syncs, or as far back as is known.
    pub(super) fn stale(&self, file: FileId, age: u32) -> Option<&Image> {
        let inode = self.inode(file);
        (1..=age).rev().find_map(|age| inode.earlier(age))
    }

    /// Writes as much as there is space for; returns how much that is.
    pub(super) fn write(
        &mut self,
        file: FileId,
        offset: u64,
        bytes: &[u8],
        fate: Fate,
    ) -> Result<usize> {
        let end = offset.checked_add(bytes.len() as u64).ok_or(ErrorKind::FileTooLarge)?;
        let count = self.reserve(file, offset, end)? as usize;
        if count > 0 {
            let (order, sector) = (self.next_order(), self.sector_bytes);
            self.inode_mut(file).write(order, offset, &bytes[..count], fate, sector);
        }
        Ok(count)
    }

    pub(super) fn set_len(&mut self, file: FileId, len: u64) -> Result<()> {
        if len > MAX_LEN_BYTES {
            return Err(ErrorKind::FileTooLarge.into());
        }
        if len == self.len(file) {
            return Ok(());
        }
        let (order, sector) = (self.next_order(), self.sector_bytes);
        let inode = self.inode_mut(file);
        let before = inode.space.taken_sectors();
        inode.set_len(order, len, sector);
        let released = before - inode.space.taken_sectors();
        self.give_space(released);
        Ok(())
    }

    pub(super) fn allocate(&mut self, file: FileId, len: u64) -> Result<()> {
        if len > MAX_LEN_BYTES {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let free = self.free_sectors.unwrap_or(u64::MAX);
        let (fits, sectors) = self.inode(file).space.fitting(0, len, free, self.sector_bytes);
        if fits < len {
            return Err(ErrorKind::StorageFull.into());
        }
        let sector = self.sector_bytes;
        self.inode_mut(file).space.take(0, len, sector);
        self.take_space(sectors);
        if len > self.len(file) { self.set_len(file, len) } else { Ok(()) }
    }

    pub(super) fn sync(&mut self, file: FileId, metadata: bool) {
        let (history, sector) = (self.keep_history, self.sector_bytes);
        if self.inode(file).pending().is_empty() {
            return;
        }
        for stray in self.inode_mut(file).sync(metadata, history, sector) {
            if let Some(slot) = self.slots.get_mut(stray.file.0 as usize) {
                let inode = Arc::make_mut(&mut slot.inode);
                inode.damage(stray.offset, &stray.bytes, stray.evict, sector);
            }
        }
    }

    pub(super) fn fail_sync(&mut self, file: FileId, revert: bool, seed: u64) {
        let sector = self.sector_bytes;
        if !self.inode(file).pending().is_empty() {
            self.inode_mut(file).fail_sync(revert, seed, sector);
        }
    }

    pub(super) fn locks(&mut self, file: FileId) -> &mut LockTable {
        &mut self.slot_mut(file).locks
    }

    /// Flips bits of a durable byte, and of what reads see unless something newer is cached.
    /// `false` if there is no such byte.
    pub(super) fn rot(&mut self, path: &Path, offset: u64, mask: u8) -> bool {
        let sector = self.sector_bytes;
        let Some(file) = self.find(path) else { return false };
        if offset >= self.durable(file).len_bytes {
            return false;
        }
        let mut byte = [0];
        self.durable(file).get(offset, &mut byte);
        self.inode_mut(file).damage(offset, &[byte[0] ^ mask], true, sector);
        true
    }

    /// Named files with durable bytes, with the length of these.
    pub(super) fn non_empty(&self) -> Vec<(Arc<Path>, u64)> {
        let files = self.names.cached();
        let with_len = files.map(|(path, file)| (Arc::clone(path), self.durable(file).len_bytes));
        with_len.filter(|&(_, len)| len > 0).collect()
    }
}
