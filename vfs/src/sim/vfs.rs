//! The handle to a simulated world: the [`Vfs`] it offers to the engine, and the levers it
//! offers to the driver.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::crash::{CrashChoice, Kept, Pending, Survival};
use super::fault::{Damage, Fault, FaultKind, FaultPlan, Fired};
use super::file::SimFile;
use super::state::{CrashAt, State};
use super::states::CutProfile;
use super::swarm::{Dice, Swarm};
use super::trace::{Answer, Call, hash_path};
use super::world::World;
use crate::{Clock, Entropy, File, Op, OpenMode, Result, Vfs};

/// A simulated world. Clones are handles to the same one; [`SimVfs::fork`] makes another.
///
/// There is one process at a time. [`SimVfs::kill`] and a power cut end it: its open files fail
/// from then on ([`is_stopped`](super::is_stopped)), and whoever opens files next is the next
/// process.
#[derive(Clone, Debug)]
pub struct SimVfs {
    pub(super) world: Arc<World>,
}

impl SimVfs {
    /// An empty disk with sectors of 512 bytes. All randomness comes from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_sector_bytes(seed, 512)
    }

    /// An empty disk with sectors of this size.
    ///
    /// # Panics
    /// If it is not 512, 1024, 2048 or 4096.
    #[must_use]
    pub fn with_sector_bytes(seed: u64, sector_bytes: u32) -> Self {
        let known = [512, 1024, 2048, 4096].contains(&sector_bytes);
        assert!(known, "sectors of {sector_bytes} bytes are not simulated");
        Self { world: Arc::new(World::new(State::new(seed, sector_bytes))) }
    }

    /// A copy of the world as a new process finds it: what was written is in its cache view and
    /// pending as here, but no file is open, no lock held, no crash point and no limit set.
    ///
    /// Clocks, random streams, counts of operations, the plan, the swarm, the trace's hash, what
    /// was [recorded](SimVfs::recorded) and [damaged](SimVfs::damages) go on from where they are.
    /// The count of [fired](SimVfs::fired) faults starts again, so that sums over forks count
    /// each fault once, and the trace's text is off. Costs a few reference counts per file.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { world: Arc::new(World::new(self.world.lock().fork())) }
    }

    // Processes and crashes.

    /// Number of the running process, from 0.
    pub fn process(&self) -> u64 {
        self.world.lock().process
    }

    /// Ends the process: its handles die, its locks are free, what it wrote stays in the cache.
    pub fn kill(&self) {
        let mut state = self.world.lock();
        state.killed_at_order = state.disk.order();
        state.end_process();
        state.fired.add(FaultKind::Kill);
        state.trace.event(|| "kill".to_owned());
    }

    /// Cuts the power; what survives of the pending units is drawn from the seed and returned.
    pub fn power_cut(&self, profile: CutProfile) -> CrashChoice {
        let mut state = self.world.lock();
        let pending = state.disk.pending();
        let choice = pending.random(&mut state.crash_random, profile);
        state.power_cut(&choice);
        choice
    }

    /// Cuts the power; of the pending units, what `choice` names survives.
    pub fn power_cut_with(&self, choice: &CrashChoice) {
        self.world.lock().power_cut(choice);
    }

    /// What a power cut would decide now. Sectors whose every version is what the disk holds
    /// already are left out: there is nothing to decide. So are bytes of a failed sync, which
    /// the cache may still show: a power cut always takes them.
    pub fn pending(&self) -> Pending {
        self.world.lock().disk.pending()
    }

    /// Lets the process crash at an operation, or takes that back. A kill or power cut does too.
    pub fn set_crash_at(&self, crash: Option<CrashAt>) {
        self.world.lock().crash_at = crash;
    }

    /// Keeps a [fork](SimVfs::fork) of the world as it is before each operation that changes the
    /// disk, so that one run gives the states of all its crash points; or no longer does. What
    /// was kept stays until it is taken.
    pub fn set_capture(&self, on: bool) {
        let mut state = self.world.lock();
        state.capturing = on;
    }

    /// The forks kept so far, each with the index of the operation that it comes before.
    pub fn take_captures(&self) -> Vec<(u64, Self)> {
        let captures = std::mem::take(&mut self.world.lock().captures);
        let world = |state| Self { world: Arc::new(World::new(state)) };
        captures.into_iter().map(|(index, state)| (index, world(state))).collect()
    }

    /// Lets the process run only so many more operations, or as many as it likes: for finding
    /// loops that never end.
    ///
    /// The operation after the last panics with "operation budget used up", while nothing is
    /// locked, and the process counts as crashed, so that nothing that unwinding does touches the
    /// disk. The limit ends with the process.
    pub fn set_op_limit(&self, ops: Option<u64>) {
        self.world.lock().ops_left = ops;
    }

    /// Index of the operation at which the process crashed, if it did; every later operation of
    /// it fails. It is over with [`SimVfs::kill`] or a power cut.
    pub fn crashed(&self) -> Option<u64> {
        self.world.lock().crashed
    }

    // Counting and tracing.

    /// File operations so far, whatever became of them. Their numbers start at 0.
    pub fn ops(&self) -> u64 {
        self.world.lock().ops
    }

    /// Operations so far that change the disk: write, syncs, `set_len`, `allocate`, rename,
    /// remove, and opens that create.
    pub fn mutating_ops(&self) -> u64 {
        self.world.lock().mutating_ops
    }

    /// Rolling hash over every operation, its data and its result, every fault and every crash.
    pub fn trace_hash(&self) -> u128 {
        self.world.lock().trace.hash()
    }

    /// Starts or ends keeping the trace as text.
    pub fn set_trace(&self, on: bool) {
        self.world.lock().trace.set_text(on);
    }

    /// The lines of the trace since it was last taken: operations with their numbers, and faults
    /// and crashes after a `!`.
    pub fn take_trace(&self) -> Vec<String> {
        self.world.lock().trace.take_text()
    }

    /// Hash of the durable state: names, lengths, bytes. Cheap where little has changed.
    pub fn image_hash(&self) -> u128 {
        self.world.lock().disk.hash(true)
    }

    /// Hash of the cache view, which is what a killed process leaves.
    pub fn view_hash(&self) -> u128 {
        self.world.lock().disk.hash(false)
    }

    // Faults.

    /// Faults to come, in place of those that were to come.
    pub fn set_plan(&self, plan: FaultPlan) {
        let mut state = self.world.lock();
        state.plan.clear();
        plan.0.into_iter().for_each(|fault| state.arm(fault));
    }

    /// One more fault to come.
    pub fn arm(&self, fault: Fault) {
        self.world.lock().arm(fault);
    }

    /// Faults by chance from now on, or none any more.
    pub fn set_swarm(&self, swarm: Option<&Swarm>) {
        let mut state = self.world.lock();
        let stale = |swarm: &Swarm| swarm.per_million.contains_key(&FaultKind::Stale);
        if swarm.is_some_and(stale) {
            state.disk.keep_history();
        }
        state.dice = swarm.map(Dice::new);
    }

    /// Every fault that fired, with the operation it fired at: a plan that repeats the run.
    pub fn recorded(&self) -> FaultPlan {
        self.world.lock().recorded.clone()
    }

    /// Ends everything that would go on failing: the plan, the swarm, operations that fail for
    /// ever, the limit on space, a clock that stands still. Damage that is done stays.
    pub fn heal(&self) {
        self.world.lock().heal();
    }

    /// How often each kind of fault fired in this world.
    pub fn fired(&self) -> Fired {
        self.world.lock().fired
    }

    /// Where faults of the medium hit.
    pub fn damages(&self) -> Vec<Damage> {
        self.world.lock().damages.clone()
    }

    // Space and time.

    /// Sectors that may still be taken; `None` is no limit.
    pub fn free_sectors(&self) -> Option<u64> {
        self.world.lock().disk.free_sectors()
    }

    /// Sets the free space, as [`Effect::Free`](super::Effect::Free) does.
    pub fn set_free_sectors(&self, sectors: Option<u64>) {
        self.world.lock().disk.set_free_sectors(sectors);
    }

    /// Sets the wall clock.
    pub fn set_wall_nanos(&self, nanos: i64) {
        self.world.lock().time.wall_nanos = nanos;
    }

    /// Lets time pass: on the monotonic clock always, on the wall clock unless it stands still.
    pub fn advance(&self, nanos: u64) {
        self.world.lock().time.advance(nanos);
    }

    /// How long a file operation takes (1 µs at first).
    pub fn set_tick_nanos(&self, nanos: u64) {
        self.world.lock().time.tick_nanos = nanos;
    }

    /// Makes the wall clock jump, ahead or back.
    pub fn step_clock(&self, nanos: i64) {
        let time = &mut self.world.lock().time;
        time.wall_nanos = time.wall_nanos.saturating_add(nanos);
    }

    /// Makes the wall clock stand still.
    pub fn stop_clock(&self) {
        self.world.lock().time.stopped = true;
    }

    /// Makes the wall clock go again.
    pub fn run_clock(&self) {
        self.world.lock().time.stopped = false;
    }
}

