//! What an import does with the records of one commit.
//!
//! The transaction comes to touch the very records that the exported commit touched, each with the
//! same last operation, so that it has the same history hash. For that, records must come in the
//! order of their families: deleting a cell takes its facets and edges with it, and those that the
//! commit put afterwards come later.

use hexxladb::{Cell, Coord, Edge, Error, Facet, Record, RecordId, Result, Seam, Ulid, WriteTx};

/// A commit in the making.
pub(crate) struct Applied {
    pub(crate) tx: WriteTx,
    /// The family of the last record, by its place in the order.
    family: usize,
    /// Supersessions that would close a circle with a seam that a later record changes.
    deferred: Vec<(Ulid, Seam)>,
}

impl Applied {
    pub(crate) fn new(tx: WriteTx) -> Self {
        Self { tx, family: 0, deferred: Vec::new() }
    }

    /// Whether a record of this family may come now; then it is the last one's.
    pub(crate) fn is_in_order(&mut self, family: usize) -> bool {
        let last = std::mem::replace(&mut self.family, family);
        last <= family
    }

    /// Puts a record, or deletes it.
    pub(crate) fn apply(&mut self, id: RecordId, record: Option<Record>) -> Result<()> {
        let Some(record) = record else { return self.delete(&id) };
        let tx = &mut self.tx;
        match (id, record) {
            (RecordId::Raw(key), Record::Raw(value)) => tx.put(key, value),
            (RecordId::Cell(coord), Record::Cell(cell)) => tx.put_cell(coord, &cell),
            (RecordId::Facet(coord, id), Record::Facet(facet)) => tx.put_facet(coord, id, &facet),
            (RecordId::Edge(e), Record::Edge(edge)) => {
                tx.put_edge(e.from, e.to, &e.relation, &edge)
            }
            (RecordId::Seam(id), Record::Seam(seam)) => match tx.put_seam(id, &seam) {
                Err(Error::SupersessionCycle { .. }) => {
                    self.deferred.push((id, seam));
                    Ok(())
                }
                done => done,
            },
            // A line's family decides both.
            _ => Ok(()),
        }
    }

    /// Deletes a record. Of one that is not there a tombstone remains all the same where the
    /// commit had put and deleted it: it does the same again.
    fn delete(&mut self, id: &RecordId) -> Result<()> {
        if self.delete_visible(id)? {
            return Ok(());
        }
        let tx = &mut self.tx;
        match id {
            RecordId::Raw(key) => tx.put(key, "")?,
            RecordId::Cell(coord) => tx.put_cell(*coord, &Cell::default())?,
            RecordId::Facet(coord, id) => tx.put_facet(*coord, *id, &Facet::default())?,
            RecordId::Edge(e) => tx.put_edge(e.from, e.to, &e.relation, &Edge::default())?,
            _ => return Ok(()),
        }
        self.delete_visible(id).map(|_| ())
    }

    fn delete_visible(&mut self, id: &RecordId) -> Result<bool> {
        let tx = &mut self.tx;
        match id {
            RecordId::Raw(key) => tx.delete(key),
            RecordId::Cell(coord) => tx.delete_cell(*coord),
            RecordId::Facet(coord, id) => tx.delete_facet(*coord, *id),
            RecordId::Edge(e) => tx.delete_edge(e.from, e.to, &e.relation),
            _ => Ok(false),
        }
    }

    /// Puts what was deferred, now that everything else is there.
    pub(crate) fn finish(mut self) -> Result<WriteTx> {
        let mut deferred = std::mem::take(&mut self.deferred);
        loop {
            let before = deferred.len();
            let mut circle: Option<(Coord, Coord)> = None;
            let mut still = Vec::new();
            for (id, seam) in deferred {
                match self.tx.put_seam(id, &seam) {
                    Err(Error::SupersessionCycle { newer, older }) => {
                        circle = Some((newer, older));
                        still.push((id, seam));
                    }
                    done => done?,
                }
            }
            let Some((newer, older)) = circle else { return Ok(self.tx) };
            if still.len() == before {
                return Err(Error::SupersessionCycle { newer, older });
            }
            deferred = still;
        }
    }
}
