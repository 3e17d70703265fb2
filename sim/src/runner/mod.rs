//! Runs plans: one step at a time, on a simulated disk, beside the model, under the oracle.
//!
//! The [`World`] performs an operation on the engine and on the model and compares. What makes
//! no sense where it stands is passed over, so that every list of operations runs. The crash
//! that follows an operation is given with it, because it may strike in its midst.

mod crash;
mod handle;
mod panics;
mod read;
mod settle;
mod trial;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use hexxladb::vfs::Vfs;
use hexxladb::vfs::sim::{Applied, CrashAt, CrashChoice, FaultKind, Fired, SimVfs};
use hexxladb::{Db, PendingCommit, Snapshot, WriteTx};
use sha2::{Digest, Sha256};

use crate::model::{Draft, Model};
use crate::op::{Crash, Op, Plan, Setup, Slot};
use crate::oracle::{Bounds, Check, Excuses, Failure, Kind, Stop, sync_faults};

pub use handle::open_for;
pub use panics::{caught, failure as panic_failure, quiet_panics};
use trial::Stash;

/// File operations that one step may take before it counts as a hang.
const STEP_OPS: u64 = 400_000;

/// The primary file of every run.
const PRIMARY: &str = "/db/main";

/// Its log.
const LOG: &str = "/db/main-wal";

/// The wall clock at the start of every run: 2024-01-01.
const START_NANOS: i64 = 1_704_067_200_000_000_000;

/// The open write transaction and what the model makes of it.
struct OpenTx {
    tx: WriteTx,
    draft: Draft,
    /// An excused error left it half done: it can only be dropped.
    broken: bool,
}

/// A commit that was not waited for.
struct Waiting {
    commit: PendingCommit,
    seq: u64,
}

/// An open handle and what hangs on it; the handle drops last.
struct Session {
    tx: Option<OpenTx>,
    waiting: BTreeMap<Slot, Waiting>,
    snapshots: BTreeMap<Slot, (u64, Snapshot)>,
    db: Db,
    read_only: bool,
    buffered: bool,
    /// The newest commit when it was opened, which is what a read-only handle keeps showing.
    opened_at: u64,
    /// A commit ended as unknown: nothing may be acknowledged any more.
    unknown: bool,
    /// Faults that had fired when it was opened.
    base: Fired,
}

/// What a run did, for coverage.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How often each operation was performed, by the first word of its text.
    pub ops: BTreeMap<String, u64>,
    /// How often each kind of fault fired.
    pub faults: BTreeMap<&'static str, u64>,
    /// Crashes.
    pub crashes: u64,
    /// Recoveries that followed a crash.
    pub recoveries: u64,
    /// Recoveries that fell back as the one exception for damaged media allows.
    pub exceptions: u64,
}

impl Tally {
    fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Adds another run's.
    pub fn merge(&mut self, other: &Self) {
        for (op, count) in &other.ops {
            *self.ops.entry(op.clone()).or_default() += count;
        }
        for (kind, count) in &other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        self.crashes += other.crashes;
        self.recoveries += other.recoveries;
        self.exceptions += other.exceptions;
    }
}

/// A database on a simulated disk, and the model of it.
pub struct World {
    setup: Setup,
    disk: SimVfs,
    primary: PathBuf,
    log: PathBuf,
    model: Model,
    bounds: Bounds,
    session: Option<Session>,
    stashes: BTreeMap<Slot, Stash>,
    /// The durable header area, once something is stashed, and what had been shown before it was
    /// written.
    header: Vec<u8>,
    header_shown: u64,
    /// Faults that had fired before this step.
    before: Fired,
    /// When this step began, nothing more was to be acknowledged.
    refusing: bool,
    /// Operations fail from now on until the faults are healed.
    failing: bool,
    /// The clock does not go on.
    stopped_clock: bool,
    /// The last handle closed the database well.
    closed: bool,
    /// The damaged database no longer opens: nothing more can be done with it.
    dead: bool,
    /// A crash has happened that no recovery has followed yet.
    crashed: bool,
    tally: Tally,
    digest: Sha256,
    /// What power cuts left that drew it at random, for reproductions.
    cuts: Vec<CrashChoice>,
    /// Faults were armed since the last time they were healed.
    armed: bool,
}