impl State {
    /// What the lock's holder is called.
    pub(super) fn process_id(&self) -> u32 {
        self.process as u32 + 1
    }

    fn power_cut(&mut self, choice: &CrashChoice) {
        let garbage = choice
            .0
            .iter()
            .any(|kept| matches!(kept, Kept::Sector { survival: Survival::Garbage(_), .. }));
        if garbage {
            self.fired.add(FaultKind::Garbage);
        }
        if self.disk.has_pending_up_to(self.killed_at_order) {
            self.fired.add(FaultKind::KillThenCut);
        }
        self.disk.power_cut(choice);
        self.end_process();
        self.fired.add(FaultKind::PowerCut);
        self.trace.event(|| format!("power cut {choice}"));
    }
}

impl Vfs for SimVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn File>> {
        let creates = matches!(mode, OpenMode::Create | OpenMode::CreateNew);
        let mutating = creates && self.world.lock().disk.find(path).is_none();
        let call = Call { bytes: mode as u64, mutating, ..Call::on_path(Op::Open, path) };
        let (mut handle, mut process, mut sector_bytes) = (0, 0, 0);
        let file = self.world.run(None, &call, |state, _| {
            let file = state.disk.open(path, mode)?;
            handle = state.next_handle();
            process = state.process;
            sector_bytes = state.disk.sector_bytes() as u32;
            Ok(u64::from(file.0).into())
        })?;
        Ok(Arc::new(SimFile {
            world: Arc::clone(&self.world),
            path: Arc::from(path),
            path_hash: call.path_hash,
            file: super::FileId(file as u32),
            handle,
            process,
            writable: mode != OpenMode::Read,
            sector_bytes,
        }))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        let call = Call::on_path(Op::Exists, path);
        let found = self
            .world
            .run(None, &call, |state, _| Ok(u64::from(state.disk.find(path).is_some()).into()))?;
        Ok(found == 1)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let data_hash = hash_path(to);
        let call = Call { data_hash, mutating: true, ..Call::on_path(Op::Rename, from) };
        self.world
            .run(None, &call, |state, _| {
                state.disk.rename(from, to)?;
                Ok(Answer::default())
            })
            .map(drop)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let call = Call { mutating: true, ..Call::on_path(Op::Remove, path) };
        self.world
            .run(None, &call, |state, _| {
                state.disk.remove(path)?;
                Ok(Answer::default())
            })
            .map(drop)
    }

    fn list(&self, dir: &Path) -> Result<Vec<PathBuf>> {
        let mut list = Vec::new();
        self.world.run(None, &Call::on_path(Op::List, dir), |state, _| {
            list = state.disk.list(dir);
            let mut data_hash = 0;
            for name in &list {
                data_hash = super::random::mix(data_hash, hash_path(name), 0);
            }
            Ok(Answer { value: list.len() as u64, data_hash })
        })?;
        Ok(list)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        let call = Call { mutating: true, ..Call::on_path(Op::SyncDir, dir) };
        self.world
            .run(None, &call, |state, _| {
                state.disk.sync_dir(dir);
                Ok(Answer::default())
            })
            .map(drop)
    }

    /// `None` while there is no limit.
    fn free_space(&self, dir: &Path) -> Result<Option<u64>> {
        let mut free = None;
        self.world.run(None, &Call::on_path(Op::FreeSpace, dir), |state, _| {
            let sector = state.disk.sector_bytes();
            free = state.disk.free_sectors().map(|sectors| sectors.saturating_mul(sector));
            Ok(free.unwrap_or(u64::MAX).into())
        })?;
        Ok(free)
    }

    fn clock(&self) -> &dyn Clock {
        &*self.world
    }

    fn entropy(&self) -> &dyn Entropy {
        &*self.world
    }
}
