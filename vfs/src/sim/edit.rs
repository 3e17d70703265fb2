//! Changing the bytes of files while nothing runs, as with the disk in another machine: damaged,
//! cut and mixed-up files.
//!
//! Meant for the time between a power cut (or a clean close) and the next open. What is changed
//! is durable at once and in the cache view too; whatever was pending for that file is gone.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::fault::FaultKind;
use super::vfs::SimVfs;

impl SimVfs {
    /// Durable names, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        self.world.lock().disk.durable_names()
    }

    /// Durable bytes of a file; `None` if there is none of this name.
    pub fn read_file(&self, path: &Path) -> Option<Vec<u8>> {
        self.world.lock().disk.read_file(path)
    }

    /// Replaces the file, or makes it.
    pub fn write_file(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.world.lock();
        state.disk.write_file(path, bytes);
        state.fired.add(FaultKind::Edit);
        state.trace.event(|| {
            let hash = xxhash_rust::xxh3::xxh3_64(bytes);
            format!("edit {} to {} bytes, {hash:016x}", path.display(), bytes.len())
        });
    }

    /// Removes the file; `false` if there is none of this name.
    pub fn remove_file(&self, path: &Path) -> bool {
        let mut state = self.world.lock();
        let removed = state.disk.remove_file(path);
        if removed {
            state.fired.add(FaultKind::Edit);
        }
        state.trace.event(|| format!("edit: remove {}", path.display()));
        removed
    }

    /// Cuts the file to `len` bytes; does nothing if it is not longer.
    pub fn cut_file(&self, path: &Path, len: u64) -> bool {
        self.edit(path, |bytes| bytes.truncate(len as usize))
    }

    /// Zeroes a range, as far as the file goes.
    pub fn zero_file(&self, path: &Path, range: Range<u64>) -> bool {
        self.edit(path, |bytes| {
            let range = clamp(&range, bytes.len());
            bytes[range].fill(0);
        })
    }

    /// Copies a range of the file over the bytes at `to`, lengthening the file where needed.
    pub fn duplicate_range(&self, path: &Path, range: Range<u64>, to: u64) -> bool {
        self.edit(path, |bytes| {
            let copy = bytes[clamp(&range, bytes.len())].to_vec();
            let end = to as usize + copy.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[to as usize..end].copy_from_slice(&copy);
        })
    }

    /// Flips bits of one byte; does nothing past the end.
    pub fn flip(&self, path: &Path, offset: u64, mask: u8) -> bool {
        self.edit(path, |bytes| {
            if let Some(byte) = bytes.get_mut(offset as usize) {
                *byte ^= mask;
            }
        })
    }

    /// Changes the file's bytes in any way; `false` if there is no file of this name.
    pub fn edit(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let Some(mut bytes) = self.read_file(path) else { return false };
        change(&mut bytes);
        self.write_file(path, &bytes);
        true
    }
}

fn clamp(range: &Range<u64>, len: usize) -> Range<usize> {
    let end = (range.end as usize).min(len);
    (range.start as usize).min(end)..end
}
