//! What the tests of records share: a model of all families that does what the specification says
//! and nothing else, random changes to model and database alike, and a comparison of everything
//! that a transaction can read with the model.

use std::collections::{BTreeMap, BTreeSet};

use hexxladb::vfs::sim::SimVfs;
use hexxladb::{
    Cell, Coord, Db, Edge, EdgeId, Error, Facet, FacetId, Options, PackedCoord, ReadTx,
    ResolutionStatus, Result, Seam, SeamFilter, SeamType, Timestamp, Ulid, Validity, Week, WriteTx,
};

use crate::support::{Random, Rows, coord, open};

/// Texts that are hard to keep apart and in order.
pub(crate) const TEXTS: [&str; 10] =
    ["", "\0", "\0\0", "\0a", "a", "a\0", "a\0b", "aa", "b", "\u{10ffff}\u{ff}"];

pub(crate) fn facet_id(id: u8) -> FacetId {
    FacetId::new(id).unwrap()
}

pub(crate) fn tagged<const N: usize>(text: &str, tags: [&str; N]) -> Cell {
    Cell::new(text).with_tags(tags)
}

/// From this second on, for ever.
pub(crate) fn from_secs(secs: i64) -> Validity {
    Validity { valid_from: Some(Timestamp::from_secs(secs)), valid_to: None }
}

/// Puts one cell in a transaction of its own; its sequence.
pub(crate) fn put_cell(db: &Db, at: Coord, cell: &Cell) -> u64 {
    db.update(|tx| tx.put_cell(at, cell).map(|()| tx.commit_seq())).unwrap()
}

pub(crate) fn delete_cell(db: &Db, at: Coord) {
    assert!(db.update(|tx| tx.delete_cell(at)).unwrap());
}

/// Looks at head.
pub(crate) fn look(db: &Db, see: impl FnOnce(&ReadTx)) {
    db.view(|tx| {
        see(tx);
        Ok::<_, Error>(())
    })
    .unwrap();
}

/// What a cell says at a snapshot.
pub(crate) fn content_at(db: &Db, seq: u64, at: Coord) -> Option<String> {
    db.view_at(seq, |tx| tx.get_cell(at)).unwrap().map(|cell| cell.raw_content)
}

pub(crate) fn all<T>(items: impl Iterator<Item = Result<T>>) -> Vec<T> {
    items.map(|item| item.unwrap()).collect()
}

/// Rows of a family, tombstones included.
pub(crate) fn family_rows(db: &Db, family: &str) -> u64 {
    let stats = db.stats_mvcc().unwrap();
    stats.families.iter().find(|found| found.family == family).map_or(0, |found| found.rows)
}

/// Keys of all physical rows that begin with `start`, as the dump shows them, tombstones marked.
pub(crate) fn dumped(db: &Db, start: &str) -> Vec<String> {
    let rows = all(db.dump().unwrap()).into_iter().filter(|row| row.key.starts_with(start));
    rows.map(|row| format!("{row}{}", if row.tombstone { " gone" } else { "" })).collect()
}

/// Prunes in batches until nothing more goes; how many rows went.
pub(crate) fn prune_all(db: &Db, before: u64, batch_rows: u64) -> u64 {
    let mut rows = 0;
    loop {
        match db.prune_cell_versions(before, batch_rows).unwrap() {
            0 => return rows,
            some => rows += some,
        }
        assert!(rows < 1_000_000, "pruning does not end");
    }
}

/// Every visible record of every family.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub(crate) raw: Rows,
    pub(crate) cells: BTreeMap<PackedCoord, Cell>,
    pub(crate) facets: BTreeMap<(PackedCoord, FacetId), Facet>,
    pub(crate) edges: BTreeMap<(PackedCoord, PackedCoord, String), Edge>,
    pub(crate) seams: BTreeMap<Ulid, Seam>,
}

fn any_coord(random: &mut Random) -> Coord {
    coord(random.below(5) as i32 - 2, random.below(5) as i32 - 2)
}

fn any_text(random: &mut Random) -> &'static str {
    TEXTS[random.below(TEXTS.len() as u64) as usize]
}

fn any_validity(random: &mut Random) -> Validity {
    match random.below(4) {
        0 => Validity::default(),
        week => from_secs(7 * 86_400 * week.cast_signed()),
    }
}