impl World {
    /// An empty disk.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let disk = SimVfs::with_sector_bytes(setup.disk_seed, setup.sector_bytes);
        disk.set_tick_nanos(0);
        disk.set_wall_nanos(START_NANOS);
        Self {
            setup,
            disk,
            primary: PathBuf::from(PRIMARY),
            log: PathBuf::from(LOG),
            model: Model::new(setup.mvcc),
            bounds: Bounds::default(),
            session: None,
            stashes: BTreeMap::new(),
            header: Vec::new(),
            header_shown: 0,
            before: Fired::default(),
            refusing: false,
            failing: false,
            stopped_clock: false,
            closed: false,
            dead: false,
            crashed: false,
            tally: Tally::default(),
            digest: Sha256::new(),
            cuts: Vec::new(),
            armed: false,
        }
    }

    /// The disk.
    #[must_use]
    pub fn disk(&self) -> &SimVfs {
        &self.disk
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The bounds of a recovery now.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// What was done so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether the database is damaged beyond opening.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    /// Hash of all that happened.
    #[must_use]
    pub fn hash(&self) -> u128 {
        let mut sha = self.digest.clone();
        sha.update(self.disk.trace_hash().to_le_bytes());
        u128::from_le_bytes(sha.finalize()[..16].try_into().unwrap_or_default())
    }

    /// Performs one operation, and the crash that strikes in its midst or follows it.
    ///
    /// # Errors
    /// When a promise is broken.
    pub fn step(&mut self, op: &Op, crash: Option<&Crash>) -> Result<(), Failure> {
        self.before = self.disk.fired();
        self.refusing = self.session.as_ref().is_some_and(|session| {
            session.unknown || sync_faults(&self.before) > sync_faults(&session.base)
        });
        self.note(&op.to_string());
        let crash_at = crash.and_then(|crash| crash.at);
        if let Some(at) = crash_at {
            let op = self.disk.mutating_ops() + at;
            self.disk.set_crash_at(Some(CrashAt { op, applied: Applied::Nothing }));
        }
        let bounds = self.bounds;
        self.disk.set_op_limit(Some(STEP_OPS));
        let outcome = caught(|| self.perform(op));
        self.disk.set_op_limit(None);
        self.disk.set_crash_at(None);
        let outcome = match outcome {
            // What a process says that has stopped counts for nothing, a panic apart.
            Ok(_) if self.disk.crashed().is_some() => {
                self.bounds = Bounds { created: self.bounds.created, ..bounds };
                Ok(())
            }
            Ok(Ok(()) | Err(Stop::Excused)) => self.observe(),
            Ok(Err(Stop::Failed(failure))) => Err(*failure),
            Err(message) => Err(panic_failure(&message)),
        };
        self.bounds.tainted |= sync_faults(&self.disk.fired()) > sync_faults(&self.before);
        self.watch_header(bounds.shown);
        if outcome.is_err() {
            self.leak();
        }
        outcome?;
        if let Some(crash) = crash {
            self.crash(crash)?;
        }
        Ok(())
    }

    fn perform(&mut self, op: &Op) -> Check {
        let name = op.to_string().split(' ').next().unwrap_or_default().to_owned();
        *self.tally.ops.entry(name).or_default() += 1;
        match op {
            Op::Open(open) => self.open(*open),
            Op::OpenWrong(wrong) => self.open_wrong(*wrong),
            Op::SecondOpen { read_only } => self.second_open(*read_only),
            Op::Close => self.close(),
            Op::Drop => self.drop_session(),
            Op::Sync => self.sync(),
            Op::Checkpoint => self.checkpoint(),
            Op::Check => self.check(),
            Op::Begin => self.begin(),
            Op::Do(edit) => self.edit(edit),
            Op::Commit => self.commit(),
            Op::Pipeline(slot) => self.pipeline(*slot),
            Op::Wait(slot) => self.wait(*slot),
            Op::Forget(slot) => self.forget(*slot),
            Op::Rollback => self.rollback(),
            Op::Abandon => self.abandon(),
            Op::Update(end, edits) => self.update(*end, edits),
            Op::PutCells { from, count, batch, value } => {
                self.put_cells(*from, *count, *batch, *value)
            }
            Op::Read(read) => self.read(read),
            Op::Snap(slot, seq) => self.snap(*slot, *seq),
            Op::ReadSnap(slot) => self.read_snap(*slot),
            Op::DropSnap(slot) => self.drop_snap(*slot),
            Op::Clock(clock) => self.move_clock(*clock),
            Op::Fault(fault) => self.arm(fault),
            Op::Heal => self.heal(),
            Op::Free(sectors) => self.free(*sectors),
            Op::Crash(crash) => Ok(self.crash(crash)?),
            Op::Stash(slot) => self.stash(*slot),
            Op::Restore(slot, files) => self.restore(*slot, *files),
            Op::Damage(damage) => self.damage(*damage),
        }
    }

    /// What errors are excused.
    fn excuses(&self) -> Excuses {
        let base = self.session.as_ref().map_or(self.before, |session| session.base);
        Excuses { media: false, failing: self.failing, disk: Some((self.disk.clone(), base)) }
    }

    /// Whether a failed sync, or a commit that ended as unknown, forbade acknowledging more
    /// when this step began.
    fn must_not_acknowledge(&self) -> bool {
        self.refusing
    }

    /// Looks at the head after a step: it moves on only, and what it shows counts as shown.
    fn observe(&mut self) -> Result<(), Failure> {
        let Some(session) = &self.session else { return Ok(()) };
        let found = match session.db.head() {
            Ok(head) => head,
            Err(error) if self.excuses().cover(&error) => return Ok(()),
            Err(error) => return Err(Failure::new(Kind::Error, "head", error.to_string())),
        };
        if session.read_only {
            if found == session.opened_at {
                return Ok(());
            }
            let what = format!("a read-only handle moved from {} to {found}", session.opened_at);
            return Err(Failure::new(Kind::Wrong, "head", what));
        }
        if found < self.bounds.shown || found > self.model.head() {
            let (shown, begun) = (self.bounds.shown, self.model.head());
            let what = format!("head is {found}; {shown} was shown and {begun} begun");
            return Err(Failure::new(Kind::Wrong, "head", what));
        }
        let durable = !session.buffered;
        if found > self.bounds.shown && durable && self.must_not_acknowledge() {
            let what = format!("{found} became visible after a failed sync");
            return Err(Failure::new(Kind::Accepted, "head", what));
        }
        self.bounds.show(found, durable);
        Ok(())
    }

    /// Adds to the hash of all that happened.
    fn note(&mut self, what: &str) {
        self.digest.update((what.len() as u32).to_le_bytes());
        self.digest.update(what);
    }

    fn clock_nanos(&self) -> i64 {
        self.disk.clock().wall_nanos()
    }

    /// After a failure the handle's state is anybody's guess, its locks may be held: it is
    /// never dropped.
    fn leak(&mut self) {
        std::mem::forget(self.session.take());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A drop that hangs or panics is a failure, but not this run's.
        let session = self.session.take();
        let _ = caught(move || drop(session));
    }
}

