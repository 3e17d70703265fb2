//! How a sample comes to be: every change is made to the database and to the truth alike.
//!
//! The same story always gives the same bytes, as long as the engine does the same.

use hexxladb_vfs::sim::SimVfs;
use ulid::Ulid;

use super::sample::{Files, files};
use super::truth::{Name, Truth, TruthCommit, Upkeep};
use crate::bytes::Bytes;
use crate::content::Record;
use crate::db::Db;
use crate::error::Result;
use crate::lattice::Coord;
use crate::record::{
    Cell, Edge, Facet, FacetId, Provenance, ResolutionStatus, Seam, SeamType, Validity,
};
use crate::time::Timestamp;
use crate::tx::{ReadTx, WriteTx};

/// Time of the first commit.
const FIRST_TIME_SECS: i64 = 1_700_000_000;

/// A database as it grows, and what it holds by now.
pub(super) struct Story<'a> {
    db: &'a Db,
    vfs: &'a SimVfs,
    truth: Truth,
    earlier: Vec<Files>,
}

const ORIGIN: Coord = Coord::from_checked(0, 0);
const NEAR: Coord = Coord::from_checked(1, -1);
const FAR: Coord = Coord::from_checked(-7, 20);

impl<'a> Story<'a> {
    pub(super) fn new(db: &'a Db, vfs: &'a SimVfs, mvcc: bool) -> Self {
        Self { db, vfs, truth: Truth::new(mvcc), earlier: Vec::new() }
    }

    /// The truth, and the files as they were after each step.
    pub(super) fn end(self) -> (Truth, Vec<Files>) {
        (self.truth, self.earlier)
    }

    pub(super) fn tell(&mut self) -> Result<()> {
        self.begin()?;
        self.delete_and_prune()?;
        self.fill()?;
        self.last_steps()
    }

    fn begin(&mut self) -> Result<()> {
        self.commit(None, |tx| {
            for key in ["a", "b", "c", "nul\0in the middle"] {
                tx.put(key, &pattern(key.len() as u8, 40))?;
            }
            let origin = Cell::new("origin").with_tags(["home", "first"]).with_source("story");
            tx.cell(ORIGIN, &origin)?;
            let doomed = Cell::new("to be deleted").with_tags(["home"]);
            tx.cell(NEAR, &doomed)?;
            tx.facet(NEAR, 0, &Facet::of(&doomed, "goes with its cell"))?;
            tx.facet(ORIGIN, 1, &Facet::of(&origin, "stays"))?;
            tx.edge(NEAR, ORIGIN, "next to", &Edge::new(0.5))?;
            tx.edge(ORIGIN, NEAR, "next to", &Edge::new(0.25).with_source("story"))
        })?;
        self.checkpoint()?;
        self.commit(Some("a large value"), |tx| {
            tx.put("large", &pattern(2, 1500))?;
            tx.put("a", b"second")?;
            let moved = Cell::new("origin").with_tags(["home", "second"]).with_source("story");
            tx.cell(ORIGIN, &moved)?;
            tx.seam(1, &Seam::new(ORIGIN, NEAR, SeamType::Conflict).with_reason("both at home"))
        })?;
        self.checkpoint()
    }

    fn delete_and_prune(&mut self) -> Result<()> {
        self.commit(Some(""), |tx| {
            tx.delete("b")?;
            tx.delete_cell(NEAR)
        })?;
        self.commit(None, |tx| {
            (0..10).try_for_each(|n| tx.put(&format!("row {n}"), &pattern(n, 60)))?;
            tx.put("large", &pattern(4, 1100))?;
            let mut seam = Seam::new(ORIGIN, NEAR, SeamType::Conflict).with_source("story");
            seam.resolution_status = ResolutionStatus::Merged;
            tx.seam(1, &seam)
        })?;
        self.checkpoint()?;
        self.tag("nothing yet", 0)?;
        self.checkpoint()?;
        self.prune(3, 100)
    }

    fn fill(&mut self) -> Result<()> {
        self.commit(Some("every field"), |tx| {
            tx.cell(FAR, &full_cell())?;
            let facet = Facet::of(&full_cell(), "Tee.").with_last_rotated(Timestamp::from_secs(7));
            tx.facet(FAR, 5, &facet)?;
            tx.edge(FAR, ORIGIN, "is ü to", &full_edge())?;
            tx.seam(2, &full_seam())
        })?;
        self.checkpoint()?;
        self.tag("mistaken", 5)?;
        self.delete_tag("mistaken")?;
        self.tag("the first", 5)?;
        self.checkpoint()?;
        self.commit(None, |tx| {
            tx.delete("large")?;
            (0..6).try_for_each(|n| tx.delete(&format!("row {n}")))?;
            tx.delete_facet(ORIGIN, 1)?;
            tx.delete_edge(ORIGIN, NEAR, "next to")
        })?;
        // By now pages are reused that held other states of the same tree.
        self.checkpoint()
    }

    /// What a killed process leaves in its log: commits, a tag, a floor and what was pruned.
    fn last_steps(&mut self) -> Result<()> {
        self.commit(None, |tx| tx.put("large again", &pattern(7, 2600)))?;
        self.tag("the second", 6)?;
        self.prune(5, 2)?;
        self.commit(Some("the last one"), |tx| {
            tx.put("", b"the empty key")?;
            tx.cell(ORIGIN, &Cell::new("origin, changed"))?;
            tx.facet(FAR, 5, &Facet::of(&full_cell(), "Kuchen."))
        })
    }

