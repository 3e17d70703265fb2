//! The door between the database engine and the world.
//!
//! Everything the engine does that is not pure computation goes through the traits of this
//! crate: files ([`Vfs`], [`File`]), time ([`Clock`]) and random numbers ([`Entropy`]). Three
//! backends implement them: [`RealVfs`] (the operating system), [`MemoryVfs`] (no file at all)
//! and, behind the feature `sim`, a simulated disk that loses power, fails and lies on command.
//!
//! # The durability contract
//!
//! What a backend promises, and no more:
//!
//! * After [`File::sync_data`] returns `Ok`, the bytes written before it, and the length needed
//!   to read them, survive a power cut.
//! * A directory entry (create, rename, remove) survives only after [`Vfs::sync_dir`].
//! * Writes that were not synced may survive in any subset and any order, torn at sector
//!   boundaries.
//! * A failed sync promises nothing about *any* earlier un-synced write, and a later `Ok` does
//!   not cover it.
//! * Short reads and writes are legal, as is [`ErrorKind::Interrupted`]; [`FileExt`] completes
//!   them.

/// The README's example runs with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod error;
mod file_ext;
mod locks;
mod memory;
mod os;
mod real;
#[cfg(feature = "sim")]
pub mod sim;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::{Error, ErrorKind, Op, Result};
pub use file_ext::FileExt;
pub use memory::MemoryVfs;
pub use real::RealVfs;

/// How [`Vfs::open`] opens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Existing file, reading only. Writing through such a handle is an error.
    Read,
    /// Existing file, reading and writing.
    ReadWrite,
    /// Existing or new file, reading and writing.
    Create,
    /// New file, reading and writing; [`ErrorKind::AlreadyExists`] if there is one.
    CreateNew,
}

/// The two kinds of advisory lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Any number of holders, none of them exclusive.
    Shared,
    /// One holder.
    Exclusive,
}

/// The answer to [`File::try_lock`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockOutcome {
    /// The lock is held until the file handle is dropped.
    Acquired,
    /// Somebody else holds it; `holder` names the process where the system tells it.
    Held {
        /// Process id of the holder, where the system tells it.
        holder: Option<u32>,
    },
}

/// A place where files live.
///
/// Object-safe and synchronous. Implementations are shared between threads. Paths are compared
/// as given: callers that want one name for one file pass absolute paths.
pub trait Vfs: Send + Sync + std::fmt::Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::AlreadyExists`], or what the system says.
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn File>>;

    /// Whether a file of this name exists.
    ///
    /// # Errors
    /// What the system says when it cannot tell.
    fn exists(&self, path: &Path) -> Result<bool>;

    /// Gives `from` the name `to`, replacing a file of that name atomically. Durable after
    /// [`Vfs::sync_dir`] of the parent.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], or what the system says.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes a name. Open handles keep working. Durable after [`Vfs::sync_dir`].
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], or what the system says.
    fn remove(&self, path: &Path) -> Result<()>;

    /// Names of the files in a directory (without the directory's), sorted. Backends without
    /// directories list nothing for one that holds no file.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, dir: &Path) -> Result<Vec<PathBuf>>;

    /// Makes earlier creates, renames and removes in `dir` durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_dir(&self, dir: &Path) -> Result<()>;

    /// Free space in bytes for files in `dir`; `None` where the system does not tell.
    ///
    /// # Errors
    /// What the system says.
    fn free_space(&self, dir: &Path) -> Result<Option<u64>>;

    /// The clock that belongs to this world.
    fn clock(&self) -> &dyn Clock;

    /// The source of random bytes that belongs to this world.
    fn entropy(&self) -> &dyn Entropy;
}

/// An open file: positioned reads and writes, no cursor.
pub trait File: Send + Sync + std::fmt::Debug {
    /// The path this handle was opened with.
    fn path(&self) -> &Path;

    /// Reads at most `buf.len()` bytes at `offset`; fewer are legal, 0 only at or past the end
    /// (or for an empty buffer).
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] (try again), or what the system says.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize>;

    /// Writes at most `buf.len()` bytes at `offset`, extending the file where needed (a gap
    /// reads as zeros); fewer are legal, 0 is not unless `buf` is empty.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] (try again), [`ErrorKind::StorageFull`], or what the system
    /// says. After an error any part of `buf` may have been written.
    fn write_at(&self, offset: u64, buf: &[u8]) -> Result<usize>;

    /// [`File::read_at`] into several buffers in turn.
    ///
    /// # Errors
    /// As [`File::read_at`].
    fn read_vectored_at(&self, offset: u64, bufs: &mut [std::io::IoSliceMut<'_>]) -> Result<usize>;

    /// [`File::write_at`] from several buffers in turn.
    ///
    /// # Errors
    /// As [`File::write_at`].
    fn write_vectored_at(&self, offset: u64, bufs: &[std::io::IoSlice<'_>]) -> Result<usize>;

    /// Length in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn len(&self) -> Result<u64>;

    /// Whether the length is zero.
    ///
    /// # Errors
    /// As [`File::len`].
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts or extends (with zeros) to `len` bytes. Not durable before [`File::sync_all`].
    ///
    /// # Errors
    /// [`ErrorKind::StorageFull`], or what the system says.
    fn set_len(&self, len: u64) -> Result<()>;

    /// Reserves space so that the file has at least `len` bytes (zeros) and writing below `len`
    /// does not run out of space, as far as the system can promise it.
    ///
    /// # Errors
    /// [`ErrorKind::StorageFull`], or what the system says.
    fn allocate(&self, len: u64) -> Result<()>;

    /// Makes the bytes written so far, and the length needed to read them, durable.
    ///
    /// # Errors
    /// What the system says. After an error nothing is known about any un-synced write, and
    /// calling again does not help.
    fn sync_data(&self) -> Result<()>;

    /// [`File::sync_data`] and all metadata of the file.
    ///
    /// # Errors
    /// As [`File::sync_data`].
    fn sync_all(&self) -> Result<()>;

    /// Takes an advisory lock on the file, without waiting, until the handle is dropped.
    ///
    /// # Errors
    /// What the system says; a held lock is not an error but [`LockOutcome::Held`].
    fn try_lock(&self, kind: LockKind) -> Result<LockOutcome>;

    /// Size in bytes of what the device writes atomically.
    fn sector_bytes(&self) -> u32;
}

/// Wall and monotonic time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Nanoseconds since 1970-01-01 UTC. May stand still, jump or step back.
    fn wall_nanos(&self) -> i64;

    /// Nanoseconds from an arbitrary start; never decreases.
    fn monotonic_nanos(&self) -> u64;
}

/// Random bytes for identities (not for keys in the simulator, where they repeat by seed).
pub trait Entropy: Send + Sync + std::fmt::Debug {
    /// Fills `buf` with random bytes.
    ///
    /// # Errors
    /// What the system says.
    fn fill(&self, buf: &mut [u8]) -> Result<()>;
}