fn any_cell(random: &mut Random) -> Cell {
    let mut tags: Vec<&str> = (0..random.below(4)).map(|_| any_text(random)).collect();
    tags.sort_unstable();
    tags.dedup();
    Cell::new("c".repeat(random.below(300) as usize))
        .with_tags(tags)
        .with_source(any_text(random))
        .with_validity(any_validity(random))
}

impl Model {
    /// One random change of model and transaction alike.
    pub(crate) fn step(&mut self, tx: &mut WriteTx, random: &mut Random) -> Result<()> {
        let at = any_coord(random);
        let key = PackedCoord::from(at);
        match random.below(12) {
            0 => {
                let key = any_text(random);
                assert_eq!(tx.delete(key)?, self.raw.remove(key.as_bytes()).is_some());
                Ok(())
            }
            1 => self.raw_step(tx, random),
            2..=4 => {
                let cell = any_cell(random);
                tx.put_cell(at, &cell)?;
                self.cells.insert(key, cell);
                Ok(())
            }
            5 => self.delete_cell(tx, at),
            6 => {
                let (id, facet) = (facet_id(random.below(6) as u8), Facet::default());
                let facet =
                    facet.with_last_rotated(Timestamp::from_secs(random.below(9).cast_signed()));
                tx.put_facet(at, id, &facet)?;
                self.facets.insert((key, id), facet);
                Ok(())
            }
            7 => {
                let id = facet_id(random.below(6) as u8);
                let was = self.facets.remove(&(key, id)).is_some();
                assert_eq!(tx.delete_facet(at, id)?, was);
                Ok(())
            }
            8 | 9 => self.edge_step(tx, at, random),
            _ => self.seam_step(tx, at, random),
        }
    }

    fn raw_step(&mut self, tx: &mut WriteTx, random: &mut Random) -> Result<()> {
        let (key, value) = (any_text(random), vec![7; random.below(200) as usize]);
        tx.put(key, &value)?;
        self.raw.insert(key.into(), value);
        Ok(())
    }

    /// Deletes a cell with its facets and the edges that leave it.
    pub(crate) fn delete_cell(&mut self, tx: &mut WriteTx, at: Coord) -> Result<()> {
        let key = PackedCoord::from(at);
        let was = self.cells.remove(&key).is_some();
        assert_eq!(tx.delete_cell(at)?, was);
        if was {
            self.facets.retain(|name, _| name.0 != key);
            self.edges.retain(|name, _| name.0 != key);
        }
        Ok(())
    }

    fn edge_step(&mut self, tx: &mut WriteTx, from: Coord, random: &mut Random) -> Result<()> {
        let (to, relation) = (any_coord(random), any_text(random));
        let name = (from.into(), to.into(), relation.to_owned());
        if random.below(3) == 0 {
            assert_eq!(tx.delete_edge(from, to, relation)?, self.edges.remove(&name).is_some());
            return Ok(());
        }
        let edge = Edge::new(f64::from(random.below(100) as u32));
        tx.put_edge(from, to, relation, &edge)?;
        self.edges.insert(name, edge);
        Ok(())
    }

    fn seam_step(&mut self, tx: &mut WriteTx, a: Coord, random: &mut Random) -> Result<()> {
        let id = Ulid(u128::from(random.below(12)) << 90);
        if let Some(seam) = self.seams.get_mut(&id).filter(|_| random.below(2) == 0) {
            let status = ResolutionStatus::ALL[random.below(4) as usize];
            tx.resolve_seam(id, status, Some("so"))?;
            seam.resolution_status = status;
            seam.resolution_note = Some("so".into());
            return Ok(());
        }
        let b = any_coord(random);
        let old = self.seams.get(&id);
        let ends = old.map_or((a, b), |old| (old.cell_a, old.cell_b));
        if ends.0 == ends.1 {
            return Ok(());
        }
        let seam = Seam::new(ends.0, ends.1, SeamType::Conflict)
            .with_source(any_text(random))
            .with_validity(any_validity(random));
        tx.put_seam(id, &seam)?;
        self.seams.insert(id, seam);
        Ok(())
    }

