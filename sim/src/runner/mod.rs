//! Runs plans: one step at a time, on a simulated disk, beside the model, under the oracle.
//!
//! The [`World`] performs an operation on the engine and on the model and compares. What makes
//! no sense where it stands is passed over, so that every list of operations runs. The crash
//! that follows an operation is given with it, because it may strike in its midst.

mod changelog;
mod consumer;
mod crash;
mod diff;
mod edit;
mod edit_record;
mod follow;
mod handle;
mod outcome;
mod panics;
mod patient;
mod read;
mod replica;
mod settle;
mod trial;
mod upkeep;
mod view;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use hexxladb::vfs::Vfs;
use hexxladb::vfs::sim::{Applied, CrashAt, CrashChoice, Fired, SimVfs};
use hexxladb::{Db, PendingCommit, Snapshot, WriteTx};
use sha2::{Digest, Sha256};

use crate::model::{Draft, Mark, Model, Upkeep};
use crate::op::{Changelog, Crash, Op, Setup, Slot};
use crate::oracle::{Bounds, Check, Excuses, Failure, Kind, Stop, sync_faults};

pub use changelog::changelog_of;
use diff::HeldDiff;
use follow::HeldFollow;
pub use handle::open_for;
pub use outcome::{Outcome, Tally, run};
pub use panics::{caught, failure as panic_failure, quiet_panics};
pub use patient::{Patient, Trial};
use replica::Replica;
use trial::Stash;
use upkeep::Policy;
pub use view::{FileView, View};

/// File operations that one step may take before it counts as a hang.
const STEP_OPS: u64 = 400_000;

/// The primary file of every run.
pub const PRIMARY: &str = "/db/main";

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
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
struct Session {
    tx: Option<OpenTx>,
    waiting: BTreeMap<Slot, Waiting>,
    snapshots: BTreeMap<Slot, (u64, Snapshot)>,
    diffs: BTreeMap<Slot, HeldDiff>,
    follows: BTreeMap<Slot, HeldFollow>,
    db: Db,
    read_only: bool,
    buffered: bool,
    /// What it keeps of commits.
    changelog: Changelog,
    /// The retention policy.
    keep: Policy,
    /// The prune floor, rows removed, tags, as the handle shows them.
    upkeep: Upkeep,
    /// The newest commit when it was opened, which is what a read-only handle keeps showing.
    opened_at: u64,
    /// A commit ended as unknown: nothing may be acknowledged any more.
    unknown: bool,
    /// Operations went on failing under it, which counts as a fault but once.
    hurt: bool,
    /// Faults that had fired when it was opened.
    base: Fired,
}

/// A database on a simulated disk, and the model of it.
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
pub struct World {
    setup: Setup,
    disk: SimVfs,
    primary: PathBuf,
    log: PathBuf,
    model: Model,
    bounds: Bounds,
    session: Option<Session>,
    replica: Replica,
    stashes: BTreeMap<Slot, Stash>,
    /// The durable header area, once something is stashed, and what had been shown before it was
    /// written.
    header: Vec<u8>,
    header_shown: Mark,
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
            replica: Replica::new(setup.disk_seed, setup.sector_bytes),
            stashes: BTreeMap::new(),
            header: Vec::new(),
            header_shown: Mark::default(),
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
        // An open that does not get through may have published the header that it found once more,
        // which tells no more than before.
        let again = matches!(op, Op::Open(_)) && self.session.is_none();
        self.watch_header(if again { self.header_shown } else { bounds.shown });
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
            Op::Sync => self.sync(),
            Op::Checkpoint => self.checkpoint(),
            Op::Check => self.check(),
            Op::Begin => self.begin(),
            Op::Do(edit) => self.edit(edit),
            Op::Commit => self.commit(),
            Op::Pipeline(slot) => self.pipeline(*slot),
            Op::Wait(slot) => self.wait(*slot),
            Op::Rollback => self.rollback(),
            Op::Update(end, edits) => self.update(*end, edits),
            Op::PutCells { from, count, batch, value } => {
                self.put_cells(*from, *count, *batch, *value)
            }
            Op::Read(read) => self.read(read),
            Op::Snap(slot, seq) => self.snap(*slot, *seq),
            Op::ReadSnap(slot) => self.read_snap(*slot),
            Op::Tag(name, seq) => self.tag(name, *seq),
            Op::Untag(name) => self.untag(name),
            Op::Prune(before, rows) => self.prune(*before, *rows),
            Op::PruneBy(profile, tick) => self.prune_by(*profile, *tick),
            Op::HoldDiff(slot, a, b) => self.hold_diff(*slot, *a, *b),
            Op::ReadDiff(slot, count) => self.read_diff(*slot, *count),
            Op::Consumer(name, act) => self.consumer(name, *act),
            Op::Replicate(cut) => self.replicate(*cut),
            Op::HoldFollow(slot, spot) => self.hold_follow(*slot, *spot),
            Op::ReadFollow(slot, count) => self.read_follow(*slot, *count),
            Op::Crash(crash) => Ok(self.crash(crash)?),
            Op::Restore(slot, files) => self.restore(*slot, *files),
            Op::Damage(damage) => self.damage(*damage),
            _ => {
                self.arrange(op);
                Ok(())
            }
        }
    }

    /// Operations that nothing is to be said of.
    fn arrange(&mut self, op: &Op) {
        match op {
            Op::Drop => self.drop_session(),
            Op::Abandon => self.abandon(),
            Op::Forget(slot) => self.forget(*slot),
            Op::DropSnap(slot) => self.drop_snap(*slot),
            Op::DropDiff(slot) => self.drop_diff(*slot),
            Op::DropFollow(slot) => self.drop_follow(*slot),
            Op::LoseChangelog => self.lose_changelog(),
            Op::Clock(clock) => self.move_clock(*clock),
            Op::Fault(fault) => self.arm(fault),
            Op::Heal => self.heal(),
            Op::Free(sectors) => self.free(*sectors),
            Op::Stash(slot) => self.stash(*slot),
            _ => {}
        }
    }

    /// What errors are excused.
    fn excuses(&self) -> Excuses {
        let base = self.session.as_ref().map_or(self.before, |session| session.base);
        let failing = self.failing || self.session.as_ref().is_some_and(|session| session.hurt);
        Excuses { media: false, failing, disk: Some((self.disk.clone(), base)) }
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
        if found < self.bounds.shown.head || found > self.model.head() {
            let (shown, begun) = (self.bounds.shown.head, self.model.head());
            let what = format!("head is {found}; {shown} was shown and {begun} begun");
            return Err(Failure::new(Kind::Wrong, "head", what));
        }
        let durable = !session.buffered;
        if found > self.bounds.shown.head && durable && self.must_not_acknowledge() {
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
