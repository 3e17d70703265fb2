//! Record families and their encodings.

mod cell;
mod cell_encoding;
mod common_fields;
mod edge;
mod edge_encoding;
mod encoding;
mod facet;
mod facet_encoding;
#[cfg(feature = "serde")]
mod hex;
mod id;
mod seam;
mod seam_encoding;
#[cfg(test)]
mod testing;
mod validation;
mod values;

pub use cell::{Cell, Provenance, Validity};
pub(crate) use cell_encoding::{decode_cell, encode_cell};
pub use edge::Edge;
pub(crate) use edge_encoding::{decode_edge, encode_edge};
pub use facet::{Facet, FacetId, derivation_hash};
pub(crate) use facet_encoding::{decode_facet, encode_facet};
pub use id::{EdgeId, RecordId};
pub use seam::{ResolutionStatus, Seam, SeamType};
pub(crate) use seam_encoding::{decode_seam, encode_seam};
pub(crate) use validation::check_text;
