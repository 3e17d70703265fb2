//! One open file of the simulated disk.

use std::io::{IoSlice, IoSliceMut, Result as IoResult};
use std::path::Path;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::entry::Fate;
use super::fault::{Effect, FaultKind};
use super::names::FileId;
use super::state::State;
use super::trace::{Answer, Call};
use super::world::World;
use crate::{ErrorKind, File, LockKind, LockOutcome, Op, Result};

#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) world: Arc<World>,
    pub(super) path: Arc<Path>,
    pub(super) path_hash: u64,
    pub(super) file: FileId,
    pub(super) handle: u64,
    pub(super) process: u64,
    pub(super) writable: bool,
    pub(super) sector_bytes: u32,
}

impl SimFile {
    fn call(&self, op: Op) -> Call<'_> {
        Call {
            op,
            path: &self.path,
            path_hash: self.path_hash,
            offset: 0,
            bytes: 0,
            data_hash: 0,
            mutating: false,
        }
    }

    fn run(
        &self,
        call: &Call<'_>,
        act: impl FnOnce(&mut State, Option<&Effect>) -> IoResult<Answer>,
    ) -> Result<u64> {
        self.world.run(Some(self.process), call, act)
    }

    fn check_writable(&self) -> IoResult<()> {
        if self.writable { Ok(()) } else { Err(ErrorKind::PermissionDenied.into()) }
    }

    fn sync(&self, op: Op) -> Result<()> {
        let call = Call { mutating: true, ..self.call(op) };
        self.run(&call, |state, effect| {
            let (revert, seed) = match effect {
                Some(Effect::EioKeep { seed }) => (false, *seed),
                Some(Effect::EioRevert { seed }) => (true, *seed),
                Some(_) => (false, 0),
                None => {
                    state.disk.sync(self.file, op == Op::SyncAll);
                    return Ok(Answer::default());
                }
            };
            state.disk.fail_sync(self.file, revert, seed);
            Err(super::stop::Simulated::Eio.into())
        })
        .map(drop)
    }
}

/// The bytes to serve of `wanted`, under a fault of short counts.
fn served(wanted: usize, effect: Option<&Effect>) -> usize {
    match effect {
        Some(Effect::Short(bytes)) => wanted.min((*bytes).max(1) as usize),
        _ => wanted,
    }
}

/// Where a write will end up, under a fault of the medium.
fn fate(state: &State, file: FileId, effect: Option<&Effect>) -> Fate {
    match effect {
        Some(Effect::Lost { evict }) => Fate::Lost { evict: *evict },
        Some(Effect::Misdirected { offset, path, evict }) => {
            let sector = state.disk.sector_bytes();
            let target = match path {
                Some(path) => state.disk.find(path),
                None => Some(file),
            };
            match target {
                Some(file) => {
                    let offset = offset / sector * sector;
                    Fate::Misdirected { evict: *evict, file, offset }
                }
                None => Fate::Lost { evict: *evict },
            }
        }
        _ => Fate::Kept,
    }
}

impl File for SimFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let call = Call { offset, bytes: buf.len() as u64, ..self.call(Op::Read) };
        let count = self.run(&call, |state, effect| {
            let count = state.disk.cached(self.file).readable(offset, buf.len());
            let buf = &mut buf[..served(count, effect)];
            match effect {
                Some(Effect::Stale { age }) => match state.disk.stale(self.file, *age) {
                    Some(image) => image.get(offset, buf),
                    None => state.disk.durable(self.file).get(offset, buf),
                },
                _ => state.disk.cached(self.file).get(offset, buf),
            }
            Ok(Answer { value: buf.len() as u64, data_hash: xxh3_64(buf) })
        })?;
        Ok(count as usize)
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> Result<usize> {
        let (bytes, data_hash) = (buf.len() as u64, xxh3_64(buf));
        let call = Call { offset, bytes, data_hash, mutating: true, ..self.call(Op::Write) };
        let count = self.run(&call, |state, effect| {
            self.check_writable()?;
            let fate = fate(state, self.file, effect);
            let part = &buf[..served(buf.len(), effect)];
            Ok((state.disk.write(self.file, offset, part, fate)? as u64).into())
        })?;
        Ok(count as usize)
    }

    fn read_vectored_at(&self, offset: u64, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
        let mut all = vec![0; bufs.iter().map(|buf| buf.len()).sum()];
        let count = self.read_at(offset, &mut all)?;
        let mut rest = &all[..count];
        for buf in bufs {
            let (head, tail) = rest.split_at(rest.len().min(buf.len()));
            buf[..head.len()].copy_from_slice(head);
            rest = tail;
        }
        Ok(count)
    }

    fn write_vectored_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<usize> {
        let mut all = Vec::with_capacity(bufs.iter().map(|buf| buf.len()).sum());
        for buf in bufs {
            all.extend_from_slice(buf);
        }
        self.write_at(offset, &all)
    }

    fn len(&self) -> Result<u64> {
        self.run(&self.call(Op::Len), |state, _| Ok(state.disk.len(self.file).into()))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let call = Call { bytes: len, mutating: true, ..self.call(Op::SetLen) };
        self.run(&call, |state, _| {
            self.check_writable()?;
            state.disk.set_len(self.file, len)?;
            Ok(Answer::default())
        })
        .map(drop)
    }

    fn allocate(&self, len: u64) -> Result<()> {
        let call = Call { bytes: len, mutating: true, ..self.call(Op::Allocate) };
        self.run(&call, |state, _| {
            self.check_writable()?;
            state.disk.allocate(self.file, len)?;
            Ok(Answer::default())
        })
        .map(drop)
    }

    fn sync_data(&self) -> Result<()> {
        self.sync(Op::SyncData)
    }

    fn sync_all(&self) -> Result<()> {
        self.sync(Op::SyncAll)
    }

    fn try_lock(&self, kind: LockKind) -> Result<LockOutcome> {
        let bytes = u64::from(kind == LockKind::Exclusive);
        let call = Call { bytes, ..self.call(Op::Lock) };
        let mut holder = 0;
        let taken = self.run(&call, |state, _| {
            holder = state.process_id();
            let taken = state.disk.locks(self.file).try_lock(self.handle, kind);
            if !taken {
                state.fired.add(FaultKind::LockRefused);
            }
            Ok(u64::from(taken).into())
        })?;
        Ok(match taken {
            0 => LockOutcome::Held { holder: Some(holder) },
            _ => LockOutcome::Acquired,
        })
    }

    fn sector_bytes(&self) -> u32 {
        self.sector_bytes
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut state = self.world.lock();
        if state.process == self.process {
            state.disk.close(self.file, self.handle);
        }
    }
}
