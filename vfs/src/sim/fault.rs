//! Faults as plain data: what happens, at which operation, to what.
//!
//! Every fault that ever fires is one of these values with all its details, so that a recorded
//! list of them replays a run without the seed that drew them. Their text form is in
//! `fault_text`.

use std::path::Path;
use std::sync::Arc;

use crate::Op;

/// Which operations a fault waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is named after the operation it stands for")]
pub enum Target {
    /// The next operation of whatever kind (that the effect applies to).
    Any,
    Open,
    Exists,
    Rename,
    Remove,
    List,
    SyncDir,
    FreeSpace,
    Read,
    Write,
    Len,
    SetLen,
    Allocate,
    /// `sync_data` or `sync_all`.
    Sync,
    Lock,
    Entropy,
}

impl Target {
    /// Every target, in the order of declaration.
    pub const ALL: [Self; 16] = [
        Self::Any,
        Self::Open,
        Self::Exists,
        Self::Rename,
        Self::Remove,
        Self::List,
        Self::SyncDir,
        Self::FreeSpace,
        Self::Read,
        Self::Write,
        Self::Len,
        Self::SetLen,
        Self::Allocate,
        Self::Sync,
        Self::Lock,
        Self::Entropy,
    ];

    /// Where this target's bit is in a set of targets.
    pub(super) fn bit(self) -> u32 {
        1 << self as u32
    }

    pub(super) fn is(self, other: Self) -> bool {
        self == Self::Any || self == other
    }
}

impl From<Op> for Target {
    fn from(op: Op) -> Self {
        match op {
            Op::Open => Self::Open,
            Op::Exists => Self::Exists,
            Op::Rename => Self::Rename,
            Op::Remove => Self::Remove,
            Op::List => Self::List,
            Op::SyncDir => Self::SyncDir,
            Op::FreeSpace => Self::FreeSpace,
            Op::Read => Self::Read,
            Op::Write => Self::Write,
            Op::Len => Self::Len,
            Op::SetLen => Self::SetLen,
            Op::Allocate => Self::Allocate,
            Op::SyncData | Op::SyncAll => Self::Sync,
            Op::Lock => Self::Lock,
            Op::Entropy => Self::Entropy,
        }
    }
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The operation fails with an I/O error and does nothing (a sync: as
    /// [`Effect::EioKeep`] with seed 0).
    Eio,
    /// So do this and all later ones of the target.
    EioForever,
    /// The sync fails; what was pending is marked clean and stays in the cache. A non-zero seed
    /// picks sectors that reached the disk all the same.
    EioKeep {
        /// Picks the sectors that were written.
        seed: u64,
    },
    /// As [`Effect::EioKeep`], but the cache reverts to what the disk holds.
    EioRevert {
        /// Picks the sectors that were written.
        seed: u64,
    },
    /// The read or write serves at most so many bytes (at least one).
    Short(u64),
    /// The read or write is interrupted before it does anything.
    Interrupted,
    /// From now on so many sectors are free; `None` lifts the limit.
    Free(Option<u64>),
    /// Bits of a file's durable bytes flip.
    Rot {
        /// The file, by its name in the cache view.
        path: Arc<Path>,
        /// Place of the byte.
        offset: u64,
        /// The bits.
        mask: u8,
    },
    /// The write will be said to be synced but never reaches the disk.
    Lost {
        /// Reads see so as soon as it is synced, not only after a power cut.
        evict: bool,
    },
    /// The write will reach another place than its own when it is synced.
    Misdirected {
        /// Where it goes (rounded down to a sector).
        offset: u64,
        /// Which file it goes to; `None` is the file that was written.
        path: Option<Arc<Path>>,
        /// Reads see so as soon as it is synced, not only after a power cut.
        evict: bool,
    },
    /// The read sees the file as it was before its last `age` syncs.
    Stale {
        /// How many syncs back; as far as is remembered (4).
        age: u32,
    },
    /// The wall clock stands still.
    ClockStop,
    /// The wall clock goes again.
    ClockRun,
    /// The wall clock jumps by so many nanoseconds, ahead or back.
    ClockStep(i64),
}

impl Effect {
    /// Whether an operation of this kind can suffer it.
    #[must_use]
    pub fn applies_to(&self, target: Target) -> bool {
        match self {
            Self::Eio | Self::EioForever => true,
            Self::EioKeep { .. } | Self::EioRevert { .. } => target == Target::Sync,
            Self::Short(_) | Self::Interrupted => matches!(target, Target::Read | Target::Write),
            Self::Lost { .. } | Self::Misdirected { .. } => target == Target::Write,
            Self::Stale { .. } => target == Target::Read,
            _ => self.is_ambient(),
        }
    }

    /// Whether it changes the world rather than the outcome of one operation.
    #[must_use]
    pub fn is_ambient(&self) -> bool {
        matches!(
            self,
            Self::Free(_)
                | Self::Rot { .. }
                | Self::ClockStop
                | Self::ClockRun
                | Self::ClockStep(_)
        )
    }