    /// A commit that fills more than half a block of the log.
    pub(super) fn large_end(&mut self) -> Result<()> {
        self.commit(None, |tx| tx.put("a large end", &pattern(9, 2300)))
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.db.checkpoint()?;
        self.earlier.push(files(self.vfs));
        Ok(())
    }

    fn tag(&mut self, name: &str, seq: u64) -> Result<()> {
        let tag = |db: &Db| db.tag_snapshot_at(name, seq).map(|found| assert_eq!(found, seq));
        self.maintain(tag, |upkeep| upkeep.tag(name, seq))
    }

    fn delete_tag(&mut self, name: &str) -> Result<()> {
        let delete = |db: &Db| db.delete_snapshot_tag(name).map(|was_there| assert!(was_there));
        self.maintain(delete, |upkeep| upkeep.delete_tag(name))
    }

    fn prune(&mut self, before: u64, max_rows: u64) -> Result<()> {
        let prune = |db: &Db| {
            let rows = db.prune_cell_versions(before, max_rows)?;
            assert!(rows > 0 && rows <= max_rows);
            Ok(())
        };
        self.maintain(prune, |upkeep| upkeep.floor = before)
    }

    /// Format v1 has nothing to maintain.
    fn maintain(
        &mut self,
        act: impl FnOnce(&Db) -> Result<()>,
        change: impl FnOnce(&mut Upkeep),
    ) -> Result<()> {
        if self.truth.mvcc {
            act(self.db)?;
            self.truth.maintain(change);
            self.earlier.push(files(self.vfs));
        }
        Ok(())
    }

    fn commit(
        &mut self,
        note: Option<&str>,
        write: impl FnOnce(&mut Both<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut state = self.truth.newest();
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
        state.hash = self.db.view(ReadTx::history_hash)?;
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
        self.insert(Name::Raw(key.into()), Record::Raw(Bytes::from(value.to_vec())));
        self.tx.put(key, value)
    }

    fn delete(&mut self, key: &str) -> Result<()> {
        assert_eq!(self.tx.delete(key)?, self.state.delete(&Name::Raw(key.into())));
        Ok(())
    }

    fn cell(&mut self, at: Coord, cell: &Cell) -> Result<()> {
        self.state.put_cell(at, cell.clone());
        self.tx.put_cell(at, cell)
    }

    fn delete_cell(&mut self, at: Coord) -> Result<()> {
        assert_eq!(self.tx.delete_cell(at)?, self.state.delete_cell(at));
        Ok(())
    }

    fn facet(&mut self, at: Coord, id: u8, facet: &Facet) -> Result<()> {
        let id = FacetId::new(id)?;
        self.insert(Name::Facet(at.into(), id), Record::Facet(facet.clone()));
        self.tx.put_facet(at, id, facet)
    }

    fn delete_facet(&mut self, at: Coord, id: u8) -> Result<()> {
        let id = FacetId::new(id)?;
        let was_there = self.state.delete(&Name::Facet(at.into(), id));
        assert_eq!(self.tx.delete_facet(at, id)?, was_there);
        Ok(())
    }

    fn edge(&mut self, from: Coord, to: Coord, relation: &str, edge: &Edge) -> Result<()> {
        self.insert(Name::edge(from, to, relation), Record::Edge(edge.clone()));
        self.tx.put_edge(from, to, relation, edge)
    }

    fn delete_edge(&mut self, from: Coord, to: Coord, relation: &str) -> Result<()> {
        let was_there = self.state.delete(&Name::edge(from, to, relation));
        assert_eq!(self.tx.delete_edge(from, to, relation)?, was_there);
        Ok(())
    }

    fn seam(&mut self, id: u64, seam: &Seam) -> Result<()> {
        let id = Ulid::from_parts(id, 1);
        self.insert(Name::Seam(id), Record::Seam(seam.clone()));
        self.tx.put_seam(id, seam)
    }

    fn insert(&mut self, name: Name, record: Record) {
        self.state.records.insert(name, record);
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

fn validity() -> Validity {
    Validity {
        valid_from: Some(Timestamp::from_secs(-5)),
        valid_to: Some(Timestamp::from_secs(1_000_000)),
    }
}

fn provenance() -> Provenance {
    Provenance {
        source_id: "kitchen".into(),
        confidence: 0.25,
        created_at: Timestamp::from_secs(10),
        updated_at: Timestamp::from_secs(20),
    }
}

pub(super) fn full_cell() -> Cell {
    let mut cell =
        Cell::new("Ein Satz mit ümlauten.\n").with_tags(["home", "tea"]).with_validity(validity());
    cell.cluster_hint = Some("near the door".into());
    cell.provenance = provenance();
    cell
}

pub(super) fn full_seam() -> Seam {
    let mut seam = Seam::new(FAR, ORIGIN, SeamType::Supersedes)
        .with_reason("The door was moved.")
        .with_validity(validity());
    seam.confidence_delta = -0.5;
    seam.detected_at = Timestamp::from_secs(30);
    seam.resolution_status = ResolutionStatus::Superseded;
    seam.resolution_note = Some("by hand".into());
    seam.provenance = provenance();
    seam
}

pub(super) fn full_edge() -> Edge {
    Edge::new(-3.5).with_provenance(provenance())
}
