//! Operations as plain data, and the plans made of them.
//!
//! A plan is everything a run needs: the setup of the database and its disk, and a list of
//! operations. It has a text form, one operation per line, that is written when a run fails,
//! kept in `corpus/plans` and replayed for ever. Any list of operations is a valid plan: one
//! that makes no sense where it stands (a commit without a transaction) does nothing, so that
//! lines can be struck out one by one.

mod changelog;
mod data;
mod parse;
mod parse_record;
mod print;
mod print_record;

use hexxladb::PruneProfile;
use hexxladb::vfs::sim::{CrashChoice, Fault};

pub use changelog::{Changelog, Spot, Way};
pub use data::{Key, Pos, Value, note_text, seam_id};
pub use parse::ParseError;

/// A number that names one of several pending commits, snapshots or stashed copies.
pub type Slot = u8;

/// A change or a read inside a write transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Puts a raw record.
    Put(Key, Value),
    /// Deletes a raw record.
    Delete(Key),
    /// Puts a cell made from the value.
    PutCell(Pos, Value),
    /// Deletes a cell.
    DeleteCell(Pos),
    /// Puts `count` raw records at numbered keys under one stem.
    Fill {
        /// What the keys start with.
        stem: Key,
        /// Number of the first key.
        from: u32,
        /// How many.
        count: u32,
        /// The first value; each next one has the next seed.
        value: Value,
    },
    /// Deletes `count` raw records at numbered keys under one stem.
    Clear {
        /// What the keys start with.
        stem: Key,
        /// Number of the first key.
        from: u32,
        /// How many.
        count: u32,
    },
    /// Gives a cell that is there the tags, source and validity of the value.
    Retag(Pos, Value),
    /// Puts a facet, whatever its cell says.
    PutFacet(Pos, u8, Value),
    /// Puts a facet derived from what its cell says, of some seeds from something else.
    UpdateFacet(Pos, u8, Value),
    /// Deletes a facet.
    DeleteFacet(Pos, u8),
    /// Puts an edge of a relation type.
    PutEdge(Pos, Pos, Key, Value),
    /// Puts an edge between two cells that are there.
    Link(Pos, Pos, Key, Value),
    /// Deletes an edge.
    DeleteEdge(Pos, Pos, Key),
    /// Puts the seam of a number, made from the value.
    PutSeam(u32, Pos, Pos, Value),
    /// Marks a conflict.
    Conflict(Pos, Pos, Value),
    /// Marks a supersession: the newer cell, the older one.
    Supersede(Pos, Pos, Value),
    /// Resolves a seam: of those that are there, the one that the number leads to.
    Resolve(u32, Value),
    /// Sets a note of so many bytes.
    Note(u32),
    /// Sets the commit time in nanoseconds.
    Time(i64),
    /// Reads a raw record through the transaction.
    Get(Key),
    /// Reads a cell through the transaction.
    GetCell(Pos),
    /// Reads everything through the transaction, both ways.
    Scan,
}

/// How the closure given to `update` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With `Ok`.
    Ok,
    /// With an error of its own.
    Fail,
    /// With a panic.
    Panic,
}

/// Something to read from the newest state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Every retained snapshot, by every way, with counters and histories.
    All,
    /// One raw record.
    Get(Key),
    /// One cell.
    GetCell(Pos),
    /// The snapshot at a sequence, which may lie in the future.
    At(u64),
    /// The snapshot at a time.
    Time(i64),
    /// The first `limit` raw records of a range, from the front and from the back.
    Range {
        /// Inclusive start.
        from: Key,
        /// Exclusive end.
        to: Key,
        /// Records to take.
        limit: u32,
    },
    /// Raw records that share a prefix.
    Prefix(Key),
    /// The first `limit` cells between two coordinates in Morton order.
    Cells {
        /// Inclusive start.
        from: Pos,
        /// Inclusive end.
        to: Pos,
        /// Cells to take.
        limit: u32,
    },
    /// Every version of a raw record.
    History(Key),
    /// Every version of a cell.
    HistoryCell(Pos),
    /// Commits of a range of sequences, both ends inclusive.
    Commits(u64, u64),
    /// Counters against a recount, and what holds the prune floor.
    Stats,
    /// The facets of a cell.
    Facets(Pos),
    /// The edges that leave a coordinate, and those that lead there.
    Edges(Pos),
    /// The seams of a coordinate.
    Seams(Pos),
    /// The first `limit` entries of a range of an index, from the front and from the back; weeks
    /// by their number.
    Index {
        /// Which index.
        index: Index,
        /// Inclusive start.
        from: Key,
        /// Exclusive end.
        to: Key,
        /// Entries to take.
        limit: u32,
    },
    /// Entries of an index whose texts share a prefix.
    IndexPrefix(Index, Key),
    /// The cells around a coordinate.
    Ring {
        /// The coordinate.
        center: Pos,
        /// How far.
        radius: u32,
        /// Only those valid at this time.
        valid_at: Option<i64>,
        /// Only those with this facet.
        facet: Option<u8>,
    },
    /// The seams around a coordinate, of all those or some by the number.
    FindSeams(Pos, u32, u32),
    /// Every version of one of the records that ever were.
    HistoryNth(u32),
    /// What differs between two snapshots.
    Diff(u64, u64),
    /// The snapshot that a tag names.
    Tag(Key),
    /// The changelog from a place on.
    Changelog(Way, Spot),
}

