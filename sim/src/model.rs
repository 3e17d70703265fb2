//! The reference model: what the database holds, as simple as it can be said.
//!
//! One ordered map from record to its versions, one list of commits. It is written from the
//! specification and shares no code with the engine: it packs coordinates and computes history
//! hashes itself. A model holds every commit that was begun, in order; which of them a database
//! must show is for the oracle to say.

mod cell_bytes;
mod draft;
mod morton;

use std::collections::BTreeMap;
use std::sync::Arc;

use hexxladb::Cell;
use sha2::{Digest, Sha256};

use crate::op::Pos;

pub use draft::{Delta, Draft};
pub use morton::morton;

/// The name of a record; raw records sort before cells, each in its family's own order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// A raw record by its key.
    Raw(Vec<u8>),
    /// A cell by its place in Morton order, and its coordinate.
    Cell(u64, Pos),
}

impl Id {
    /// The cell at a coordinate.
    #[must_use]
    pub fn cell(pos: Pos) -> Self {
        Self::Cell(morton(pos), pos)
    }
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Bytes.
    Raw(Arc<[u8]>),
    /// A cell, as it reads back.
    Cell(Arc<Cell>),
}

/// One commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// Its time in nanoseconds.
    pub time: i64,
    /// Its note.
    pub note: Option<String>,
    /// The history hash up to and with it.
    pub hash: [u8; 16],
    /// The records it touched.
    touched: Vec<Id>,
}

/// Versions of a record, oldest first; `None` is a tombstone.
type Versions = Vec<(u64, Option<Content>)>;

/// Counters of one family at one sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that can be read.
    pub visible: u64,
    /// Records with any version.
    pub logical: u64,
    /// Versions.
    pub rows: u64,
}

/// A database's history, up to the newest commit that was begun.
#[derive(Clone, Debug)]
pub struct Model {
    mvcc: bool,
    commits: Vec<Commit>,
    records: BTreeMap<Id, Versions>,
}

impl Model {
    /// The empty database of format v2 (`mvcc`) or v1.
    #[must_use]
    pub fn new(mvcc: bool) -> Self {
        Self { mvcc, commits: Vec::new(), records: BTreeMap::new() }
    }

    /// Whether every version can be read.
    #[must_use]
    pub fn mvcc(&self) -> bool {
        self.mvcc
    }

