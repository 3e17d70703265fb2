//! Record families and their encodings.

mod cell;
mod cell_encoding;
mod edge;
mod encoding;
mod facet;
#[cfg(feature = "serde")]
mod hex;
mod seam;
mod validation;

pub use cell::{Cell, Provenance, Validity};
pub(crate) use cell_encoding::{decode_cell, encode_cell};
pub use edge::Edge;
pub use facet::{Facet, FacetId, derivation_hash};
pub use seam::{ResolutionStatus, Seam, SeamType};
