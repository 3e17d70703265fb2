//! How far the changelog may be read: what its writer has written whole, in this process or, as
//! far as the files tell, in another.

use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hexxladb_vfs::Vfs;

use super::frames::{Reached, Segment};
use super::header_beside_writer;
use crate::error::Result;
use crate::format::header::ChangelogEnd;
use crate::ids::HistoryHash;
use crate::sync::{Condvar, Mutex, lock, wait_for};

/// The end of what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    pub(crate) seq: u64,
    pub(crate) hash: HistoryHash,
}

impl From<ChangelogEnd> for End {
    fn from(end: ChangelogEnd) -> Self {
        // Where it is sealed, reading ends before the footer and goes on in the next segment.
        Self { segment: end.segment, offset: end.offset, seq: end.seq, hash: end.hash }
    }
}

/// What readers in this process may see.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    end: Mutex<End>,
    moved: Condvar,
}

impl Shown {
    /// Starts with this end.
    pub(crate) fn new(end: End) -> Self {
        Self { end: Mutex::new(end), moved: Condvar::new() }
    }

    pub(crate) fn get(&self) -> End {
        *lock(&self.end)
    }

    pub(crate) fn set(&self, end: End) {
        *lock(&self.end) = end;
        self.moved.notify_all();
    }

    /// Waits until the end is another one than `seen`, or for so long at most.
    pub(crate) fn wait_beyond(&self, seen: End, at_most: Duration) {
        let end = lock(&self.end);
        if *end == seen {
            drop(wait_for(&self.moved, end, at_most));
        }
    }
}

/// Who says how far reading goes.
#[derive(Debug)]
pub(crate) enum Limit {
    /// The writer, in this process.
    Shown(Arc<Shown>),
    /// The files alone.
    Files(FileLimit),
}

/// How far the files alone say that the changelog goes: up to the last whole commit.
#[derive(Debug)]
pub(crate) struct FileLimit {
    vfs: Arc<dyn Vfs>,
    primary: PathBuf,
    /// In which segment it has looked, and how far that is whole.
    known: Option<(u64, Reached)>,
}

/// How far a segment may be read.
#[derive(Clone, Debug)]
pub(crate) struct Readable {
    /// Frames up to here are whole.
    pub(crate) offset: u64,
    /// No more will come after it in this segment.
    pub(crate) last: bool,
    /// The bytes after it were synced and are damaged.
    pub(crate) damaged: Option<String>,
}

impl Limit {
    /// The files beside a primary.
    pub(crate) fn files(vfs: Arc<dyn Vfs>, primary: PathBuf) -> Self {
        Self::Files(FileLimit { vfs, primary, known: None })
    }

    /// How far a segment may be read that was read up to `read`.
    pub(crate) fn of(&mut self, segment: &Segment, read: &Reached) -> Result<Readable> {
        match self {
            Self::Shown(shown) => {
                let end = shown.get();
                // Where a sealed end was shown when it was opened, the next segment is there
                // already and has nothing in it.
                let last = segment.head.ordinal < end.segment;
                let offset = match segment.head.ordinal.cmp(&end.segment) {
                    Ordering::Less => segment.file.len()?,
                    Ordering::Equal => end.offset,
                    Ordering::Greater => read.offset,
                };
                Ok(Readable { offset, last, damaged: None })
            }
            Self::Files(limit) => limit.of(segment, read),
        }
    }

    /// Whether another process may be writing.
    pub(crate) fn is_files(&self) -> bool {
        matches!(self, Self::Files(_))
    }

    /// Whether damage there is none, but bytes that a writer in another process is about to write
    /// anew. What was known of the files is forgotten.
    pub(crate) fn is_unsettled(&mut self, segment: u64, offset: u64) -> Result<bool> {
        match self {
            Self::Shown(_) => Ok(false),
            Self::Files(limit) => {
                limit.known = None;
                limit.synced(segment).map(|synced| offset >= synced)
            }
        }
    }
}

impl FileLimit {
    /// How many bytes of a segment were synced, as the primary says; all there will be of one
    /// before the last, and of an archive, to which nobody writes.
    fn synced(&self, segment: u64) -> Result<u64> {
        if !self.vfs.exists(&self.primary)? {
            return Ok(u64::MAX);
        }
        let end = header_beside_writer(&*self.vfs, &self.primary)?.changelog.end;
        Ok(match segment.cmp(&end.segment) {
            Ordering::Less => u64::MAX,
            Ordering::Equal => end.offset,
            Ordering::Greater => 0,
        })
    }

    fn of(&mut self, segment: &Segment, read: &Reached) -> Result<Readable> {
        let ordinal = segment.head.ordinal;
        // A footer may be there while frames before it are not, until it was synced.
        if let Some(sealed) = segment.sealed()?
            && sealed.offset < self.synced(ordinal)?
        {
            return Ok(Readable { offset: segment.file.len()?, last: true, damaged: None });
        }
        let from = match self.known.take() {
            Some((known, reached)) if known == ordinal && reached.offset >= read.offset => reached,
            _ => read.clone(),
        };
        let mut reached = segment.read_on(&from)?;
        let mut readable = Readable { offset: reached.offset, last: false, damaged: None };
        let synced = self.synced(ordinal)?;
        if reached.offset < synced && !reached.sealed {
            // It was all there before the primary said so, perhaps since the first look.
            reached = segment.read_on(&reached)?;
            readable.offset = reached.offset;
            if reached.offset < synced && !reached.sealed {
                let ends = || "it ends here, and the primary counts on more".into();
                readable.damaged = Some(reached.broken.clone().unwrap_or_else(ends));
            }
        }
        if reached.sealed {
            // Whatever follows its footer, it is complete.
            return Ok(Readable { offset: segment.file.len()?, last: true, damaged: None });
        }
        self.known = Some((ordinal, reached));
        Ok(readable)
    }
}
