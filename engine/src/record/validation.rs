//! The rules that records obey, the same on the way in and on the way back.

use super::cell::{Cell, Validity};
use crate::error::{Error, Result};
use crate::keys::{MAX_TEXT_BYTES, escaped_len};

/// Refuses a cell that breaks a rule of its family.
pub(super) fn check_cell(cell: &Cell) -> Result<()> {
    let refuse = |what: String| Error::InvalidRecord { family: "cell", what };
    let confidence = cell.provenance.confidence;
    if !is_confidence(confidence) {
        return Err(refuse(format!("confidence is {confidence}; it must be 0 to 1")));
    }
    if !is_ordered(cell.validity) {
        return Err(refuse("valid_from must be before valid_to".to_owned()));
    }
    check_text("source_id", &cell.provenance.source_id)?;
    cell.tags.iter().try_for_each(|tag| check_text("tag", tag))
}

/// Refuses a text that does not fit the key of its index.
pub(super) fn check_text(what: &'static str, text: &str) -> Result<()> {
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

/// Whether a tag or source fits the key of its index.
pub(super) fn fits_key(text: &str) -> bool {
    // The first test spares counting zeros in nearly every text.
    text.len() <= MAX_TEXT_BYTES / 2 || escaped_len(text.as_bytes()) <= MAX_TEXT_BYTES
}