    /// Cells by each of their keys in an index.
    fn cells_by<K: Ord>(&self, keys: impl Fn(&Cell) -> Vec<K>) -> BTreeSet<(K, PackedCoord)> {
        let rows = self.cells.iter();
        rows.flat_map(|(at, cell)| keys(cell).into_iter().map(|key| (key, *at))).collect()
    }

    fn seams_by<K: Ord>(&self, keys: impl Fn(&Seam) -> Vec<K>) -> BTreeSet<(K, Ulid)> {
        let rows = self.seams.iter();
        rows.flat_map(|(id, seam)| keys(seam).into_iter().map(|key| (key, *id))).collect()
    }
}

fn week_of(validity: Validity) -> Vec<Week> {
    validity.valid_from.map(Week::of).into_iter().collect()
}

fn source_of(source: &str) -> Vec<String> {
    (!source.is_empty()).then(|| source.to_owned()).into_iter().collect()
}

/// The same from both ends; the items in order.
fn both_ways<T: PartialEq + std::fmt::Debug, I: DoubleEndedIterator<Item = Result<T>>>(
    scan: impl Fn() -> I,
) -> Result<Vec<T>> {
    let forwards = scan().collect::<Result<Vec<T>>>()?;
    let mut backwards = scan().rev().collect::<Result<Vec<T>>>()?;
    backwards.reverse();
    assert_eq!(forwards, backwards, "forwards and backwards differ");
    Ok(forwards)
}

/// A transaction whose every read can be compared with a model.
pub(crate) trait Reads {
    /// What its scans of records yield.
    fn model(&self) -> Result<Model>;
    /// Asserts that every read is what the model says: scans, indexes, point reads.
    fn compare(&self, model: &Model) -> Result<()>;
}