/// An index that is scanned by texts or weeks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// Cells by tag.
    CellTag,
    /// Cells by source.
    CellSource,
    /// Cells by week.
    CellWeek,
    /// Seams by source.
    SeamSource,
    /// Seams by week.
    SeamWeek,
}

impl Index {
    /// All of them, with what they are called in plans.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::CellTag, "cell_tag"),
        (Self::CellSource, "cell_source"),
        (Self::CellWeek, "cell_week"),
        (Self::SeamSource, "seam_source"),
        (Self::SeamWeek, "seam_week"),
    ];
}

/// Below what to prune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// A commit.
    Seq(u64),
    /// The newest commit at or before a time.
    Time(i64),
}

/// How a handle is opened; what is not named comes from the setup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Read-only.
    pub read_only: bool,
    /// Durability, when not the setup's.
    pub buffered: Option<bool>,
    /// Cache budget, when not the setup's.
    pub cache_bytes: Option<u64>,
    /// Checkpoint threshold, when not the setup's.
    pub checkpoint_bytes: Option<u64>,
    /// Retention policy: commits to keep.
    pub keep_commits: Option<u64>,
    /// Retention policy: nanoseconds to keep.
    pub keep_nanos: Option<u64>,
    /// The changelog, when not the setup's.
    pub changelog: Option<Changelog>,
}

/// A persisted option that disagrees with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The other format version.
    Mvcc,
    /// Another page size.
    PageSize,
}

/// How a process or a machine stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashKind {
    /// The process is gone; what it wrote is still in the file system's cache.
    Kill,
    /// The power is gone.
    Cut,
    /// The power is gone and the sector being written holds garbage.
    Hostile,
}

/// Which of the un-synced bytes a power cut leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// Chosen by the disk's own random numbers.
    Random,
    /// Exactly these.
    These(CrashChoice),
}

/// A crash, after the operation before it or in its midst.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// How.
    pub kind: CrashKind,
    /// Before which modifying file operation of the operation before it (from 0); `None` after
    /// the last.
    pub at: Option<u64>,
    /// What survives.
    pub survivors: Survivors,
}

/// Which files to bring back from a stashed copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// The primary alone.
    Primary,
    /// The log alone.
    Log,
    /// Primary and log.
    Both,
    /// The changelog's files.
    Changelog,
    /// Everything.
    All,
}

impl Files {
    /// All of them, with what they are called in plans.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Primary, "primary"),
        (Self::Log, "log"),
        (Self::Both, "both"),
        (Self::Changelog, "changelog"),
        (Self::All, "all"),
    ];
}

/// Damage to the files of a database that nobody has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The log ends here.
    CutLog(u64),
    /// Bytes of the log read zero.
    ZeroLog {
        /// First byte.
        from: u64,
        /// Byte after the last.
        to: u64,
    },
    /// Bytes of the log appear a second time.
    RepeatLog {
        /// First byte.
        from: u64,
        /// Byte after the last.
        to: u64,
        /// Where they appear again.
        at: u64,
    },
    /// The log is not there.
    RemoveLog,
    /// The primary is empty, and whoever opens it would have one created.
    EmptyPrimary,
    /// Bits of a byte of the primary flip.
    RotPrimary {
        /// The byte.
        offset: u64,
        /// The bits.
        mask: u8,
    },
    /// Bits of a byte of the log flip.
    RotLog {
        /// The byte.
        offset: u64,
        /// The bits.
        mask: u8,
    },
    /// None of the changelog's files is there.
    RemoveChangelog,
    /// One of the changelog's files, by its place among them, is not there.
    RemoveSegment(u8),
    /// One of the changelog's files ends here.
    CutSegment(u8, u64),
    /// Bits of a byte of one of the changelog's files flip.
    RotSegment {
        /// Which file.
        file: u8,
        /// The byte.
        offset: u64,
        /// The bits.
        mask: u8,
    },
    /// The changelog is that of another database.
    ForeignChangelog,
}

/// What the clock does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockMove {
    /// Goes on by so many nanoseconds, or back when negative.
    Step(i64),
    /// Stands still: later steps forward have no effect.
    Stop,
    /// Runs again.
    Run,
}