    /// What it counts as.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Eio => FaultKind::Eio,
            Self::EioForever => FaultKind::EioForever,
            Self::EioKeep { .. } => FaultKind::SyncKeep,
            Self::EioRevert { .. } => FaultKind::SyncRevert,
            Self::Short(_) => FaultKind::Short,
            Self::Interrupted => FaultKind::Interrupted,
            Self::Free(Some(_)) => FaultKind::SpaceOut,
            Self::Free(None) => FaultKind::SpaceBack,
            Self::Rot { .. } => FaultKind::Rot,
            Self::Lost { .. } => FaultKind::Lost,
            Self::Misdirected { .. } => FaultKind::Misdirected,
            Self::Stale { .. } => FaultKind::Stale,
            Self::ClockStop => FaultKind::ClockStop,
            Self::ClockRun => FaultKind::ClockRun,
            Self::ClockStep(_) => FaultKind::ClockStep,
        }
    }
}

/// The kinds of fault, for weights and for counting. The last few do not come from a plan: the
/// driver causes them, and they are counted where they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// An operation failed once.
    Eio,
    /// An operation fails from now on.
    EioForever,
    /// A sync failed, the cache kept the bytes.
    SyncKeep,
    /// A sync failed, the cache reverted.
    SyncRevert,
    /// A read or write served fewer bytes than asked.
    Short,
    /// A read or write was interrupted.
    Interrupted,
    /// The free space got a limit.
    SpaceOut,
    /// The limit was lifted.
    SpaceBack,
    /// Bits flipped.
    Rot,
    /// A write was lost.
    Lost,
    /// A write went to the wrong place.
    Misdirected,
    /// A read saw old bytes.
    Stale,
    /// The clock stopped.
    ClockStop,
    /// The clock went on.
    ClockRun,
    /// The clock jumped.
    ClockStep,
    /// A write or allocation ran out of space.
    NoSpace,
    /// A lock was refused.
    LockRefused,
    /// The process was killed.
    Kill,
    /// The power was cut.
    PowerCut,
    /// A power cut left garbage in a sector.
    Garbage,
    /// A power cut followed a kill, with bytes still un-synced.
    KillThenCut,
    /// A file was edited while powered off.
    Edit,
}

impl FaultKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 22] = [
        Self::Eio,
        Self::EioForever,
        Self::SyncKeep,
        Self::SyncRevert,
        Self::Short,
        Self::Interrupted,
        Self::SpaceOut,
        Self::SpaceBack,
        Self::Rot,
        Self::Lost,
        Self::Misdirected,
        Self::Stale,
        Self::ClockStop,
        Self::ClockRun,
        Self::ClockStep,
        Self::NoSpace,
        Self::LockRefused,
        Self::Kill,
        Self::PowerCut,
        Self::Garbage,
        Self::KillThenCut,
        Self::Edit,
    ];

    /// Whether it can be drawn by chance; the others happen by themselves or by the driver.
    #[must_use]
    pub fn is_drawn(self) -> bool {
        self < Self::NoSpace
    }
}

/// One fault: at the first operation numbered `at` or later that `on` and the effect apply to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Number of the operation, as [`SimVfs::ops`](super::SimVfs::ops) counts, from 0.
    pub at: u64,
    /// Which operations it waits for.
    pub on: Target,
    /// What it does then.
    pub effect: Effect,
}

/// A list of faults, each of which fires at most once.
///
/// ```
/// use hexxladb_vfs::sim::{Effect, FaultPlan, Target};
///
/// let plan: FaultPlan = "fault 12 sync eio-keep\nfault 30 write short 100\n".parse()?;
/// assert_eq!(plan.0[0].on, Target::Sync);
/// assert_eq!(plan.0[1].effect, Effect::Short(100));
/// assert_eq!(plan.to_string().parse::<FaultPlan>()?, plan);
/// # Ok::<(), hexxladb_vfs::sim::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan(pub Vec<Fault>);

/// How often each kind of fault fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fired([u64; FaultKind::ALL.len()]);

impl Fired {
    /// How often this kind fired.
    #[must_use]
    pub fn count(&self, kind: FaultKind) -> u64 {
        self.0[kind as usize]
    }

    /// Every kind with its count.
    pub fn iter(&self) -> impl Iterator<Item = (FaultKind, u64)> + '_ {
        FaultKind::ALL.into_iter().map(|kind| (kind, self.count(kind)))
    }

    /// Adds the counts of another run.
    pub fn merge(&mut self, other: &Self) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum += count;
        }
    }

    pub(super) fn add(&mut self, kind: FaultKind) {
        self.0[kind as usize] += 1;
    }
}

/// Where a fault of the medium hit, for judging whether an outcome is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Number of the operation at which it was caused.
    pub op: u64,
    /// Which fault.
    pub kind: FaultKind,
    /// The file, by its name at that time.
    pub path: Arc<Path>,
    /// First byte that may be wrong.
    pub offset: u64,
    /// How many bytes may be wrong.
    pub bytes: u64,
}
