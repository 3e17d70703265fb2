//! What an engine must offer to take part: transactions of puts, reads and scans, and closing.
//!
//! Each call is one transaction. A commit that returned is on stable storage; a read sees one
//! snapshot. Records go in and keys go in as iterators and what is found goes into a [`Tally`],
//! so that no engine has to copy a value out and none can skip touching it.

use std::path::PathBuf;

use crate::Result;
use crate::data::{Key, Tally, Value};

/// Records on their way in.
pub type Records<'a> = dyn Iterator<Item = (Key, Value)> + 'a;
/// Keys to look up.
pub type Keys<'a> = dyn Iterator<Item = Key> + 'a;

/// How to open an engine.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Memory for the engine's cache of pages or blocks, where it has one.
    pub cache_bytes: u64,
    /// Whether old versions of records must stay readable. Engines without versions of their own
    /// get a version's number appended to each key.
    pub versions: bool,
}

impl Config {
    /// A cache that holds all the data: for every row about speed.
    pub const fn roomy() -> Self {
        Self { cache_bytes: 1 << 30, versions: false }
    }

    /// The cache that `HexxlaDB` has by default: for the row about memory.
    pub const fn frugal() -> Self {
        Self { cache_bytes: 64 << 20, versions: false }
    }

    /// The same with versions kept.
    #[must_use]
    pub const fn with_versions(mut self) -> Self {
        self.versions = true;
        self
    }
}

/// What became of a request to compact.
#[derive(Debug)]
pub enum Compacted {
    /// The files themselves are smaller now.
    InPlace,
    /// A packed copy stands here.
    Copy(PathBuf),
    /// The engine has no compaction.
    Unsupported,
}

/// An open database, shared by threads.
pub trait Store: Send + Sync {
    /// A handle for one thread.
    fn session(&self) -> Result<Box<dyn Session + '_>>;

    /// Loads records that come in key order, by the engine's own best way, into an empty
    /// database; durable when it returns.
    fn load_sorted(&self, records: &mut Records<'_>) -> Result<()>;

    /// Makes the files as small as the engine can.
    fn compact(&mut self) -> Result<Compacted>;

    /// Closes cleanly.
    fn close(self: Box<Self>) -> Result<()>;
}

/// One thread's handle.
pub trait Session {
    /// Puts these records in one transaction and returns once it is on stable storage.
    fn commit(&mut self, records: &mut Records<'_>) -> Result<()>;

    /// Looks these keys up in one read transaction.
    fn read(&mut self, keys: &mut Keys<'_>, found: &mut Tally) -> Result<()>;

    /// Reads up to `limit` records from each of these keys on, keys and values, in one read
    /// transaction.
    fn scan(&mut self, starts: &mut Keys<'_>, limit: usize, found: &mut Tally) -> Result<()>;

    /// Puts these records as their version `version`. Versions come in order from 1 on.
    fn commit_version(&mut self, version: u64, records: &mut Records<'_>) -> Result<()> {
        self.commit(&mut records.map(|(key, value)| (key.at_version(version), value)))
    }

    /// Looks these keys up as they were at `version`, in one read transaction.
    fn read_as_of(&mut self, version: u64, keys: &mut Keys<'_>, found: &mut Tally) -> Result<()> {
        self.scan(&mut keys.map(|key| key.at_version(version)), 1, found)
    }

    /// Looks these keys up in their newest version, in one read transaction.
    fn read_newest(&mut self, keys: &mut Keys<'_>, found: &mut Tally) -> Result<()> {
        self.read_as_of(u64::MAX, keys, found)
    }
}