/// What is done to a consumer of the changelog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Registers it, if it is new.
    Register,
    /// Moves it on behind a commit.
    Advance(u64),
    /// Asks pruning to wait for it, or no longer.
    Hold(bool),
    /// Removes it.
    Remove,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Opens the database.
    Open(Open),
    /// Opens it with a persisted option that disagrees.
    OpenWrong(Wrong),
    /// Opens it once more while it is open.
    SecondOpen {
        /// Read-only.
        read_only: bool,
    },
    /// Closes the handle.
    Close,
    /// Drops the handle and all that hangs on it.
    Drop,
    /// `Db::sync`.
    Sync,
    /// `Db::checkpoint`.
    Checkpoint,
    /// `Db::check`.
    Check,
    /// Begins a write transaction.
    Begin,
    /// Changes or reads in the open write transaction.
    Do(Edit),
    /// Commits it and waits.
    Commit,
    /// Commits it without waiting.
    Pipeline(Slot),
    /// Waits for a commit that was not waited for.
    Wait(Slot),
    /// Drops a pending commit without waiting.
    Forget(Slot),
    /// Rolls the open write transaction back.
    Rollback,
    /// Drops the open write transaction.
    Abandon,
    /// A whole transaction by closure.
    Update(End, Vec<Edit>),
    /// Bulk write of numbered cells along a line.
    PutCells {
        /// First coordinate; the others follow along q.
        from: Pos,
        /// How many.
        count: u32,
        /// Cells per transaction.
        batch: u32,
        /// The first value; each next one has the next seed.
        value: Value,
    },
    /// Reads the newest state.
    Read(Read),
    /// Takes a snapshot: the newest, or at a sequence.
    Snap(Slot, Option<u64>),
    /// Reads a snapshot that is held.
    ReadSnap(Slot),
    /// Drops a snapshot.
    DropSnap(Slot),
    /// Tags a snapshot: the newest, or at a sequence.
    Tag(Key, Option<u64>),
    /// Deletes a tag.
    Untag(Key),
    /// Prunes; so many rows at most.
    Prune(Before, u64),
    /// Prunes by the policy that the handle was opened with: a batch of a plan, or (`true`) a
    /// tick of the scheduler.
    PruneBy(PruneProfile, bool),
    /// Begins to read what differs between two snapshots.
    HoldDiff(Slot, u64, u64),
    /// Reads so many differences on.
    ReadDiff(Slot, u32),
    /// Drops the differences.
    DropDiff(Slot),
    /// Begins to follow the changelog.
    HoldFollow(Slot, Spot),
    /// Takes so many entries on, as far as they are there.
    ReadFollow(Slot, u32),
    /// Follows no longer.
    DropFollow(Slot),
    /// Does something to a consumer of the changelog.
    Consumer(Key, Act),
    /// Brings a second database up to date by the changelog; its machine loses power before a
    /// modifying file operation of its own.
    Replicate(Option<u64>),
    /// The changelog's files are gone, while nobody has the database open.
    LoseChangelog,
    /// Moves the clock.
    Clock(ClockMove),
    /// A fault at a file operation from here on; its `at` counts from here.
    Fault(Fault),
    /// All faults stop.
    Heal,
    /// So many free sectors, or no limit.
    Free(Option<u64>),
    /// The process or the machine stops.
    Crash(Crash),
    /// Copies all files aside.
    Stash(Slot),
    /// Brings copies back while nobody has the database open.
    Restore(Slot, Files),
    /// Damages files while nobody has the database open.
    Damage(Damage),
}

/// The database and the disk of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Page size in bytes.
    pub page_bytes: u32,
    /// Log segment size in bytes.
    pub segment_bytes: u32,
    /// Cache budget in bytes.
    pub cache_bytes: u64,
    /// Log size at which a checkpoint starts, in bytes.
    pub checkpoint_bytes: u64,
    /// Largest value in bytes.
    pub max_value_bytes: u32,
    /// Format v2.
    pub mvcc: bool,
    /// Buffered durability.
    pub buffered: bool,
    /// Size of what the disk writes atomically.
    pub sector_bytes: u32,
    /// Seed of the disk's random numbers.
    pub disk_seed: u64,
    /// The run ends with a power cut, among other things.
    pub cut: bool,
    /// The changelog.
    pub changelog: Changelog,
    /// Bytes from which a segment of the changelog is sealed.
    pub changelog_bytes: u64,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            page_bytes: 512,
            segment_bytes: 16 << 10,
            cache_bytes: 64 << 10,
            checkpoint_bytes: 32 << 10,
            max_value_bytes: 16 << 10,
            mvcc: true,
            buffered: false,
            sector_bytes: 512,
            disk_seed: 1,
            cut: true,
            changelog: Changelog::Off,
            changelog_bytes: 16 << 10,
        }
    }
}

/// A setup and the operations that run on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What it found, and how: lines of comment without their `#`.
    pub comment: Vec<String>,
    /// The database and the disk.
    pub setup: Setup,
    /// The operations.
    pub ops: Vec<Op>,
}
