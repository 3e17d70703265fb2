//! One open file in memory, and the node it shares with the other handles of the same file.

use std::io::{IoSlice, IoSliceMut};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::contents::Contents;
use crate::locks::LockTable;
use crate::{Error, ErrorKind, File, LockKind, LockOutcome, Op, Result};

/// More than any memory holds, little enough that the table of blocks stays affordable.
const MAX_LEN_BYTES: u64 = 1 << 40;

/// A file, whatever its names and handles.
#[derive(Debug, Default)]
pub(super) struct Node {
    contents: RwLock<Contents>,
    locks: Mutex<LockTable>,
}

#[derive(Debug)]
pub(super) struct MemoryFile {
    path: PathBuf,
    node: Arc<Node>,
    handle: u64,
    writable: bool,
}

impl MemoryFile {
    pub(super) fn new(path: &Path, node: Arc<Node>, handle: u64, writable: bool) -> Self {
        Self { path: path.to_path_buf(), node, handle, writable }
    }

    fn contents(&self) -> RwLockReadGuard<'_, Contents> {
        self.node.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The contents to be changed, after the checks that every change has in common.
    fn contents_mut(&self, op: Op, end: Option<u64>) -> Result<RwLockWriteGuard<'_, Contents>> {
        if !self.writable {
            return Err(Error::from_kind(op, &self.path, ErrorKind::PermissionDenied));
        }
        if end.is_none_or(|end| end > MAX_LEN_BYTES) {
            return Err(Error::from_kind(op, &self.path, ErrorKind::FileTooLarge));
        }
        Ok(self.node.contents.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, contents: &mut Contents, offset: u64, data: &[u8]) -> Result<()> {
        contents
            .write(offset, data)
            .map_err(|_| Error::from_kind(Op::Write, &self.path, ErrorKind::OutOfMemory))
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        self.node.locks.lock().unwrap_or_else(PoisonError::into_inner).release(self.handle);
    }
}

impl File for MemoryFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        Ok(self.contents().read(offset, buf))
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> Result<usize> {
        let mut contents = self.contents_mut(Op::Write, offset.checked_add(buf.len() as u64))?;
        if !buf.is_empty() {
            self.write(&mut contents, offset, buf)?;
        }
        Ok(buf.len())
    }

    fn read_vectored_at(&self, offset: u64, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
        let contents = self.contents();
        let mut done = 0;
        for buf in bufs {
            let count = contents.read(offset + done as u64, buf);
            done += count;
            if count < buf.len() {
                break;
            }
        }
        Ok(done)
    }

    fn write_vectored_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<usize> {
        let total: usize = bufs.iter().map(|buf| buf.len()).sum();
        let mut contents = self.contents_mut(Op::Write, offset.checked_add(total as u64))?;
        let mut done = 0;
        for buf in bufs.iter().filter(|buf| !buf.is_empty()) {
            self.write(&mut contents, offset + done as u64, buf)?;
            done += buf.len();
        }
        Ok(done)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.contents().len())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.contents_mut(Op::SetLen, Some(len))?.set_len(len);
        Ok(())
    }

    fn allocate(&self, len: u64) -> Result<()> {
        let mut contents = self.contents_mut(Op::Allocate, Some(len))?;
        if contents.len() < len {
            contents.set_len(len);
        }
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> Result<()> {
        Ok(())
    }

    fn try_lock(&self, kind: LockKind) -> Result<LockOutcome> {
        let mut locks = self.node.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if locks.try_lock(self.handle, kind) {
            Ok(LockOutcome::Acquired)
        } else {
            Ok(LockOutcome::Held { holder: Some(std::process::id()) })
        }
    }

    fn sector_bytes(&self) -> u32 {
        512
    }
}
