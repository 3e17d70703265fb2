//! The reference model: what the database holds, as simple as it can be said.
//!
//! One ordered map from record to its versions, one list of commits, one of changes that take no
//! sequence. It is written from the specification and shares no code with the engine: it packs
//! coordinates and computes history hashes itself, and derives indexes from records. A model holds
//! every commit and change that was begun, in order, and forgets no version; which of them a
//! database must show, and which it may have removed, is for the oracle to say.

mod changelog;
mod draft;
mod index;
mod morton;
mod name;
mod record_bytes;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};

use hexxladb::Coord;
use sha2::{Digest, Sha256};

use crate::op::{Changelog, Pos};

pub use changelog::{Act, Entry, Kept, Story, Told};
pub use draft::{Delta, Draft};
pub use index::{Index, IndexKey, around, distance, indexed, week_of};
pub use morton::morton;
pub use name::{Content, Family, Id, Place};
pub use upkeep::{Change, Mark, Upkeep};

/// One commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// Its time in nanoseconds.
    pub time: i64,
    /// Its note.
    pub note: Option<String>,
    /// The history hash up to and with it.
    pub hash: [u8; 16],
    /// What the changelog has of it.
    pub logged: Changelog,
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
    /// Changes that take no sequence, each with the head that it was made at.
    changes: Vec<(u64, Change)>,
    /// How many rows pruning may have removed at most.
    removed_most: u64,
    /// What the handle at hand keeps of commits.
    logging: Changelog,
    story: Story,
}

impl Model {
    /// The empty database of format v2 (`mvcc`) or v1.
    #[must_use]
    pub fn new(mvcc: bool) -> Self {
        let (commits, records) = (Vec::new(), BTreeMap::new());
        Self {
            mvcc,
            commits,
            records,
            changes: Vec::new(),
            removed_most: 0,
            logging: Changelog::Off,
            story: Story::default(),
        }
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

    /// Every coordinate that ever had a cell or a facet, in order.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        let places = self.records.keys().filter_map(|id| match id {
            Id::Cell(place) | Id::Facet(place, _) => Some(*place),
            _ => None,
        });
        places.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Every coordinate that ever was an end of an edge or a seam, in order.
    #[must_use]
    pub fn linked(&self) -> Vec<Place> {
        let coord = |coord: Coord| Place::from(Pos { q: coord.q(), r: coord.r() });
        let mut places = BTreeSet::new();
        for (id, versions) in &self.records {
            // The ends of a seam do not change.
            let content = versions.iter().find_map(|(_, content)| content.as_ref());
            match (id, content) {
                (Id::Edge(from, to, _), _) => places.extend([*from, *to]),
                (_, Some(Content::Seam(seam))) => {
                    places.extend([coord(seam.cell_a), coord(seam.cell_b)]);
                }
                _ => {}
            }
        }
        places.into_iter().collect()
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

    /// Counters of a family: what they are without any pruning, and what they are when everything
    /// is gone that pruning to `floor` removes.
    #[must_use]
    pub fn counts(&self, family: Family, head: u64, floor: u64) -> (Counts, Counts) {
        let (mut all, mut pruned) = (Counts::default(), Counts::default());
        for (_, versions) in self.records.iter().filter(|(id, _)| id.family() == family) {
            let rows = versions.iter().filter(|(seq, _)| *seq <= head).count() as u64;
            let left = rows - upkeep::prunable(versions, floor) as u64;
            for (counts, rows) in [(&mut all, rows), (&mut pruned, left)] {
                counts.visible += u64::from(visible(versions, head).is_some());
                counts.logical += u64::from(rows > 0);
                counts.rows += rows;
            }
        }
        (all, pruned)
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
        let logged = self.logging;
        self.commits.push(Commit { time, note: draft.note.clone(), hash, logged, touched });
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
            let (family, key) = id.hashed();
            sha.update([if content.is_some() { 1 } else { 2 }, family]);
            sha.update((key.len() as u32).to_le_bytes());
            sha.update(key);
            if let Some(content) = content {
                sha.update(Sha256::digest(record_bytes::encode(content)));
            }
        }
        sha.finalize()[..16].try_into().unwrap_or_default()
    }
}

fn visible(versions: &Versions, seq: u64) -> Option<&Content> {
    versions.iter().rev().find(|(at, _)| *at <= seq).and_then(|(_, content)| content.as_ref())
}
