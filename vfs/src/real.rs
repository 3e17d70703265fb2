//! The operating system's files.
//!
//! Every method is one system call where the system has one; errors carry the path and what was
//! tried. Nothing is cached here: what a handle knows is its path and whether it may write.

mod allocate;
mod directory;
mod file;
mod holder;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::os::{OsClock, OsEntropy};
use crate::{Clock, Entropy, Error, File, Op, OpenMode, Result, Vfs};

/// The files, clock and random numbers of the operating system.
///
/// ```
/// use hexxladb_vfs::{FileExt, OpenMode, RealVfs, Vfs};
///
/// # let dir = tempfile::tempdir()?;
/// let vfs = RealVfs::new();
/// let path = dir.path().join("greeting");
/// let file = vfs.open(&path, OpenMode::CreateNew)?;
/// file.write_all_at(0, b"hello")?;
/// file.sync_data()?; // the bytes survive a power cut …
/// vfs.sync_dir(dir.path())?; // … and so does the name
/// assert_eq!(file.len()?, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RealVfs {
    clock: OsClock,
    entropy: OsEntropy,
}

impl RealVfs {
    /// The world as it is. Its monotonic clock starts at zero here.
    #[must_use]
    pub fn new() -> Self {
        Self { clock: OsClock::new(), entropy: OsEntropy }
    }
}

impl Default for RealVfs {
    fn default() -> Self {
        Self::new()
    }
}

impl Vfs for RealVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn File>> {
        Ok(Arc::new(file::RealFile::open(path, mode)?))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        path.try_exists().map_err(|source| Error::new(Op::Exists, path, source))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to).map_err(|source| Error::new(Op::Rename, from, source))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path).map_err(|source| Error::new(Op::Remove, path, source))
    }

    fn list(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        directory::list(dir).map_err(|source| Error::new(Op::List, dir, source))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        directory::sync(dir).map_err(|source| Error::new(Op::SyncDir, dir, source))
    }

    fn free_space(&self, dir: &Path) -> Result<Option<u64>> {
        directory::free_space(dir).map_err(|source| Error::new(Op::FreeSpace, dir, source))
    }

    fn clock(&self) -> &dyn Clock {
        &self.clock
    }

    fn entropy(&self) -> &dyn Entropy {
        &self.entropy
    }
}
