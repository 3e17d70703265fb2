//! Record families and their encodings.

mod cell;
mod cell_encoding;
mod encoding;
mod validation;

pub use cell::{Cell, Provenance, Validity};
pub(crate) use cell_encoding::{decode_cell, encode_cell};
