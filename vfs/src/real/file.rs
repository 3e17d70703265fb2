//! One open file of the operating system: positioned I/O on a descriptor without a cursor.
//!
//! A handle opened for reading refuses to write before the system is asked, so that the error is
//! the same kind everywhere. The lock lives on the open file description; it is given up before
//! the handle closes, since a child process being started may hold a copy of the descriptor.

use std::fs::{File as StdFile, OpenOptions, TryLockError};
use std::io::{IoSlice, IoSliceMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{allocate, holder};
use crate::{Error, ErrorKind, File, LockKind, LockOutcome, Op, OpenMode, Result};

/// What every disk of the last decades writes atomically at least; larger physical sectors
/// cannot be told from here without trusting what virtual devices report.
const SECTOR_BYTES: u32 = 512;

#[derive(Debug)]
pub(super) struct RealFile {
    path: PathBuf,
    file: StdFile,
    writable: bool,
    locked: AtomicBool,
}

impl RealFile {
    pub(super) fn open(path: &Path, mode: OpenMode) -> Result<Self> {
        let writable = mode != OpenMode::Read;
        let mut options = OpenOptions::new();
        options.read(true).write(writable);
        match mode {
            OpenMode::Read | OpenMode::ReadWrite => {}
            OpenMode::Create => {
                options.create(true);
            }
            OpenMode::CreateNew => {
                options.create_new(true);
            }
        }
        let file = options.open(path).map_err(|source| Error::new(Op::Open, path, source))?;
        Ok(Self { path: path.to_path_buf(), file, writable, locked: AtomicBool::new(false) })
    }

    fn error(&self, op: Op, source: std::io::Error) -> Error {
        Error::new(op, &self.path, source)
    }

    fn check_writable(&self, op: Op) -> Result<()> {
        if self.writable {
            Ok(())
        } else {
            Err(Error::from_kind(op, &self.path, ErrorKind::PermissionDenied))
        }
    }
}

impl Drop for RealFile {
    fn drop(&mut self) {
        if *self.locked.get_mut() {
            // Closing would do, but for copies of the descriptor; so a failure costs little.
            let _ = self.file.unlock();
        }
    }
}

impl File for RealFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        positioned::read(&self.file, offset, buf).map_err(|source| self.error(Op::Read, source))
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> Result<usize> {
        self.check_writable(Op::Write)?;
        positioned::write(&self.file, offset, buf).map_err(|source| self.error(Op::Write, source))
    }

    fn read_vectored_at(&self, offset: u64, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
        positioned::read_vectored(&self.file, offset, bufs)
            .map_err(|source| self.error(Op::Read, source))
    }

    fn write_vectored_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<usize> {
        self.check_writable(Op::Write)?;
        positioned::write_vectored(&self.file, offset, bufs)
            .map_err(|source| self.error(Op::Write, source))
    }

    fn len(&self) -> Result<u64> {
        let metadata = self.file.metadata().map_err(|source| self.error(Op::Len, source))?;
        Ok(metadata.len())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.check_writable(Op::SetLen)?;
        self.file.set_len(len).map_err(|source| self.error(Op::SetLen, source))
    }

    fn allocate(&self, len: u64) -> Result<()> {
        self.check_writable(Op::Allocate)?;
        allocate::allocate(&self.file, len).map_err(|source| self.error(Op::Allocate, source))
    }

    fn sync_data(&self) -> Result<()> {
        self.file.sync_data().map_err(|source| self.error(Op::SyncData, source))
    }

    fn sync_all(&self) -> Result<()> {
        self.file.sync_all().map_err(|source| self.error(Op::SyncAll, source))
    }

    fn try_lock(&self, kind: LockKind) -> Result<LockOutcome> {
        let taken = match kind {
            LockKind::Shared => self.file.try_lock_shared(),
            LockKind::Exclusive => self.file.try_lock(),
        };
        match taken {
            Ok(()) => {
                self.locked.store(true, Ordering::Relaxed);
                Ok(LockOutcome::Acquired)
            }
            Err(TryLockError::WouldBlock) => {
                Ok(LockOutcome::Held { holder: holder::find(&self.file) })
            }
            Err(TryLockError::Error(source)) => Err(self.error(Op::Lock, source)),
        }
    }

    fn sector_bytes(&self) -> u32 {
        SECTOR_BYTES
    }
}

/// Positioned calls of Unix.
#[cfg(unix)]
pub(super) mod positioned {
    use std::fs::File;
    use std::io::{IoSlice, IoSliceMut, Result};
    use std::os::unix::fs::FileExt;

    /// Buffers per vectored call that every Unix accepts (`IOV_MAX` is 1024 or more wherever the
    /// standard library runs); the rest is a short count.
    const MAX_BUFS: usize = 1024;

    pub(in super::super) fn read(file: &File, offset: u64, buf: &mut [u8]) -> Result<usize> {
        file.read_at(buf, offset)
    }

    pub(in super::super) fn write(file: &File, offset: u64, buf: &[u8]) -> Result<usize> {
        file.write_at(buf, offset)
    }

    pub(super) fn read_vectored(
        file: &File,
        offset: u64,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Result<usize> {
        let count = bufs.len().min(MAX_BUFS);
        Ok(rustix::io::preadv(file, &mut bufs[..count], offset)?)
    }

    pub(super) fn write_vectored(file: &File, offset: u64, bufs: &[IoSlice<'_>]) -> Result<usize> {
        let count = bufs.len().min(MAX_BUFS);
        Ok(rustix::io::pwritev(file, &bufs[..count], offset)?)
    }
}

/// Positioned calls of Windows; a vectored call serves its first non-empty buffer, a short count.
#[cfg(windows)]
pub(super) mod positioned {
    use std::fs::File;
    use std::io::{IoSlice, IoSliceMut, Result};
    use std::os::windows::fs::FileExt;

    pub(in super::super) fn read(file: &File, offset: u64, buf: &mut [u8]) -> Result<usize> {
        file.seek_read(buf, offset)
    }

    pub(in super::super) fn write(file: &File, offset: u64, buf: &[u8]) -> Result<usize> {
        file.seek_write(buf, offset)
    }

    pub(super) fn read_vectored(
        file: &File,
        offset: u64,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Result<usize> {
        match bufs.iter_mut().find(|buf| !buf.is_empty()) {
            Some(buf) => read(file, offset, buf),
            None => Ok(0),
        }
    }

    pub(super) fn write_vectored(file: &File, offset: u64, bufs: &[IoSlice<'_>]) -> Result<usize> {
        match bufs.iter().find(|buf| !buf.is_empty()) {
            Some(buf) => write(file, offset, buf),
            None => Ok(0),
        }
    }
}
