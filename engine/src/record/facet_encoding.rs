//! A facet as bytes. The derived text is the last field, so that the hash can be read without it.

use super::encoding::{
    EIGHT_FIELD_BYTES, Field, Kind, LONG_OVERHEAD_BYTES, SHORT_OVERHEAD_BYTES, Schema, header,
    numbers, put_record, put_short, read_record,
};
use super::facet::Facet;
use super::values::{content, put_content, put_time, time};
use crate::error::Result;
use crate::keys::DecodeError;

// Header bytes of a facet's fields. A number, once used, keeps its kind and meaning for ever; new
// fields take numbers from 9 to 29. Those of provenance and validity, 1 to 6, are kept for them.
const LAST_ROTATED: u8 = header(Kind::Eight, 7);
const DERIVATION_HASH: u8 = header(Kind::Short, 8);
const DERIVED_CONTENT: u8 = header(Kind::Long, 30);

const SCHEMA: Schema = Schema {
    known: numbers(&[LAST_ROTATED, DERIVATION_HASH, DERIVED_CONTENT]),
    required: numbers(&[DERIVATION_HASH]),
    repeating: 0,
};

/// Appends the encoding of `facet` to `out`, or leaves `out` as it was.
pub(crate) fn encode_facet(facet: &Facet, out: &mut Vec<u8>) -> Result<()> {
    put_record(out, max_field_bytes(facet), |out| put_fields(facet, out))
}

/// Room for `facet`, were every field written.
fn max_field_bytes(facet: &Facet) -> usize {
    EIGHT_FIELD_BYTES
        + SHORT_OVERHEAD_BYTES
        + facet.derivation_hash.len()
        + LONG_OVERHEAD_BYTES
        + facet.derived_content.len()
}

fn put_fields(facet: &Facet, out: &mut Vec<u8>) -> Result<()> {
    put_time(out, LAST_ROTATED, facet.last_rotated);
    put_short(out, DERIVATION_HASH, &facet.derivation_hash, "derivation_hash")?;
    put_content(out, DERIVED_CONTENT, &facet.derived_content)
}

/// Reads a facet that fills all of `bytes`. Refuses whatever [`encode_facet`] does not write, save
/// skippable fields of later versions.
pub(crate) fn decode_facet(bytes: &[u8]) -> std::result::Result<Facet, DecodeError> {
    let mut facet = Facet::default();
    read_record(bytes, SCHEMA, |field| take_field(&mut facet, field))?;
    Ok(facet)
}

#[inline]
fn take_field(facet: &mut Facet, field: &Field<'_>) -> std::result::Result<bool, DecodeError> {
    match field.header {
        LAST_ROTATED => facet.last_rotated = time(field)?,
        DERIVATION_HASH => {
            let hash = field.payload.try_into();
            facet.derivation_hash = hash.map_err(|_| field.damaged("is not 32 bytes long"))?;
        }
        DERIVED_CONTENT => content(field)?.clone_into(&mut facet.derived_content),
        _ => return Ok(false),
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
