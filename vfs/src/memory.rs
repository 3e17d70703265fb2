//! Files that live in memory and die with the last handle: for in-memory databases and tests.
//!
//! Keeps the whole contract except durability, which it trivially lacks. Every directory exists.
//! Makes no file call: time and random bytes come from system calls that open nothing.

mod contents;
mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::os::{OsClock, OsEntropy};
use crate::{Clock, Entropy, Error, ErrorKind, File, Op, OpenMode, Result, Vfs};
use file::{MemoryFile, Node};

/// Files in memory, with the real clock and real random numbers.
///
/// Clones share the same files. A file's bytes live in blocks of 64 KiB, so that growing it
/// copies nothing.
///
/// ```
/// use hexxladb_vfs::{FileExt, MemoryVfs, OpenMode, Vfs};
/// use std::path::Path;
///
/// let vfs = MemoryVfs::new();
/// let file = vfs.open(Path::new("/a"), OpenMode::Create)?;
/// file.write_all_at(2, b"x")?;
/// let mut bytes = [9; 3];
/// file.read_exact_at(0, &mut bytes)?;
/// assert_eq!(&bytes, b"\0\0x");
/// # Ok::<(), hexxladb_vfs::Error>(())
/// ```
#[derive(Clone)]
pub struct MemoryVfs {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for MemoryVfs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryVfs").finish_non_exhaustive()
    }
}

struct Shared {
    names: Mutex<BTreeMap<PathBuf, Arc<Node>>>,
    next_handle: AtomicU64,
    clock: OsClock,
}

impl MemoryVfs {
    /// An empty world.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                names: Mutex::new(BTreeMap::new()),
                next_handle: AtomicU64::new(0),
                clock: OsClock::new(),
            }),
        }
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Arc<Node>>> {
        // Nothing is left half done under this lock, so a panic elsewhere does not spoil it.
        self.shared.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryVfs {
    fn default() -> Self {
        Self::new()
    }
}

impl Vfs for MemoryVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn File>> {
        let mut names = self.names();
        let node = match (names.get(path), mode) {
            (Some(_), OpenMode::CreateNew) => {
                return Err(Error::from_kind(Op::Open, path, ErrorKind::AlreadyExists));
            }
            (Some(node), _) => Arc::clone(node),
            (None, OpenMode::Read | OpenMode::ReadWrite) => {
                return Err(Error::from_kind(Op::Open, path, ErrorKind::NotFound));
            }
            (None, OpenMode::Create | OpenMode::CreateNew) => {
                let node = Arc::new(Node::default());
                names.insert(path.to_path_buf(), Arc::clone(&node));
                node
            }
        };
        let handle = self.shared.next_handle.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(MemoryFile::new(path, node, handle, mode != OpenMode::Read)))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        Ok(self.names().contains_key(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut names = self.names();
        match names.remove(from) {
            Some(node) => {
                names.insert(to.to_path_buf(), node);
                Ok(())
            }
            None => Err(Error::from_kind(Op::Rename, from, ErrorKind::NotFound)),
        }
    }

    fn remove(&self, path: &Path) -> Result<()> {
        match self.names().remove(path) {
            Some(_) => Ok(()),
            None => Err(Error::from_kind(Op::Remove, path, ErrorKind::NotFound)),
        }
    }

    fn list(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let names = self.names();
        let in_dir = names.keys().filter(|path| path.parent() == Some(dir));
        // Paths in one directory are ordered by their names.
        Ok(in_dir.filter_map(|path| path.file_name()).map(Into::into).collect())
    }

    fn sync_dir(&self, _dir: &Path) -> Result<()> {
        Ok(())
    }

    fn free_space(&self, _dir: &Path) -> Result<Option<u64>> {
        Ok(None)
    }

    fn clock(&self) -> &dyn Clock {
        &self.shared.clock
    }

    fn entropy(&self) -> &dyn Entropy {
        &OsEntropy
    }
}
