//! The disk in another machine: its files read and changed while no process runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Disk;

impl Disk {
    /// Durable names, sorted.
    pub(in crate::sim) fn durable_names(&self) -> Vec<PathBuf> {
        self.names.durable().map(|(path, _)| path.to_path_buf()).collect()
    }

    /// Durable bytes.
    pub(in crate::sim) fn read_file(&self, path: &Path) -> Option<Vec<u8>> {
        Some(self.durable(self.names.get_durable(path)?).to_vec())
    }

    /// Replaces a file or makes one, durable at once.
    pub(in crate::sim) fn write_file(&mut self, path: &Path, bytes: &[u8]) {
        let path: Arc<Path> = Arc::from(path);
        let file = match self.names.get_durable(&path) {
            Some(file) => file,
            None => self.new_slot(&path),
        };
        self.names.set_both(&path, Some(file));
        let sector = self.sector_bytes;
        let slot = self.slot_mut(file);
        (slot.named, slot.path) = (true, path);
        self.inode_mut(file).replace(bytes, sector);
    }

    /// Removes a file, durably at once; `false` if there is none.
    pub(in crate::sim) fn remove_file(&mut self, path: &Path) -> bool {
        let Some(file) = self.names.get_durable(path) else { return false };
        self.slot_mut(file).named = false;
        self.names.set_both(&Arc::from(path), None);
        self.forget_unreachable();
        true
    }
}
