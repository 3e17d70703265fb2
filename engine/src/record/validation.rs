//! The rules that records obey, the same on the way in and on the way back.

use super::cell::{Cell, Provenance, Validity};
use super::edge::Edge;
use super::seam::{Seam, SeamType};
use crate::error::{Error, Result};
use crate::keys::{MAX_TEXT_BYTES, escaped_len};

/// Refuses a cell that breaks a rule of its family.
pub(super) fn check_cell(cell: &Cell) -> Result<()> {
    check_provenance("cell", &cell.provenance)?;
    check_validity("cell", cell.validity)?;
    cell.tags.iter().try_for_each(|tag| check_text("tag", tag))
}

/// Refuses an edge that breaks a rule of its family.
pub(super) fn check_edge(edge: &Edge) -> Result<()> {
    check_finite("edge", "weight", edge.weight)?;
    check_provenance("edge", &edge.provenance)
}

/// Refuses a seam that breaks a rule of its family.
pub(super) fn check_seam(seam: &Seam) -> Result<()> {
    if seam.cell_a == seam.cell_b {
        return Err(refuse("seam", format!("both cells are {}; they must differ", seam.cell_a)));
    }
    check_seam_type(&seam.seam_type)?;
    check_finite("seam", "confidence_delta", seam.confidence_delta)?;
    check_provenance("seam", &seam.provenance)?;
    check_validity("seam", seam.validity)
}

fn check_seam_type(seam_type: &SeamType) -> Result<()> {
    let SeamType::Other(name) = seam_type else { return Ok(()) };
    check_text("seam_type", name)?;
    if name.parse().is_ok_and(|parsed: SeamType| parsed == *seam_type) {
        return Ok(());
    }
    Err(refuse("seam", format!("another type must not be called {name:?}")))
}

fn check_provenance(family: &'static str, provenance: &Provenance) -> Result<()> {
    let confidence = provenance.confidence;
    if !is_confidence(confidence) {
        return Err(refuse(family, format!("confidence is {confidence}; it must be 0 to 1")));
    }
    check_text("source_id", &provenance.source_id)
}

fn check_validity(family: &'static str, validity: Validity) -> Result<()> {
    if is_ordered(validity) {
        Ok(())
    } else {
        Err(refuse(family, "valid_from must be before valid_to".to_owned()))
    }
}

fn check_finite(family: &'static str, what: &str, value: f64) -> Result<()> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(refuse(family, format!("{what} is {value}; it must be finite")))
    }
}

fn refuse(family: &'static str, what: String) -> Error {
    Error::InvalidRecord { family, what }
}

/// Refuses a text that does not fit the key of its index.
pub(crate) fn check_text(what: &'static str, text: &str) -> Result<()> {
    if fits_key(text) {
        Ok(())
    } else {
        Err(Error::KeyTooLarge { what, len: escaped_len(text.as_bytes()), max: MAX_TEXT_BYTES })
    }
}

/// Whether `value` is from 0 to 1; NaN is not.
pub(super) fn is_confidence(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

/// Whether there is an instant at which the validity holds.
pub(super) fn is_ordered(validity: Validity) -> bool {
    match (validity.valid_from, validity.valid_to) {
        (Some(from), Some(to)) => from < to,
        _ => true,
    }
}

/// Whether a tag, source or type fits the key of its index.
pub(super) fn fits_key(text: &str) -> bool {
    // The first test spares counting zeros in nearly every text.
    text.len() <= MAX_TEXT_BYTES / 2 || escaped_len(text.as_bytes()) <= MAX_TEXT_BYTES
}
