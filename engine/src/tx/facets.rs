//! Writing facets.

use super::write::WriteTx;
use crate::error::{Error, Result};
use crate::keys;
use crate::lattice::Coord;
use crate::record::{Facet, FacetId, derivation_hash, encode_facet};

impl WriteTx {
    /// Puts a facet of the cell at a coordinate, whatever that cell says by now.
    ///
    /// # Errors
    /// [`Error::ValueTooLarge`] refuses the put and leaves the transaction usable; an I/O error
    /// does not.
    pub fn put_facet(&mut self, coord: Coord, id: FacetId, facet: &Facet) -> Result<()> {
        let mut value = Vec::with_capacity(facet.derived_content.len() + 64);
        encode_facet(facet, &mut value)?;
        self.put_plain(keys::facet_key(coord, id.get()), &value)
    }

    /// Puts a facet only if it was derived from what the cell says now.
    ///
    /// # Errors
    /// [`Error::CellNotFound`], [`Error::FacetDerivationMismatch`], and as
    /// [`WriteTx::put_facet`]; all leave the transaction usable but for I/O errors.
    pub fn update_facet(&mut self, coord: Coord, id: FacetId, facet: &Facet) -> Result<()> {
        let Some(cell) = self.get_cell(coord)? else { return Err(Error::CellNotFound { coord }) };
        let expected = derivation_hash(&cell.raw_content);
        if facet.derivation_hash != expected {
            let found = facet.derivation_hash;
            return Err(Error::FacetDerivationMismatch { coord, expected, found });
        }
        self.put_facet(coord, id, facet)
    }

    /// Deletes a facet; says whether there was one.
    ///
    /// # Errors
    /// An I/O error leaves the transaction unfit to commit.
    pub fn delete_facet(&mut self, coord: Coord, id: FacetId) -> Result<bool> {
        self.delete_plain(keys::facet_key(coord, id.get()))
    }
}
