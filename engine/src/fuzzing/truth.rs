//! What a database must hold: its records after each commit, in plain maps, and what maintenance
//! has made of it.

use std::collections::{BTreeMap, BTreeSet};

use ulid::Ulid;

use crate::content::Record;
use crate::lattice::{Coord, PackedCoord};
use crate::record::{Cell, EdgeId, FacetId, RecordId, Seam};
use crate::time::Timestamp;

/// The name of a record. Names sort as keys do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Raw(Vec<u8>),
    Cell(PackedCoord),
    Facet(PackedCoord, FacetId),
    Edge(PackedCoord, PackedCoord, String),
    Seam(Ulid),
}

impl Name {
    pub(super) fn edge(from: Coord, to: Coord, relation: &str) -> Self {
        Self::Edge(from.into(), to.into(), relation.into())
    }

    pub(super) fn id(&self) -> RecordId {
        match self {
            Self::Raw(key) => RecordId::Raw(key.clone()),
            Self::Cell(at) => RecordId::Cell(at.unpack()),
            Self::Facet(at, id) => RecordId::Facet(at.unpack(), *id),
            Self::Edge(from, to, relation) => {
                RecordId::Edge(EdgeId::new(from.unpack(), to.unpack(), relation.clone()))
            }
            Self::Seam(id) => RecordId::Seam(*id),
        }
    }

    /// Whether the record goes with the cell at a coordinate.
    pub(super) fn hangs_on(&self, coord: PackedCoord) -> bool {
        matches!(self, Self::Facet(at, _) | Self::Edge(at, ..) if *at == coord)
    }

    fn coords(&self) -> Vec<PackedCoord> {
        match self {
            Self::Raw(_) | Self::Seam(_) => Vec::new(),
            Self::Cell(at) | Self::Facet(at, _) => vec![*at],
            Self::Edge(from, to, _) => vec![*from, *to],
        }
    }
}

impl From<RecordId> for Name {
    fn from(id: RecordId) -> Self {
        match id {
            RecordId::Raw(key) => Self::Raw(key),
            RecordId::Cell(at) => Self::Cell(at.into()),
            RecordId::Facet(at, id) => Self::Facet(at.into(), id),
            RecordId::Edge(id) => Self::edge(id.from, id.to, &id.relation),
            RecordId::Seam(id) => Self::Seam(id),
        }
    }
}

/// The records of one state.
pub(super) type Records = BTreeMap<Name, Record>;

/// A commit and the whole state after it.
#[derive(Clone, Debug)]
pub(super) struct TruthCommit {
    pub(super) records: Records,
    pub(super) note: Option<String>,
    pub(super) time: Timestamp,
    pub(super) hash: [u8; 16],
}

impl TruthCommit {
    /// What holds before the first commit.
    pub(super) fn empty() -> Self {
        Self { records: Records::new(), note: None, time: Timestamp::MIN, hash: [0; 16] }
    }

    pub(super) fn delete(&mut self, name: &Name) -> bool {
        self.records.remove(name).is_some()
    }

    /// Puts a cell as it is stored: its tags sorted, each once.
    pub(super) fn put_cell(&mut self, at: Coord, mut cell: Cell) {
        cell.tags.sort_unstable();
        cell.tags.dedup();
        self.records.insert(Name::Cell(at.into()), Record::Cell(cell));
    }

    /// Deletes a cell with its facets and the edges that leave it, if there is one.
    pub(super) fn delete_cell(&mut self, at: Coord) -> bool {
        let was_there = self.delete(&Name::Cell(at.into()));
        if was_there {
            self.records.retain(|name, _| !name.hangs_on(at.into()));
        }
        was_there
    }

    pub(super) fn cell(&self, at: Coord) -> Option<&Cell> {
        match self.records.get(&Name::Cell(at.into())) {
            Some(Record::Cell(cell)) => Some(cell),
            _ => None,
        }
    }

    pub(super) fn seam(&self, id: Ulid) -> Option<&Seam> {
        match self.records.get(&Name::Seam(id)) {
            Some(Record::Seam(seam)) => Some(seam),
            _ => None,
        }
    }

