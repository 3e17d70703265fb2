//! Functions of the application that the database calls.

use std::fmt;
use std::sync::Arc;

use ulid::Ulid;

use crate::lattice::Coord;
use crate::record::{Cell, Seam};

type Validator = dyn Fn(Coord, &Cell) -> Result<(), String> + Send + Sync;
type OnCell = dyn Fn(Coord, &Cell) + Send + Sync;
type OnSeam = dyn Fn(Ulid, &Seam) + Send + Sync;

/// Functions of the application that the database calls.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) cell_validator: Option<Arc<Validator>>,
    pub(crate) after_put_cell: Option<Arc<OnCell>>,
    pub(crate) after_put_seam: Option<Arc<OnSeam>>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("cell_validator", &self.cell_validator.is_some())
            .field("after_put_cell", &self.after_put_cell.is_some())
            .field("after_put_seam", &self.after_put_seam.is_some())
            .finish()
    }
}
