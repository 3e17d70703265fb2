//! A file system that counts how often it is asked to make something durable, whatever the file.

use std::io::{IoSlice, IoSliceMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hexxladb::vfs::{Clock, Entropy, File, LockKind, LockOutcome, OpenMode, RealVfs, Result, Vfs};

/// The operating system's files, with their syncs counted.
#[derive(Debug, Default)]
pub(super) struct Counting {
    real: RealVfs,
    syncs: Arc<AtomicU64>,
}

impl Counting {
    /// Syncs of files so far.
    pub(super) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

impl Vfs for Counting {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn File>> {
        let file = self.real.open(path, mode)?;
        Ok(Arc::new(Counted { file, syncs: Arc::clone(&self.syncs) }))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.real.exists(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.real.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.real.remove(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        self.real.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.real.sync_dir(dir)
    }

    fn free_space(&self, dir: &Path) -> Result<Option<u64>> {
        self.real.free_space(dir)
    }

    fn clock(&self) -> &dyn Clock {
        self.real.clock()
    }

    fn entropy(&self) -> &dyn Entropy {
        self.real.entropy()
    }
}

#[derive(Debug)]
struct Counted {
    file: Arc<dyn File>,
    syncs: Arc<AtomicU64>,
}

impl File for Counted {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        self.file.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> Result<usize> {
        self.file.write_at(offset, buf)
    }

    fn read_vectored_at(&self, offset: u64, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
        self.file.read_vectored_at(offset, bufs)
    }

    fn write_vectored_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<usize> {
        self.file.write_vectored_at(offset, bufs)
    }

    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, len: u64) -> Result<()> {
        self.file.allocate(len)
    }

    fn sync_data(&self) -> Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.file.sync_data()
    }

    fn sync_all(&self) -> Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.file.sync_all()
    }

    fn try_lock(&self, kind: LockKind) -> Result<LockOutcome> {
        self.file.try_lock(kind)
    }

    fn sector_bytes(&self) -> u32 {
        self.file.sector_bytes()
    }
}
