//! Walking the lattice around a coordinate.

use super::scan::ReadState;
use crate::error::Result;
use crate::keys;
use crate::lattice::{Coord, Spiral};
use crate::record::{Cell, FacetId, decode_cell, decode_facet};
use crate::time::Timestamp;

/// Which cells of a walk to see; the default is all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingFilter {
    /// Only cells that are valid at this time.
    pub valid_at: Option<Timestamp>,
    /// Only cells with this facet.
    pub facet: Option<FacetId>,
}

impl RingFilter {
    /// Only cells that are valid at this time.
    #[must_use]
    pub fn with_valid_at(mut self, time: Timestamp) -> Self {
        self.valid_at = Some(time);
        self
    }

    /// Only cells with this facet.
    #[must_use]
    pub fn with_facet(mut self, id: FacetId) -> Self {
        self.facet = Some(id);
        self
    }
}

/// Cells around a coordinate, ring by ring. Ends after an error.
pub struct RingWalk<'a> {
    state: ReadState<'a>,
    seq: u64,
    coords: Spiral,
    filter: RingFilter,
    failed: bool,
}

impl<'a> RingWalk<'a> {
    pub(super) fn new(state: ReadState<'a>, seq: u64, coords: Spiral, filter: RingFilter) -> Self {
        Self { state, seq, coords, filter, failed: false }
    }

    /// The cell at a coordinate, if it passes.
    fn look(&self, coord: Coord) -> Result<Option<Cell>> {
        let cell = self.state.get(keys::cell_key(coord), self.seq, decode_cell)?;
        let passes = |cell: &Cell| self.filter.valid_at.is_none_or(|time| cell.is_valid_at(time));
        let Some(cell) = cell.filter(passes) else { return Ok(None) };
        if let Some(id) = self.filter.facet {
            let facet = keys::facet_key(coord, id.get());
            if self.state.get(facet, self.seq, decode_facet)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(cell))
    }
}

impl Iterator for RingWalk<'_> {
    type Item = Result<(Coord, Cell)>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let coord = self.coords.next()?;
            match self.look(coord) {
                Ok(Some(cell)) => return Some(Ok((coord, cell))),
                Ok(None) => {}
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl std::iter::FusedIterator for RingWalk<'_> {}

impl std::fmt::Debug for RingWalk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RingWalk").field("filter", &self.filter).finish_non_exhaustive()
    }
}