/// Where a run stands, for whoever draws its next operation.
#[derive(Clone, Debug)]
pub struct View {
    /// A handle is open.
    pub open: bool,
    /// It only reads.
    pub read_only: bool,
    /// A write transaction is open.
    pub in_tx: bool,
    /// Commits that were not waited for.
    pub waiting: Vec<Slot>,
    /// Snapshots that are held.
    pub snapshots: Vec<Slot>,
    /// Copies that were put aside.
    pub stashes: Vec<Slot>,
    /// The newest commit begun.
    pub head: u64,
    /// The wall clock.
    pub clock_nanos: i64,
    /// Faults have fired under this handle, so that it may refuse to write.
    pub poisoned: bool,
    /// Faults are armed or persist.
    pub disturbed: bool,
    /// Operations go on failing.
    pub stuck: bool,
    /// The database exists.
    pub created: bool,
    /// Length of the primary.
    pub primary_bytes: u64,
    /// Length of the log.
    pub log_bytes: u64,
    /// Both files by name, with lengths of at least 1.
    pub files: Vec<(String, u64)>,
    /// Size of what the disk writes atomically.
    pub sector_bytes: u32,
}

impl World {
    /// Where the run stands.
    #[must_use]
    pub fn view(&self) -> View {
        let session = self.session.as_ref();
        let keys = |slots: Option<Vec<Slot>>| slots.unwrap_or_default();
        let stuck = self.failing || self.disk.free_sectors().is_some();
        let len = |path| self.disk.read_file(path).map_or(0, |bytes| bytes.len() as u64);
        let (primary_bytes, log_bytes) = (len(&self.primary), len(&self.log));
        let name = |path: &PathBuf| path.to_string_lossy().into_owned();
        View {
            open: session.is_some(),
            read_only: session.is_some_and(|session| session.read_only),
            in_tx: session.is_some_and(|session| session.tx.is_some()),
            waiting: keys(session.map(|session| session.waiting.keys().copied().collect())),
            snapshots: keys(session.map(|session| session.snapshots.keys().copied().collect())),
            stashes: self.stashes.keys().copied().collect(),
            head: self.model.head(),
            clock_nanos: self.clock_nanos(),
            poisoned: session.is_some_and(|session| session.unknown || self.excuses().poisoned()),
            disturbed: self.armed,
            stuck,
            created: self.bounds.created,
            primary_bytes,
            log_bytes,
            files: vec![
                (name(&self.primary), primary_bytes.max(1)),
                (name(&self.log), log_bytes.max(1)),
            ],
            sector_bytes: self.setup.sector_bytes,
        }
    }

