//! The fields that more than one family has: provenance and validity. They have the same numbers
//! and kinds in each, and no family uses these numbers for anything else.

use super::cell::{Provenance, Validity};
use super::encoding::{EIGHT_FIELD_BYTES, Field, Kind, SHORT_OVERHEAD_BYTES, header, numbers};
use super::validation::{is_confidence, is_ordered};
use super::values::{
    float, key_text, not_empty, optional_time, put_float, put_key_text, put_optional_time,
    put_time, time,
};
use crate::error::Result;
use crate::keys::DecodeError;

pub(super) const SOURCE_ID: u8 = header(Kind::Short, 1);
pub(super) const CONFIDENCE: u8 = header(Kind::Eight, 2);
pub(super) const CREATED_AT: u8 = header(Kind::Eight, 3);
pub(super) const UPDATED_AT: u8 = header(Kind::Eight, 4);
pub(super) const VALID_FROM: u8 = header(Kind::Eight, 5);
pub(super) const VALID_TO: u8 = header(Kind::Eight, 6);

/// The numbers of a provenance's fields.
pub(super) const PROVENANCE: u32 = numbers(&[SOURCE_ID, CONFIDENCE, CREATED_AT, UPDATED_AT]);
/// The numbers of a validity's fields.
pub(super) const VALIDITY: u32 = numbers(&[VALID_FROM, VALID_TO]);

/// Bytes of a validity, were both ends written.
pub(super) const MAX_VALIDITY_BYTES: usize = 2 * EIGHT_FIELD_BYTES;

/// What an absent confidence field means.
const DEFAULT_CONFIDENCE: f64 = 1.0;

/// Bytes of `provenance`, were every field written.
pub(super) fn max_provenance_bytes(provenance: &Provenance) -> usize {
    SHORT_OVERHEAD_BYTES + provenance.source_id.len() + 3 * EIGHT_FIELD_BYTES
}

pub(super) fn put_provenance(out: &mut Vec<u8>, provenance: &Provenance) -> Result<()> {
    put_key_text(out, SOURCE_ID, &provenance.source_id, "source_id")?;
    put_float(out, CONFIDENCE, provenance.confidence, DEFAULT_CONFIDENCE);
    put_time(out, CREATED_AT, provenance.created_at);
    put_time(out, UPDATED_AT, provenance.updated_at);
    Ok(())
}

pub(super) fn put_validity(out: &mut Vec<u8>, validity: Validity) {
    put_optional_time(out, VALID_FROM, validity.valid_from);
    put_optional_time(out, VALID_TO, validity.valid_to);
}

/// Reads `field` if it is one of a provenance, and says whether it is.
#[expect(clippy::assigning_clones, reason = "what is assigned to is empty; this allocates exactly")]
#[inline]
pub(super) fn take_provenance(
    provenance: &mut Provenance,
    field: &Field<'_>,
) -> std::result::Result<bool, DecodeError> {
    match field.header {
        SOURCE_ID => provenance.source_id = not_empty(field, key_text(field)?)?.to_owned(),
        CONFIDENCE => provenance.confidence = float(field, DEFAULT_CONFIDENCE, is_confidence)?,
        CREATED_AT => provenance.created_at = time(field)?,
        UPDATED_AT => provenance.updated_at = time(field)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Reads `field` if it is one of a validity, and says whether it is.
#[inline]
pub(super) fn take_validity(
    validity: &mut Validity,
    field: &Field<'_>,
) -> std::result::Result<bool, DecodeError> {
    match field.header {
        VALID_FROM => validity.valid_from = Some(optional_time(field)?),
        VALID_TO => validity.valid_to = Some(optional_time(field)?),
        _ => return Ok(false),
    }
    // The beginning stands before the end, if it stands at all.
    if is_ordered(*validity) {
        Ok(true)
    } else {
        Err(field.damaged("ends the validity before it begins"))
    }
}
