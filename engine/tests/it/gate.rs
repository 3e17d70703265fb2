//! A file system in memory whose syncs of the log can be held up, so that a test decides when a
//! commit becomes durable.

use std::io::{IoSlice, IoSliceMut};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use hexxladb::vfs::{
    Clock, Entropy, File, LockKind, LockOutcome, MemoryVfs, OpenMode, Result, Vfs,
};

use crate::support::LOG;

/// After so long a test has failed.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct State {
    shut: bool,
    /// Syncs that wait at the gate.
    waiting: usize,
    passed: usize,
    delay: Duration,
}

/// The gate that every sync of the log goes through.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

impl Gate {
    pub(crate) fn shut(&self) {
        self.state.lock().unwrap().shut = true;
    }

    pub(crate) fn open(&self) {
        self.state.lock().unwrap().shut = false;
        self.changed.notify_all();
    }

    /// From now on every sync takes so long, as on a disk.
    pub(crate) fn delay(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    /// Returns once a sync waits.
    pub(crate) fn wait_for_one(&self) {
        let state = self.state.lock().unwrap();
        let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| state.waiting == 0);
        assert!(!waited.unwrap().1.timed_out(), "no sync came to the gate");
    }

    /// Syncs that went through.
    pub(crate) fn passed(&self) -> usize {
        self.state.lock().unwrap().passed
    }

    #[expect(clippy::disallowed_methods, reason = "stands for the time that a disk takes")]
    fn pass(&self) {
        let delay = self.state.lock().unwrap().delay;
        std::thread::sleep(delay);
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.changed.notify_all();
        // A test that fails must not wait for ever for those that it left here.
        let waited = self.changed.wait_timeout_while(state, 2 * PATIENCE, |state| state.shut);
        let mut state = waited.unwrap().0;
        state.waiting -= 1;
        state.passed += 1;
    }
}

/// Files in memory behind a [`Gate`].
#[derive(Clone, Debug, Default)]
pub(crate) struct GateVfs {
    files: MemoryVfs,
    pub(crate) gate: Arc<Gate>,
}

#[derive(Debug)]
struct GateFile {
    file: Arc<dyn File>,
    gate: Option<Arc<Gate>>,
}

impl Vfs for GateVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn File>> {
        let gate = (path == Path::new(LOG)).then(|| Arc::clone(&self.gate));
        Ok(Arc::new(GateFile { file: self.files.open(path, mode)?, gate }))
    }
    fn exists(&self, path: &Path) -> Result<bool> {
        self.files.exists(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.files.rename(from, to)
    }
    fn remove(&self, path: &Path) -> Result<()> {
        self.files.remove(path)
    }
    fn list(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        self.files.list(dir)
    }
    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.files.sync_dir(dir)
    }
    fn free_space(&self, dir: &Path) -> Result<Option<u64>> {
        self.files.free_space(dir)
    }
    fn clock(&self) -> &dyn Clock {
        self.files.clock()
    }
    fn entropy(&self) -> &dyn Entropy {
        self.files.entropy()
    }
}

impl File for GateFile {
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
        if let Some(gate) = &self.gate {
            gate.pass();
        }
        self.file.sync_data()
    }
    fn sync_all(&self) -> Result<()> {
        self.file.sync_all()
    }
    fn try_lock(&self, kind: LockKind) -> Result<LockOutcome> {
        self.file.try_lock(kind)
    }
    fn sector_bytes(&self) -> u32 {
        self.file.sector_bytes()
    }
}
