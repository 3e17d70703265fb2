//! Writing edges.

use super::put::IndexChange;
use super::scan::damaged;
use super::write::WriteTx;
use crate::error::{Error, Result};
use crate::index::{self, IndexKeys};
use crate::keys::{self, KeyBuf, LogicalKey};
use crate::lattice::Coord;
use crate::record::{Edge, check_text, encode_edge};

impl WriteTx {
    /// Puts the edge of a relation type from one coordinate to another, whether or not there are
    /// cells.
    ///
    /// # Errors
    /// [`Error::InvalidRecord`] and [`Error::KeyTooLarge`] refuse the put and leave the
    /// transaction usable; an I/O error does not.
    pub fn put_edge(&mut self, from: Coord, to: Coord, relation: &str, edge: &Edge) -> Result<()> {
        check_text("relation type", relation)?;
        let mut value = Vec::with_capacity(64);
        encode_edge(edge, &mut value)?;
        let logical = keys::edge_key(from, to, relation);
        let newest = self.newest(&logical)?;
        let after = index::of_edge(from, to, relation);
        let visible = newest.as_ref().is_some_and(|newest| newest.value.is_some());
        let before = if visible { after.clone() } else { IndexKeys::new() };
        let index = IndexChange::new(newest.as_ref(), before, after);
        self.put_record(logical, &value, &index)
    }

    /// Puts an edge of this weight between two cells that are there.
    ///
    /// # Errors
    /// [`Error::CellNotFound`], and as [`WriteTx::put_edge`].
    pub fn link_cells(
        &mut self,
        from: Coord,
        to: Coord,
        relation: &str,
        weight: f64,
    ) -> Result<()> {
        self.require_cells([from, to])?;
        self.put_edge(from, to, relation, &Edge::new(weight))
    }

    /// Deletes an edge; says whether there was one.
    ///
    /// # Errors
    /// An I/O error leaves the transaction unfit to commit.
    pub fn delete_edge(&mut self, from: Coord, to: Coord, relation: &str) -> Result<bool> {
        let index = index::of_edge(from, to, relation);
        self.delete_record(keys::edge_key(from, to, relation), |_| Ok(index))
    }

    /// Deletes the edge of a logical key.
    #[expect(clippy::needless_pass_by_value, reason = "as other deletes by name")]
    pub(super) fn delete_edge_named(&mut self, logical: KeyBuf) -> Result<bool> {
        match keys::decode_logical(&logical) {
            Ok(LogicalKey::Edge(from, to, relation)) => self.delete_edge(from, to, &relation),
            Ok(_) => Err(damaged(&self.core.pager, "a key of another family among edges")),
            Err(error) => Err(error.at(self.core.pager.file.path(), 0)),
        }
    }

    /// Refuses coordinates without a visible cell.
    pub(super) fn require_cells(&self, coords: [Coord; 2]) -> Result<()> {
        for coord in coords {
            if self.newest(&keys::cell_key(coord))?.is_none_or(|newest| newest.value.is_none()) {
                return Err(Error::CellNotFound { coord });
            }
        }
        Ok(())
    }
}
