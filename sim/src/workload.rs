//! Draws the next operation of a run from where the run stands.

mod edits;
mod reads;
mod upkeep;

use crate::faults::damage;
use crate::op::{Changelog, ClockMove, Crash, Edit, End, Files, Op, Open, Wrong};
use crate::random::Random;
use crate::runner::View;
use crate::swarm::{Profile, values};

/// A kind of operation that a run may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Raw records.
    Raw,
    /// Cells.
    Cells,
    /// Facets.
    Facets,
    /// Edges.
    Edges,
    /// Seams.
    Seams,
    /// Deletes of all of these.
    Deletes,
    /// Values that need pages of their own.
    Overflow,
    /// Transactions larger than the cache, and many deletes.
    Bulk,
    /// Notes and commit times.
    Notes,
    /// Records and keys that must be refused.
    Refused,
    /// Transactions held across other operations.
    Held,
    /// Commits that are not waited for.
    Pipeline,
    /// Transactions that come to nothing.
    Undone,
    /// Bulk writes of cells.
    PutCells,
    /// Reads of the newest state.
    Reads,
    /// Reads of the past.
    Past,
    /// Snapshots that are held.
    Snapshots,
    /// Checkpoints.
    Checkpoint,
    /// Syncs.
    Sync,
    /// Closing.
    Close,
    /// Dropping the handle.
    Drop,
    /// Handles that only read.
    ReadOnly,
    /// Opens that must be refused.
    WrongOpen,
    /// The clock.
    Clock,
    /// Snapshot tags.
    Tags,
    /// Pruning.
    Prune,
    /// Differences that are read while the database goes on.
    Diffs,
    /// Reads of the changelog, which is turned on and off.
    Changelog,
}

impl Activity {
    /// Every activity.
    pub const ALL: [Self; 28] = [
        Self::Raw,
        Self::Cells,
        Self::Facets,
        Self::Edges,
        Self::Seams,
        Self::Deletes,
        Self::Overflow,
        Self::Bulk,
        Self::Notes,
        Self::Refused,
        Self::Held,
        Self::Pipeline,
        Self::Undone,
        Self::PutCells,
        Self::Reads,
        Self::Past,
        Self::Snapshots,
        Self::Checkpoint,
        Self::Sync,
        Self::Close,
        Self::Drop,
        Self::ReadOnly,
        Self::WrongOpen,
        Self::Clock,
        Self::Tags,
        Self::Prune,
        Self::Diffs,
        Self::Changelog,
    ];

    /// Percent of runs that have it, and its least weight in them.
    #[must_use]
    #[expect(clippy::match_same_arms, reason = "a table, in the order of the activities")]
    pub fn odds(self) -> (u32, u32) {
        match self {
            Self::Raw => (90, 12),
            Self::Cells => (60, 8),
            Self::Facets => (40, 4),
            Self::Edges => (45, 5),
            Self::Seams => (45, 5),
            Self::Deletes => (70, 8),
            Self::Overflow => (40, 5),
            Self::Bulk => (35, 4),
            Self::Notes => (30, 3),
            Self::Refused => (15, 1),
            Self::Held => (50, 14),
            Self::Pipeline => (45, 12),
            Self::Undone => (40, 4),
            Self::PutCells => (15, 3),
            Self::Reads => (60, 4),
            Self::Past => (60, 4),
            Self::Snapshots => (45, 8),
            Self::Checkpoint => (50, 5),
            Self::Sync => (35, 3),
            Self::Close => (60, 3),
            Self::Drop => (40, 2),
            Self::ReadOnly => (30, 3),
            Self::WrongOpen => (20, 2),
            Self::Clock => (50, 4),
            Self::Tags => (35, 4),
            Self::Prune => (55, 8),
            Self::Diffs => (25, 4),
            Self::Changelog => (50, 9),
        }
    }
}

/// Draws operations.
pub struct Generator {
    random: Random,
    profile: Profile,
    values: u32,
}

