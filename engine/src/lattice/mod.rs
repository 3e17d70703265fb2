//! The hexagonal lattice: axial coordinates and their packed, ordered form.

mod coord;
mod geometry;
mod pack;

pub use coord::{Coord, MAX_COMPONENT};
pub use geometry::{Ring, Spiral};
pub use pack::PackedCoord;
pub(crate) use pack::decode as decode_packed;