macro_rules! reads {
    ($transaction:ty) => {
        impl Reads for $transaction {
            fn model(&self) -> Result<Model> {
                let raw = both_ways(|| self.scan::<&[u8]>(..))?;
                let cells = both_ways(|| self.cells(..))?;
                let facets = both_ways(|| self.facets(..))?;
                let edges = both_ways(|| self.edges(..))?;
                let name = |id: EdgeId| (id.from.into(), id.to.into(), id.relation);
                let model = Model {
                    raw: raw.iter().map(|row| (row.0.to_vec(), row.1.to_vec())).collect(),
                    cells: cells.iter().map(|row| (row.0.into(), row.1.clone())).collect(),
                    facets: facets.iter().map(|f| ((f.0.into(), f.1), f.2.clone())).collect(),
                    edges: edges.iter().map(|e| (name(e.0.clone()), e.1.clone())).collect(),
                    seams: both_ways(|| self.seams(..))?.into_iter().collect(),
                };
                // In order, and each once.
                assert!(
                    cells
                        .iter()
                        .map(|row| PackedCoord::from(row.0))
                        .eq(model.cells.keys().copied())
                );
                assert!(facets.iter().map(|f| (f.0.into(), f.1)).eq(model.facets.keys().copied()));
                assert!(edges.into_iter().map(|e| name(e.0)).eq(model.edges.keys().cloned()));
                Ok(model)
            }

            fn compare(&self, model: &Model) -> Result<()> {
                assert_eq!(self.model()?, *model);
                let cell = |at: Coord| model.cells[&at.into()].clone();
                macro_rules! cell_index {
                    ($scan:ident, $range:expr, $keys:expr) => {
                        let found = both_ways(|| self.$scan($range))?;
                        assert!(found.iter().all(|row| row.2 == cell(row.1)));
                        let names = found.into_iter().map(|row| (row.0, row.1.into()));
                        assert_eq!(
                            names.collect::<Vec<_>>(),
                            Vec::from_iter(model.cells_by($keys))
                        );
                        let coords = both_ways(|| self.$scan($range).coords())?;
                        assert_eq!(coords.len(), model.cells_by($keys).len());
                    };
                }
                cell_index!(cells_by_tag, .., |cell| cell.tags.clone());
                cell_index!(cells_by_source, .., |cell| source_of(&cell.provenance.source_id));
                cell_index!(cells_by_week, .., |cell| week_of(cell.validity));
                macro_rules! seam_index {
                    ($scan:ident, $range:expr, $keys:expr) => {
                        let found = both_ways(|| self.$scan($range))?;
                        assert!(found.iter().all(|row| row.2 == model.seams[&row.1]));
                        let names = found.into_iter().map(|row| (row.0, row.1));
                        assert_eq!(
                            names.collect::<Vec<_>>(),
                            Vec::from_iter(model.seams_by($keys))
                        );
                    };
                }
                seam_index!(seams_by_source, .., |seam| source_of(&seam.provenance.source_id));
                seam_index!(seams_by_week, .., |seam| week_of(seam.validity));
                for at in coord(0, 0).spiral(4) {
                    let key = PackedCoord::from(at);
                    assert_eq!(self.get_cell(at)?.as_ref(), model.cells.get(&key));
                    for id in FacetId::ALL {
                        assert_eq!(self.get_facet(at, id)?.as_ref(), model.facets.get(&(key, id)));
                    }
                    let facets = both_ways(|| self.facets_of(at))?;
                    assert_eq!(facets.len(), model.facets.keys().filter(|f| f.0 == key).count());
                    let from = both_ways(|| self.edges_from(at))?;
                    assert!(from.iter().all(|edge| edge.0.from == at));
                    assert_eq!(from.len(), model.edges.keys().filter(|e| e.0 == key).count());
                    let to = both_ways(|| self.edges_to(at))?;
                    let expected = model.edges.iter().filter(|(name, _)| name.1 == key);
                    let expected =
                        expected.map(|(name, edge)| (name.0, name.2.clone(), edge.clone()));
                    let to = to.into_iter().map(|(id, edge)| (id.from.into(), id.relation, edge));
                    assert_eq!(to.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
                    let of = both_ways(|| self.seams_of(at))?;
                    let joins = |seam: &Seam| seam.cell_a == at || seam.cell_b == at;
                    let expected = model.seams.iter().filter(|(_, seam)| joins(seam));
                    assert!(of.iter().map(|row| (&row.1, &row.2)).eq(expected));
                }
                for (name, edge) in &model.edges {
                    let (from, to) = (name.0.unpack(), name.1.unpack());
                    assert_eq!(self.get_edge(from, to, &name.2)?.as_ref(), Some(edge));
                }
                let near: BTreeSet<Ulid> = self
                    .find_seams(coord(0, 0), 4, &SeamFilter::default())
                    .map(|seam| seam.map(|(id, _)| id))
                    .collect::<Result<_>>()?;
                assert!(near.iter().eq(model.seams.keys()));
                let around = all(self.walk_ring(coord(0, 0), 4)).len();
                assert_eq!(around, model.cells.len());
                Ok(())
            }
        }
    };
}

reads!(ReadTx);
reads!(WriteTx);

/// Asserts that head reads as the model says.
pub(crate) fn compare_head(db: &Db, model: &Model) {
    db.view(|tx| tx.compare(model)).unwrap();
}

/// Asserts that every snapshot from `floor` on reads as its model.
pub(crate) fn compare_from(db: &Db, floor: u64, models: &[Model]) {
    for seq in floor..=db.head().unwrap() {
        db.view_at(seq, |tx| tx.compare(&models[seq as usize])).unwrap();
    }
}

/// Commits notes alone until the next commit is `seq`.
pub(crate) fn skip_to(db: &Db, seq: u64) {
    while db.head().unwrap() + 1 < seq {
        db.update(|tx| tx.set_note("nothing")).unwrap();
    }
}

/// Ends a handle and opens the database again: killed, closed, or dropped after a checkpoint.
pub(crate) fn reopened(vfs: &SimVfs, db: Db, options: &Options, how: u64) -> Db {
    match how % 3 {
        1 => db.close().unwrap(),
        2 => db.checkpoint().unwrap(),
        _ => vfs.kill(),
    }
    drop(db);
    open(vfs, options.clone())
}

/// Commits of random changes on top of the last model; one model for each sequence.
pub(crate) fn random_commits(db: &Db, random: &mut Random, models: &mut Vec<Model>, count: usize) {
    for _ in 0..count {
        let mut model = models.last().unwrap().clone();
        db.update(|tx| {
            for _ in 0..=random.below(12) {
                model.step(tx, random)?;
            }
            tx.set_note("not empty")?;
            Ok::<_, Error>(())
        })
        .unwrap();
        models.push(model);
    }
}
