//! The one error type. Each variant carries what a person needs to act, and its message says
//! what to do.

use std::path::PathBuf;

use ulid::Ulid;

use crate::ids::Coord;

/// Result of a database call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong.
///
/// Stable to match on; new variants may come. Errors that end a transaction leave nothing of it
/// behind, except where the variant says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file operation failed.
    #[error("{0}")]
    Io(#[from] hexxladb_vfs::Error),

    /// Another handle, in this or another process, has the database open.
    #[error("database {} is open elsewhere{}; close it there first", path.display(),
        holder.map_or(String::new(), |pid| format!(" (process {pid})")))]
    DatabaseLocked {
        /// The primary file.
        path: PathBuf,
        /// Process id of the holder, where the system tells it.
        holder: Option<u32>,
    },

    /// There is no database at this path and the options forbid creating one.
    #[error("no database at {}; check the path, or let open create it", path.display())]
    DatabaseMissing {
        /// The path given to open.
        path: PathBuf,
    },

    /// The file is not a HexxlaDB database.
    #[error("{} is not a HexxlaDB database: {what}", path.display())]
    NotADatabase {
        /// The path given to open.
        path: PathBuf,
        /// What was found instead.
        what: String,
    },

    /// The file was written by a version that this one does not understand.
    #[error("{} needs format features that this version does not know ({what}); open it with a newer release", path.display())]
    UnsupportedFormat {
        /// The primary file.
        path: PathBuf,
        /// Version or feature bits that are unknown.
        what: String,
    },

    /// The primary counts on a log that is not there.
    #[error("the write-ahead log {} is missing, and the primary was not closed cleanly; put the log back beside it, or restore a backup", path.display())]
    WalMissing {
        /// Where the log should be.
        path: PathBuf,
    },

    /// The log belongs to another file or to a newer state of this one.
    #[error("the write-ahead log {} does not belong to this primary ({what}); put matching files together, or restore a backup", path.display())]
    WalMismatch {
        /// The log.
        path: PathBuf,
        /// Why it does not fit.
        what: String,
    },

    /// Bytes on disk are not what was written.
    #[error("{file} is damaged at offset {offset}: {what}; run `hexxladb salvage` on a copy, or restore the last backup", file = file.display())]
    CorruptDatabase {
        /// The damaged file.
        file: PathBuf,
        /// Byte offset of the damage.
        offset: u64,
        /// What was expected and found.
        what: String,
    },

    /// A persisted option disagrees with the file.
    #[error(
        "option {option} is {file} in the file but {given} was asked for; drop the option or open another file"
    )]
    OptionMismatch {
        /// The option's name.
        option: &'static str,
        /// Its value in the file.
        file: String,
        /// The value given.
        given: String,
    },

    /// An argument or option is out of bounds.
    #[error("{what} is {given}; accepted: {accepted}")]
    InvalidArgument {
        /// Which argument.
        what: &'static str,
        /// The value given.
        given: String,
        /// The values that are accepted.
        accepted: String,
    },

    /// The call needs format v2.
    #[error(
        "{call} needs a database with mvcc; this file is format v1: migrate it, or open a new one with mvcc on"
    )]
    MvccRequired {
        /// The call.
        call: &'static str,
    },

    /// The file is format v1 and MVCC was asked for.
    #[error("{} is a format v1 file without versions; migrate it to format v2 (hexxladb migrate), or open it with mvcc(false)", path.display())]
    MigrationRequired {
        /// The primary file.
        path: PathBuf,
    },

    /// A read above the newest commit.
    #[error("sequence {seq} is above head {head}; read at {head} or below")]
    ReadSeqFuture {
        /// The sequence asked for.
        seq: u64,
        /// The newest commit.
        head: u64,
    },

    /// A read below the prune floor.
    #[error("snapshot {seq} has been pruned; the oldest readable one is {oldest}")]
    SnapshotPruned {
        /// The sequence asked for.
        seq: u64,
        /// The oldest sequence that still reads right.
        oldest: u64,
    },

    /// A coordinate outside the lattice.
    #[error("coordinate ({q},{r}) is out of range: |q|, |r| and |q+r| are at most {max}", max = crate::ids::MAX_COMPONENT)]
    CoordOutOfRange {
        /// Axial q.
        q: i64,
        /// Axial r.
        r: i64,
    },

    /// An encoded key is too long.
    #[error("{what} is {len} bytes encoded; at most {max} fit")]
    KeyTooLarge {
        /// Which key or part of it.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The most that fits.
        max: usize,
    },

    /// An encoded value is larger than `max_value_bytes`.
    #[error("value is {len} bytes encoded; max_value_bytes is {max}")]
    ValueTooLarge {
        /// Its length in bytes.
        len: usize,
        /// The database's limit.
        max: usize,
    },

    /// A record violates a rule of its family.
    #[error("{family} refused: {what}")]
    InvalidRecord {
        /// The family.
        family: &'static str,
        /// The rule.
        what: String,
    },

    /// There is no cell at the coordinate.
    #[error("there is no cell at {coord}; put one first")]
    CellNotFound {
        /// The coordinate.
        coord: Coord,
    },

    /// A facet was derived from another content than the cell has.
    #[error(
        "the facet was derived from another content than the cell at {coord} has; derive it anew"
    )]
    FacetDerivationMismatch {
        /// The cell's coordinate.
        coord: Coord,
        /// SHA-256 of the cell's content.
        expected: [u8; 32],
        /// The facet's derivation hash.
        found: [u8; 32],
    },

    /// There is no seam of this id.
    #[error("there is no seam {id}; look at seams_of or find_seams")]
    SeamNotFound {
        /// The id.
        id: Ulid,
    },

    /// An existing seam joins other cells.
    #[error("seam {id} joins other cells, which cannot change; put a seam with a new id")]
    SeamEndpointsFixed {
        /// The id.
        id: Ulid,
    },

    /// The supersession would close a circle.
    #[error(
        "{older} supersedes {newer} already, directly or through others; mark the one that holds now"
    )]
    SupersessionCycle {
        /// The cell that was to take the other's place.
        newer: Coord,
        /// The other.
        older: Coord,
    },

    /// A snapshot tag of this name is at another sequence.
    #[error("snapshot tag {name:?} is at commit {seq}; delete it first, or choose another name")]
    SnapshotTagExists {
        /// The name.
        name: String,
        /// Where it is.
        seq: u64,
    },

    /// There is no snapshot tag of this name.
    #[error("there is no snapshot tag {name:?}; snapshot_tags lists those that are")]
    SnapshotTagNotFound {
        /// The name.
        name: String,
    },

    /// `update` or `begin_write` inside a write transaction on the same thread.
    #[error("a write transaction is already running on this thread; finish it first")]
    NestedWrite,

    /// The commit was appended but its sync failed: it may or may not be there after reopening.
    #[error(
        "commit {seq} may or may not be durable: {cause}; reopen the database and look at commits({seq}..)"
    )]
    CommitUnknown {
        /// The commit's sequence.
        seq: u64,
        /// What failed.
        cause: String,
    },

    /// An earlier write failed; nothing more is written until the database is reopened.
    #[error("an earlier write failed ({cause}); reopen the database to recover")]
    Poisoned {
        /// What failed.
        cause: String,
    },

    /// The handle is closed.
    #[error("the database is closed")]
    DatabaseClosed,

    /// `close` inside a transaction.
    #[error("close was called inside a transaction; finish the transaction first")]
    CloseInTransaction,

    /// A write through a read-only handle.
    #[error("the database is open read-only")]
    ReadOnly,

    /// The caller's cancel token was set.
    #[error("cancelled after {done} of the work; what was committed before stays")]
    Cancelled {
        /// Units done before.
        done: u64,
    },

    /// The database keeps no changelog.
    #[error(
        "the changelog is off; open with Options::changelog to turn it on (hexxladb: --changelog)"
    )]
    ChangelogDisabled,

    /// There is no consumer of the changelog of this name.
    #[error("there is no changelog consumer {name:?}; changelog_consumer registers it")]
    ChangelogConsumerNotFound {
        /// The name.
        name: String,
    },

    /// A read below the oldest entry that the changelog still has.
    #[error(
        "the changelog begins with commit {oldest}; read on from there, or seed a replica anew"
    )]
    ChangelogTruncated {
        /// The oldest commit whose entries are there.
        oldest: u64,
    },

    /// Commits that the changelog says it lacks: it was off, or lost.
    #[error(
        "commits {first} to {last} are not in the changelog; read on from {}, or seed a replica anew",
        last + 1
    )]
    ChangelogGap {
        /// The first commit that is not there.
        first: u64,
        /// The last one.
        last: u64,
    },

    /// The changelog is ahead of the primary: an older primary lies beside it.
    #[error(
        "the changelog goes up to commit {last}, this primary only to {head}; put matching files together, or run `hexxladb changelog repair`, which sets the changelog aside"
    )]
    ChangelogMismatch {
        /// The changelog's last commit.
        last: u64,
        /// The primary's head.
        head: u64,
    },

    /// The changelog beside the primary belongs to another history.
    #[error("{} belongs to another database; move it away, or put matching files together", path.display())]
    ChangelogForeign {
        /// The file.
        path: PathBuf,
    },

    /// Bytes of the changelog are not what was written. What comes before was delivered.
    #[error("the changelog {} is damaged at offset {offset}, after commit {seq}: {what}; run `hexxladb changelog repair`", path.display())]
    ChangelogCorrupt {
        /// The segment's file.
        path: PathBuf,
        /// The segment's number.
        segment: u64,
        /// Byte offset of the frame that is damaged.
        offset: u64,
        /// The last commit before it that is intact.
        seq: u64,
        /// What was expected and found.
        what: String,
    },

    /// Two histories under one identity.
    #[error("histories differ at commit {seq}; these are not copies of one database")]
    HistoryDiverged {
        /// First sequence that differs.
        seq: u64,
    },
}

impl Error {
    /// An out-of-bounds argument.
    pub(crate) fn invalid(
        what: &'static str,
        given: impl std::fmt::Display,
        accepted: impl Into<String>,
    ) -> Self {
        Self::InvalidArgument { what, given: given.to_string(), accepted: accepted.into() }
    }

    /// Damage in `file` at `offset`.
    pub(crate) fn corrupt(file: &std::path::Path, offset: u64, what: impl Into<String>) -> Self {
        Self::CorruptDatabase { file: file.to_path_buf(), offset, what: what.into() }
    }
}
