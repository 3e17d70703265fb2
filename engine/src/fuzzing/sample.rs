//! Small databases whose every state is known: what damage is done to, and what golden files and
//! fuzz inputs begin with.
//!
//! The same shape always gives the same bytes, as long as the engine does the same.

use std::path::Path;
use std::sync::Arc;

use hexxladb_vfs::sim::SimVfs;

use super::reading::{Oracle, Truth, TruthCommit};
use crate::db::Db;
use crate::error::Result;
use crate::lattice::Coord;
use crate::options::Options;
use crate::record::{Cell, Validity};
use crate::time::Timestamp;
use crate::tx::WriteTx;

/// Where a sample's primary lies.
pub const PRIMARY: &str = "/db";
/// Where its log lies.
pub const LOG: &str = "/db-wal";
/// Bytes of its log segments.
const SEGMENT_BYTES: u32 = 16 << 10;
/// Time of the first commit.
const FIRST_TIME_SECS: i64 = 1_700_000_000;

/// What a sample is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Format v2, or v1.
    pub mvcc: bool,
    /// Bytes of a page, from 512 on.
    pub page_size: u32,
    /// Closed cleanly; else its process was killed, and the log holds commits.
    pub closed: bool,
    /// It ends with a commit that fills more than half a block of the log, of which the log keeps
    /// no second copy.
    pub large_end: bool,
}

/// A small database and what it holds.
#[derive(Debug)]
pub struct Sample {
    /// The disk with the files [`PRIMARY`] and [`LOG`].
    pub vfs: SimVfs,
    /// What must be read from it.
    pub oracle: Oracle,
    /// The files as they were after each commit and each checkpoint.
    pub earlier: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The least cache and log that the engine takes, with checkpoints where a caller asks for them.
pub fn small_options() -> Options {
    Options::new().small_limits(SEGMENT_BYTES).cache_bytes(64 << 10).checkpoint_wal_bytes(1 << 20)
}

/// Makes the database of this shape: eight commits with overwritten, deleted and large values,
/// notes, cells with every field, and five checkpoints between the first six of them.
///
/// # Errors
/// What the engine returns; it should succeed.
pub fn sample(shape: Shape) -> Result<Sample> {
    let vfs = SimVfs::new(7);
    let options = small_options().mvcc(shape.mvcc).page_size(shape.page_size);
    let db = Db::open_with(Arc::new(vfs.clone()), PRIMARY, options.max_value_bytes(4096))?;
    let mut story =
        Story { db: &db, vfs: &vfs, truth: Truth::new(shape.mvcc), earlier: Vec::new() };
    story.tell()?;
    if shape.large_end {
        story.commit(None, |tx| tx.put("a large end", &pattern(9, 2300)))?;
    }
    let Story { mut truth, mut earlier, .. } = story;
    for (commit, found) in truth.commits.iter_mut().zip(db.commits(..)?) {
        commit.hash = found?.history_hash;
    }
    if shape.closed {
        db.close()?;
        earlier.push(files(&vfs));
    }
    drop(db);
    // What a killed process leaves: every commit was synced.
    vfs.kill();
    Ok(Sample { vfs, oracle: Oracle::new(truth), earlier })
}

fn files(vfs: &SimVfs) -> (Vec<u8>, Vec<u8>) {
    let file = |name: &str| vfs.read_file(Path::new(name)).unwrap_or_default();
    (file(PRIMARY), file(LOG))
}

/// A database as it grows, and what it holds by now.
struct Story<'a> {
    db: &'a Db,
    vfs: &'a SimVfs,
    truth: Truth,
    earlier: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Story<'_> {
    fn tell(&mut self) -> Result<()> {
        self.commit(None, |tx| {
            for key in ["a", "b", "c", "nul\0in the middle"] {
                tx.put(key, &pattern(key.len() as u8, 40))?;
            }
            tx.cell(0, 0, &Cell::new("origin"))?;
            tx.cell(3, -1, &Cell::new("to be deleted"))
        })?;
        self.checkpoint()?;
        self.commit(Some("a large value"), |tx| {
            tx.put("large", &pattern(2, 1500))?;
            tx.put("a", b"second")
        })?;
        self.checkpoint()?;
        self.commit(Some(""), |tx| {
            tx.delete("b")?;
            tx.delete_cell(3, -1)
        })?;
        self.commit(None, |tx| {
            (0..10).try_for_each(|n| tx.put(&format!("row {n}"), &pattern(n, 60)))?;
            tx.put("large", &pattern(4, 1100))
        })?;
        self.checkpoint()?;
        self.commit(Some("every field of a cell"), |tx| tx.cell(-7, 20, &full_cell()))?;
        self.checkpoint()?;
        self.commit(None, |tx| {
            tx.delete("large")?;
            (0..6).try_for_each(|n| tx.delete(&format!("row {n}")))
        })?;
        // By now pages are reused that held other states of the same tree.
        self.checkpoint()?;
        self.commit(None, |tx| tx.put("large again", &pattern(7, 2600)))?;
        self.commit(Some("the last one"), |tx| {
            tx.put("", b"the empty key")?;
            tx.cell(0, 0, &Cell::new("origin, changed"))
        })
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.db.checkpoint()?;
        self.earlier.push(files(self.vfs));
        Ok(())
    }