    pub(super) fn seams(&self) -> impl Iterator<Item = (Ulid, &Seam)> {
        self.records.iter().filter_map(|item| match item {
            (Name::Seam(id), Record::Seam(seam)) => Some((*id, seam)),
            _ => None,
        })
    }
}

/// What maintenance has made of the database by some time. It takes no sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Upkeep {
    /// The commits that there were.
    pub(super) after: u64,
    /// The oldest sequence that reads right, beside 0.
    pub(super) floor: u64,
    pub(super) tags: BTreeMap<String, u64>,
}

impl Upkeep {
    pub(super) fn tag(&mut self, name: &str, seq: u64) {
        self.tags.insert(name.to_owned(), seq);
    }

    pub(super) fn delete_tag(&mut self, name: &str) {
        self.tags.remove(name);
    }
}

/// What a database must hold.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    /// Format v2, or v1, which has its newest state alone.
    pub(super) mvcc: bool,
    /// Each commit from the first on.
    pub(super) commits: Vec<TruthCommit>,
    /// Each state that maintenance left, in order; the first is that of a new database.
    pub(super) upkeep: Vec<Upkeep>,
}

impl Truth {
    /// A database without a commit.
    pub(super) fn new(mvcc: bool) -> Self {
        Self { mvcc, commits: Vec::new(), upkeep: vec![Upkeep::default()] }
    }

    pub(super) fn head(&self) -> u64 {
        self.commits.len() as u64
    }

    /// The newest state, for the next transaction to change.
    pub(super) fn newest(&self) -> TruthCommit {
        self.commits.last().cloned().unwrap_or_else(TruthCommit::empty)
    }

    pub(super) fn upkeep(&self) -> &Upkeep {
        self.upkeep.last().expect("there is that of a new database")
    }

    /// Maintenance changes the floor or tags.
    pub(super) fn maintain(&mut self, change: impl FnOnce(&mut Upkeep)) {
        let mut upkeep = Upkeep { after: self.head(), ..self.upkeep().clone() };
        change(&mut upkeep);
        self.upkeep.push(upkeep);
    }
}

/// A truth and what follows from it, worked out once for many comparisons.
#[derive(Debug)]
pub struct Oracle {
    pub(super) truth: Truth,
    empty: TruthCommit,
    /// Every name that was ever in use, and one that never was, with the commits that changed it.
    pub(super) changes: BTreeMap<Name, BTreeSet<u64>>,
    /// Every coordinate that was ever in use, and one that never was.
    pub(super) coords: BTreeSet<PackedCoord>,
}

impl Oracle {
    /// What must be read where `truth` holds.
    pub(super) fn new(truth: Truth) -> Self {
        let empty = TruthCommit::empty();
        let mut changes = BTreeMap::from([(Name::Raw(b"never".to_vec()), BTreeSet::new())]);
        let mut coords = BTreeSet::from([Coord::from_checked(-1, 0).into()]);
        let mut before = &empty.records;
        for (seq, commit) in (1..).zip(&truth.commits) {
            for name in before.keys().chain(commit.records.keys()) {
                if before.get(name) != commit.records.get(name) {
                    changes.entry(name.clone()).or_default().insert(seq);
                }
                coords.extend(name.coords());
            }
            let ends = commit.seams().flat_map(|(_, seam)| [seam.cell_a, seam.cell_b]);
            coords.extend(ends.map(PackedCoord::from));
            before = &commit.records;
        }
        Self { truth, empty, changes, coords }
    }

    /// The number of commits.
    pub fn head(&self) -> u64 {
        self.truth.head()
    }

    pub(super) fn state(&self, seq: u64) -> &TruthCommit {
        seq.checked_sub(1).map_or(&self.empty, |index| &self.truth.commits[index as usize])
    }

    /// What maintenance may have left where `head` is the newest commit that is there: the end of
    /// the log may be lost.
    pub(super) fn upkeeps(&self, head: u64) -> &[Upkeep] {
        let upkeep = &self.truth.upkeep;
        let first = upkeep.partition_point(|upkeep| upkeep.after < head).saturating_sub(1);
        &upkeep[first..upkeep.partition_point(|upkeep| upkeep.after <= head)]
    }
}
