//! Writing cells, with all that hangs on them.

use super::put::IndexChange;
use super::scan::decoded;
use super::write::WriteTx;
use crate::error::{Error, Result};
use crate::index::{self, IndexKeys};
use crate::keys::{self, KeyBuf, KeyRange};
use crate::lattice::Coord;
use crate::record::{Cell, decode_cell, encode_cell};

impl WriteTx {
    /// Puts a cell, and with it its index rows by tag, source and week. Its facets and edges stay
    /// as they are. The options' `cell_validator` may refuse it; `after_put_cell` hears of it.
    ///
    /// # Errors
    /// [`Error::InvalidRecord`], [`Error::KeyTooLarge`] or [`Error::ValueTooLarge`] refuse the
    /// put and leave the transaction usable; an I/O error does not.
    pub fn put_cell(&mut self, coord: Coord, cell: &Cell) -> Result<()> {
        if let Some(validator) = &self.core.options.hooks.cell_validator {
            validator(coord, cell).map_err(|what| Error::InvalidRecord { family: "cell", what })?;
        }
        let mut value = Vec::with_capacity(cell.raw_content.len() + 64);
        encode_cell(cell, &mut value)?;
        let logical = keys::cell_key(coord);
        let newest = self.newest(&logical)?;
        let before = match newest.as_ref().and_then(|newest| newest.value.as_ref()) {
            Some(old) => self.index_of_cell(coord, old)?,
            None => IndexKeys::new(),
        };
        let index = IndexChange::new(newest.as_ref(), before, index::of_cell(coord, cell));
        self.put_record(logical, &value, &index)?;
        if let Some(hook) = &self.core.options.hooks.after_put_cell {
            hook(coord, cell);
        }
        Ok(())
    }

    /// Deletes a cell with its visible facets and the edges that leave it; says whether there was
    /// one. Edges that lead to it and seams stay. What is deleted is hidden from this commit on,
    /// in no earlier snapshot, and no later put brings it back.
    ///
    /// # Errors
    /// An I/O error leaves the transaction unfit to commit.
    pub fn delete_cell(&mut self, coord: Coord) -> Result<bool> {
        let pager = std::sync::Arc::clone(&self.core);
        let index = |value: &[u8]| {
            let cell = decoded(&pager.pager, decode_cell(value))?;
            Ok(index::of_cell(coord, &cell))
        };
        if !self.delete_record(keys::cell_key(coord), index)? {
            return Ok(false);
        }
        self.delete_each(keys::facets_of_range(coord), Self::delete_plain)?;
        self.delete_each(keys::edges_from_range(coord), Self::delete_edge_named)?;
        Ok(true)
    }

    /// Deletes every visible record of a range.
    fn delete_each(
        &mut self,
        mut range: KeyRange,
        delete: impl Fn(&mut Self, KeyBuf) -> Result<bool>,
    ) -> Result<()> {
        loop {
            let names = self.visible_names(range.clone())?;
            let Some(last) = names.last() else { return Ok(()) };
            range.start = keys::successor(last.clone());
            for name in names {
                delete(self, name)?;
            }
        }
    }

    fn index_of_cell(&self, coord: Coord, value: &[u8]) -> Result<IndexKeys> {
        let cell = decoded(&self.core.pager, decode_cell(value))?;
        Ok(index::of_cell(coord, &cell))
    }
}