impl Generator {
    /// A generator for a profile; `random` has drawn the profile before.
    #[must_use]
    pub fn new(random: Random, profile: Profile) -> Self {
        Self { random, profile, values: 0 }
    }

    /// The next operation, and the crash that strikes in its midst, if any.
    pub fn next(&mut self, view: &View) -> (Op, Option<Crash>) {
        if let Some(op) = self.disturbance(view) {
            return (op, None);
        }
        let op = self.operation(view);
        let crash = if self.random.percent(self.profile.rates.crash_percent) {
            self.profile.rates.crash(&mut self.random).filter(|crash| crash.at.is_some())
        } else {
            None
        };
        (op, crash)
    }

    /// Faults, crashes between operations, healing, trials.
    fn disturbance(&mut self, view: &View) -> Option<Op> {
        let rates = self.profile.rates.clone();
        if self.random.percent(rates.crash_percent / 3) {
            let crash = rates.crash(&mut self.random)?;
            return Some(Op::Crash(Crash { at: None, ..crash }));
        }
        if let Some(fault) = rates.fault(&mut self.random, view) {
            return Some(Op::Fault(fault));
        }
        if (view.disturbed && self.random.percent(25)) || (view.stuck && self.random.percent(60)) {
            return Some(Op::Heal);
        }
        if view.created && self.random.percent(rates.trial_percent) {
            return Some(match (self.random.small(5), view.stashes.as_slice()) {
                (0, _) | (1, []) => Op::Stash(self.random.small(3) as u8),
                (1 | 2, [_, ..]) => {
                    let slot = *self.random.pick(&view.stashes);
                    let files = self.random.pick(&Files::ALL).0;
                    Op::Restore(slot, files)
                }
                _ => Op::Damage(damage(&mut self.random, view)),
            });
        }
        None
    }

    fn operation(&mut self, view: &View) -> Op {
        if !view.open {
            return self.opening();
        }
        if view.poisoned && self.random.percent(40) {
            return self.leaving(50);
        }
        if view.read_only && self.random.percent(25) {
            return self.leaving(50);
        }
        if view.in_tx && self.random.percent(80) {
            return self.in_transaction(view);
        }
        match self.activity() {
            Activity::Held => Op::Begin,
            Activity::Pipeline => self.waiting(view),
            Activity::Undone => {
                let end = if self.random.percent(60) { End::Fail } else { End::Panic };
                Op::Update(end, self.edits())
            }
            Activity::PutCells => Op::PutCells {
                from: self.pos(),
                count: 1 + self.random.small(30),
                batch: 1 + self.random.small(12),
                value: self.value(),
            },
            Activity::Reads => Op::Read(self.read_newest()),
            Activity::Past => Op::Read(self.read_past(view)),
            Activity::Snapshots => self.snapshots(view),
            Activity::Checkpoint if self.random.percent(25) => Op::Check,
            Activity::Checkpoint => Op::Checkpoint,
            Activity::Sync => Op::Sync,
            Activity::Close => Op::Close,
            Activity::Drop => self.leaving(100),
            Activity::ReadOnly | Activity::WrongOpen => {
                if self.random.percent(60) {
                    Op::SecondOpen { read_only: self.random.percent(50) }
                } else {
                    Op::Check
                }
            }
            Activity::Clock => Op::Clock(self.clock()),
            Activity::Tags => self.tags(view),
            Activity::Prune => self.prune(view),
            Activity::Diffs => self.differences(view),
            Activity::Changelog => self.changelog(view),
            _ => Op::Update(End::Ok, self.edits()),
        }
    }

    fn has(&self, activity: Activity) -> bool {
        let index = Activity::ALL.iter().position(|other| *other == activity);
        index.is_some_and(|index| self.profile.weights[index] > 0)
    }

    fn activity(&mut self) -> Activity {
        let weights = self.profile.weights.iter().copied();
        self.random.weighted(weights).map_or(Activity::Raw, |index| Activity::ALL[index])
    }

    /// The end of a handle: in a kind world always a close.
    fn leaving(&mut self, drop_percent: u32) -> Op {
        let drops = self.profile.setup.cut && self.random.percent(drop_percent);
        if drops { Op::Drop } else { Op::Close }
    }