    /// Ends the run.
    #[must_use]
    pub fn outcome(&self, failure: Option<(usize, Failure)>) -> Outcome {
        let mut tally = self.tally.clone();
        for (kind, count) in self.disk.fired().iter() {
            *tally.faults.entry(fault_name(kind)).or_default() += count;
        }
        Outcome { failure, hash: self.hash(), tally, cuts: self.cuts.clone(), trace: Vec::new() }
    }
}

/// What reports call a kind of fault.
fn fault_name(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Eio => "input/output error",
        FaultKind::EioForever => "input/output error for good",
        FaultKind::SyncKeep => "failed sync, cache kept",
        FaultKind::SyncRevert => "failed sync, cache reverted",
        FaultKind::Short => "short read or write",
        FaultKind::Interrupted => "interruption",
        FaultKind::SpaceOut => "space limit",
        FaultKind::SpaceBack => "space limit lifted",
        FaultKind::Rot => "rot",
        FaultKind::Lost => "lost write",
        FaultKind::Misdirected => "misdirected write",
        FaultKind::Stale => "stale read",
        FaultKind::ClockStop => "clock stopped by a fault",
        FaultKind::ClockRun => "clock set going by a fault",
        FaultKind::ClockStep => "clock moved by a fault",
        FaultKind::NoSpace => "no space",
        FaultKind::LockRefused => "lock refused",
        FaultKind::Kill => "process kill",
        FaultKind::PowerCut => "power cut",
        FaultKind::Garbage => "power cut with garbage",
        FaultKind::KillThenCut => "kill, then power cut",
        FaultKind::Edit => "file edited",
    }
}

/// How a run ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was broken, and at which operation of the plan (its count at the end).
    pub failure: Option<(usize, Failure)>,
    /// Hash of all that happened.
    pub hash: u128,
    /// What was done.
    pub tally: Tally,
    /// What each power cut left that drew it at random, in order.
    pub cuts: Vec<CrashChoice>,
    /// Operations, file operations and faults side by side, when asked for.
    pub trace: Vec<String>,
}

/// Runs a plan to its end or its first failure, then lets the world settle.
#[must_use]
pub fn run(plan: &Plan, trace: bool) -> Outcome {
    let mut world = World::new(plan.setup);
    world.disk.set_trace(trace);
    let mut lines = Vec::new();
    let mut failure = None;
    let mut index = 0;
    while index < plan.ops.len() {
        let op = &plan.ops[index];
        let crash = match plan.ops.get(index + 1) {
            Some(Op::Crash(crash)) if crash.at.is_some() => Some(crash),
            _ => None,
        };
        let result = world.step(op, crash);
        if trace {
            lines.push(format!("{op}"));
            lines.extend(world.disk.take_trace().into_iter().map(|line| format!("    {line}")));
            if let Some(crash) = crash {
                lines.push(format!("{}", Op::Crash(crash.clone())));
            }
        }
        if let Err(broken) = result {
            failure = Some((index, broken));
            break;
        }
        index += 1 + usize::from(crash.is_some());
    }
    if failure.is_none() {
        failure = world.settle().err().map(|broken| (plan.ops.len(), broken));
        if trace {
            lines.push("(settle)".to_owned());
            lines.extend(world.disk.take_trace().into_iter().map(|line| format!("    {line}")));
        }
    }
    Outcome { trace: lines, ..world.outcome(failure) }
}