    /// The newest commit that was begun.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.commits.len() as u64
    }

    /// A commit by its sequence; none for 0.
    #[must_use]
    pub fn commit(&self, seq: u64) -> Option<&Commit> {
        self.commits.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    /// The history hash at a sequence.
    #[must_use]
    pub fn hash_at(&self, seq: u64) -> [u8; 16] {
        self.commit(seq).map_or([0; 16], |commit| commit.hash)
    }

    /// The time of the commit at a sequence; the earliest there is for 0.
    #[must_use]
    pub fn time_at(&self, seq: u64) -> i64 {
        self.commit(seq).map_or(i64::MIN, |commit| commit.time)
    }

    /// The newest commit at or before a time, among the first `head`.
    #[must_use]
    pub fn seq_at_time(&self, nanos: i64, head: u64) -> u64 {
        let retained = &self.commits[..head as usize];
        retained.partition_point(|commit| commit.time <= nanos) as u64
    }

    /// A record as of a sequence.
    #[must_use]
    pub fn get(&self, id: &Id, seq: u64) -> Option<&Content> {
        self.records.get(id).and_then(|versions| visible(versions, seq))
    }

    /// Every record that can be read at a sequence, in order.
    pub fn state(&self, seq: u64) -> impl DoubleEndedIterator<Item = (&Id, &Content)> {
        self.records
            .iter()
            .filter_map(move |(id, versions)| visible(versions, seq).map(|content| (id, content)))
    }

    /// Every record that any of the first `head` commits touched.
    pub fn ids(&self, head: u64) -> impl Iterator<Item = &Id> {
        self.records
            .iter()
            .filter(move |(_, versions)| versions.first().is_some_and(|(seq, _)| *seq <= head))
            .map(|(id, _)| id)
    }

    /// Versions of a record up to `head`, newest first.
    pub fn history(&self, id: &Id, head: u64) -> impl Iterator<Item = &(u64, Option<Content>)> {
        self.records
            .get(id)
            .into_iter()
            .flat_map(|versions| versions.iter().rev())
            .filter(move |(seq, _)| *seq <= head)
    }

    /// The records that a commit touched.
    #[must_use]
    pub fn touched(&self, seq: u64) -> &[Id] {
        self.commit(seq).map_or(&[], |commit| &commit.touched)
    }

    /// Counters of raw records (`cells` false) or of cells.
    #[must_use]
    pub fn counts(&self, cells: bool, head: u64) -> Counts {
        let mut counts = Counts::default();
        for (_, versions) in self.records.iter().filter(|(id, _)| is_cell(id) == cells) {
            let rows = versions.iter().filter(|(seq, _)| *seq <= head).count() as u64;
            counts.visible += u64::from(visible(versions, head).is_some());
            counts.logical += u64::from(rows > 0);
            counts.rows += rows;
        }
        counts
    }

    /// Appends a transaction; returns its sequence.
    pub fn push(&mut self, draft: &Draft, clock_nanos: i64) -> u64 {
        let seq = self.head() + 1;
        let time = draft.time.unwrap_or(clock_nanos).max(self.time_at(seq - 1));
        let hash = self.next_hash(seq, time, draft);
        for (id, content) in draft.writes() {
            self.records.entry(id.clone()).or_default().push((seq, content.clone()));
        }
        let touched = draft.writes().map(|(id, _)| id.clone()).collect();
        self.commits.push(Commit { time, note: draft.note.clone(), hash, touched });
        seq
    }

    /// Forgets every commit above `head`: they were begun and did not come to be.
    pub fn truncate(&mut self, head: u64) {
        if head >= self.head() {
            return;
        }
        self.commits.truncate(head as usize);
        self.records.retain(|_, versions| {
            versions.retain(|(seq, _)| *seq <= head);
            !versions.is_empty()
        });
    }

    fn next_hash(&self, seq: u64, time: i64, draft: &Draft) -> [u8; 16] {
        let note = draft.note.as_deref().unwrap_or_default();
        let mut sha = Sha256::new();
        sha.update(self.hash_at(seq - 1));
        sha.update(seq.to_le_bytes());
        sha.update(time.to_le_bytes());
        sha.update((note.len() as u32).to_le_bytes());
        sha.update(note);
        sha.update((draft.writes().count() as u32).to_le_bytes());
        for (id, content) in draft.writes() {
            let (family, key) = match id {
                Id::Raw(key) => (1, key.clone()),
                Id::Cell(_, Pos { q, r }) => (2, [q.to_le_bytes(), r.to_le_bytes()].concat()),
            };
            sha.update([if content.is_some() { 1 } else { 2 }, family]);
            sha.update((key.len() as u32).to_le_bytes());
            sha.update(key);
            match content {
                Some(Content::Raw(bytes)) => sha.update(Sha256::digest(bytes)),
                Some(Content::Cell(cell)) => sha.update(Sha256::digest(cell_bytes::encode(cell))),
                None => {}
            }
        }
        sha.finalize()[..16].try_into().unwrap_or_default()
    }
}

/// Length in bytes of a cell as it is stored.
#[must_use]
pub fn cell_len(cell: &Cell) -> usize {
    let mut stored = cell.clone();
    stored.tags.sort();
    stored.tags.dedup();
    cell_bytes::encode(&stored).len()
}

fn is_cell(id: &Id) -> bool {
    matches!(id, Id::Cell(..))
}

fn visible(versions: &Versions, seq: u64) -> Option<&Content> {
    versions.iter().rev().find(|(at, _)| *at <= seq).and_then(|(_, content)| content.as_ref())
}