    fn opening(&mut self) -> Op {
        if self.has(Activity::WrongOpen) && self.random.percent(15) {
            return Op::OpenWrong(*self.random.pick(&[Wrong::Mvcc, Wrong::PageSize]));
        }
        if self.has(Activity::Clock) && self.random.percent(15) {
            return Op::Clock(self.clock());
        }
        if self.has(Activity::Changelog) && self.random.percent(3) {
            return Op::LoseChangelog;
        }
        let read_only = self.has(Activity::ReadOnly) && self.random.percent(25);
        let mut open = Open { read_only, ..Open::default() };
        if self.random.percent(10) {
            open.buffered = Some(self.random.percent(50));
        }
        if self.random.percent(15) {
            open.cache_bytes = Some(*self.random.pick(&[16 << 10, 64 << 10]));
        }
        if self.random.percent(15) {
            open.checkpoint_bytes = Some(*self.random.pick(&[16 << 10, 128 << 10]));
        }
        if self.has(Activity::Prune) && self.random.percent(50) {
            self.policy(&mut open);
        }
        if self.has(Activity::Changelog) && self.random.percent(20) {
            let off = self.random.percent(45);
            let changelog = if off { Changelog::Off } else { values(&mut self.random) };
            open.changelog = Some(changelog);
        }
        Op::Open(open)
    }

    fn in_transaction(&mut self, view: &View) -> Op {
        match self.random.small(21) {
            0..=9 => Op::Do(self.edit()),
            // What a transaction forbids.
            20 if self.has(Activity::Prune) => self.prune(view),
            20 if self.has(Activity::Tags) => self.tags(view),
            10 => Op::Do(match self.random.small(3) {
                0 => Edit::Get(self.key()),
                1 => Edit::GetCell(self.pos()),
                _ => Edit::Scan,
            }),
            11 if self.has(Activity::Undone) => Op::Rollback,
            12 if self.has(Activity::Undone) => Op::Abandon,
            13 if self.has(Activity::WrongOpen) => {
                if self.random.percent(50) {
                    Op::Begin
                } else {
                    Op::Close
                }
            }
            14..=16 if self.has(Activity::Pipeline) => Op::Pipeline(free_slot(&view.waiting)),
            _ => Op::Commit,
        }
    }

    /// Commits in flight: more of them, or the end of one, in any order.
    fn waiting(&mut self, view: &View) -> Op {
        if view.waiting.is_empty() || self.random.percent(40) {
            return Op::Begin;
        }
        let slot = *self.random.pick(&view.waiting);
        match self.random.small(10) {
            0 => Op::Forget(slot),
            // A transaction that comes to nothing must wait for what it may have read.
            1 => Op::Update(End::Ok, Vec::new()),
            2 => Op::Update(End::Fail, vec![Edit::Get(self.key())]),
            _ => Op::Wait(slot),
        }
    }

    fn snapshots(&mut self, view: &View) -> Op {
        if view.snapshots.is_empty() || self.random.percent(25) {
            let seq = self.random.percent(50).then(|| self.random.below(view.head + 2));
            return Op::Snap(self.random.small(4) as u8, seq);
        }
        let slot = *self.random.pick(&view.snapshots);
        if self.random.percent(80) { Op::ReadSnap(slot) } else { Op::DropSnap(slot) }
    }

    fn clock(&mut self) -> ClockMove {
        let far = *self.random.pick(&[1, 1_000, 1_000_000_000, 86_400_000_000_000]);
        let nanos = 1 + self.random.below(far).cast_signed();
        match self.random.small(10) {
            0 => ClockMove::Stop,
            1 => ClockMove::Run,
            2 | 3 => ClockMove::Step(-nanos),
            _ => ClockMove::Step(nanos),
        }
    }
}

fn free_slot(taken: &[u8]) -> u8 {
    (0..8).find(|slot| !taken.contains(slot)).unwrap_or(0)
}
