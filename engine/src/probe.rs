//! Named places that a campaign must reach. Counted per thread behind the feature `sim`, absent
//! from ordinary builds.

macro_rules! probes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// A place to be reached.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Probe { $($(#[$doc])* $name,)+ }

        #[cfg(feature = "sim")]
        impl Probe {
            const NAMES: &'static [&'static str] = &[$($text,)+];
        }
    };
}

probes! {
    RootSplit = "split of the root",
    RootCollapse = "root collapsed",
    LeafMerged = "leaves merged",
    BranchSplit = "branch split",
    BranchMerged = "branches merged",
    OverflowWritten = "overflow value written",
    OverflowFreed = "overflow value freed",
    BranchNotKept = "branch not kept for want of cache",
    BranchesShed = "branches shed",
    FreedPagesReleased = "freed pages released",
    FreePageReused = "free page reused",
    CheckpointDone = "checkpoint done",
    CheckpointBesideCommits = "commit during a checkpoint",
    CheckpointNoSpace = "checkpoint without space",
    ReplacedWhileCheckpointing = "node replaced while a checkpoint wrote it",
    TreeFolded = "tree folded",
    TransactionSpilled = "transaction spilled",
    TransactionParts = "transaction in parts",
    AbortFrame = "abort frame",
    GroupCommit = "group of several frames",
    SmallGroupDoubled = "small group stored twice",
    SegmentReused = "log segment reused",
    LogGrown = "log grown",
    LogSegmentCrossed = "log crossed into another segment",
    SyncFailed = "log sync failed",
    CommitRefusedNoSpace = "commit refused for want of space",
    HeaderSlot0 = "header slot 0 chosen",
    HeaderSlot1 = "header slot 1 chosen",
    HeaderSlot2 = "header slot 2 chosen",
    HeaderSlot3 = "header slot 3 chosen",
    HeaderTorn = "torn header passed over",
    TornTail = "torn tail discarded",
    SecondCopyUsed = "second copy of a frame used",
    PartsDiscarded = "parts without a commit discarded",
    RecoveredFrames = "frames replayed",
    CleanOpen = "clean open",
    LazyInUse = "first write after a clean open",
    FloorRaised = "prune floor raised",
    PruneHeld = "prune floor held",
    PruneSlice = "slice of rows pruned",
    PrunePassDone = "pass of pruning through",
    LastVersionPruned = "last version of a record pruned",
    PruneLimit = "prune stopped by its row limit",
    MaintenanceFrames = "maintenance in several frames",
    MaintenanceReplayed = "maintenance replayed",
    OwnIndexRowUndone = "own index row taken back",
    CircleRefused = "circle of supersessions refused",
    ChangelogCut = "changelog cut at its synced end",
    ChangelogSealed = "changelog segment sealed",
    ChangelogRotated = "changelog segment set apart",
    ChangelogRotatedUnseen = "changelog rotated after the newest header",
    ChangelogMissing = "changelog missing",
    ChangelogReplayed = "changelog written from the log",
    ChangelogNoSpace = "changelog without space",
    ChangelogFromTree = "large commit in the changelog",
    UnfinishedCreate = "unfinished creation begun anew",
}

/// Notes that a place was reached.
#[inline]
pub(crate) fn hit(probe: Probe) {
    #[cfg(feature = "sim")]
    counts::add(probe as usize);
    #[cfg(not(feature = "sim"))]
    let _ = probe;
}

/// Every probe's name.
#[cfg(feature = "sim")]
pub fn all() -> &'static [&'static str] {
    Probe::NAMES
}

/// How often this thread reached each probe since the last call.
#[cfg(feature = "sim")]
pub fn take() -> std::collections::BTreeMap<&'static str, u64> {
    let counts = counts::take();
    Probe::NAMES.iter().zip(counts).filter(|&(_, count)| count > 0).map(|(&n, c)| (n, c)).collect()
}

#[cfg(feature = "sim")]
mod counts {
    use std::cell::RefCell;

    thread_local! {
        static COUNTS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn add(index: usize) {
        COUNTS.with_borrow_mut(|counts| {
            if counts.len() <= index {
                counts.resize(super::Probe::NAMES.len(), 0);
            }
            counts[index] += 1;
        });
    }

    pub(super) fn take() -> Vec<u64> {
        COUNTS.with_borrow_mut(std::mem::take)
    }
}
