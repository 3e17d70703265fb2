//! The hexagonal lattice: axial coordinates and their packed, ordered form.

mod coord;
mod geometry;
mod pack;

#[cfg(feature = "serde")]
pub(crate) use coord::Axial;
pub use coord::MAX_COMPONENT;
pub use geometry::{Ring, Spiral};
pub use pack::PackedCoord;
pub(crate) use pack::decode as decode_packed;

pub use crate::ids::Coord;