    fn commit(
        &mut self,
        note: Option<&str>,
        write: impl FnOnce(&mut Both<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut state = self.truth.commits.last().cloned().unwrap_or_else(TruthCommit::empty);
        // Times of its own, so that they do not hang on how many file operations there were.
        state.time = match self.truth.commits.last() {
            Some(last) => Timestamp::from_nanos(last.time.as_nanos() + 60_000_000_000),
            None => Timestamp::from_secs(FIRST_TIME_SECS),
        };
        self.db.update(|tx| {
            tx.set_commit_time(state.time)?;
            if let Some(note) = note {
                tx.set_note(note)?;
            }
            write(&mut Both { tx, state: &mut state })
        })?;
        state.note = note.map(str::to_owned);
        self.truth.commits.push(state);
        self.earlier.push(files(self.vfs));
        Ok(())
    }
}

/// A transaction and a plain state: what is done to the one is done to the other.
struct Both<'a> {
    tx: &'a mut WriteTx,
    state: &'a mut TruthCommit,
}

impl Both<'_> {
    fn put(&mut self, key: &str, value: &[u8]) -> Result<()> {
        self.state.raw.insert(key.into(), value.into());
        self.tx.put(key, value)
    }

    fn delete(&mut self, key: &str) -> Result<()> {
        let was_there = self.state.raw.remove(key.as_bytes()).is_some();
        assert_eq!(self.tx.delete(key)?, was_there);
        Ok(())
    }

    fn cell(&mut self, q: i32, r: i32, cell: &Cell) -> Result<()> {
        let at = Coord::new(q, r)?;
        self.state.cells.insert(at.into(), cell.clone());
        self.tx.put_cell(at, cell)
    }

    fn delete_cell(&mut self, q: i32, r: i32) -> Result<()> {
        let at = Coord::new(q, r)?;
        let was_there = self.state.cells.remove(&at.into()).is_some();
        assert_eq!(self.tx.delete_cell(at)?, was_there);
        Ok(())
    }
}

/// A value in which no part is like another.
fn pattern(seed: u8, len_bytes: usize) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len_bytes).map(step).collect()
}

fn full_cell() -> Cell {
    let validity = Validity {
        valid_from: Some(Timestamp::from_secs(-5)),
        valid_to: Some(Timestamp::from_secs(1_000_000)),
    };
    let mut cell = Cell::new("Ein Satz mit ümlauten.\n")
        .with_source("kitchen")
        .with_confidence(0.25)
        .with_tags(["home", "tea"])
        .with_validity(validity);
    cell.cluster_hint = Some("near the door".into());
    cell.provenance.created_at = Timestamp::from_secs(10);
    cell.provenance.updated_at = Timestamp::from_secs(20);
    cell
}
