//! An edge as bytes.

use super::common_fields::{PROVENANCE, max_provenance_bytes, put_provenance, take_provenance};
use super::edge::Edge;
use super::encoding::{
    EIGHT_FIELD_BYTES, Field, Kind, Schema, header, numbers, put_record, read_record,
};
use super::validation::check_edge;
use super::values::{float, put_float};
use crate::error::Result;
use crate::keys::DecodeError;

// Header byte of an edge's own field. A number, once used, keeps its kind and meaning for ever;
// new fields take numbers from 8 to 30. Those of validity, 5 and 6, are kept for it.
const WEIGHT: u8 = header(Kind::Eight, 7);

const SCHEMA: Schema = Schema { known: PROVENANCE | numbers(&[WEIGHT]), required: 0, repeating: 0 };

/// What an absent weight means.
const DEFAULT_WEIGHT: f64 = 1.0;

/// Appends the encoding of `edge` to `out`. An edge that breaks a rule leaves `out` as it was.
pub(crate) fn encode_edge(edge: &Edge, out: &mut Vec<u8>) -> Result<()> {
    check_edge(edge)?;
    put_record(out, max_field_bytes(edge), |out| put_fields(edge, out))
}

/// Room for `edge`, were every field written.
fn max_field_bytes(edge: &Edge) -> usize {
    max_provenance_bytes(&edge.provenance) + EIGHT_FIELD_BYTES
}

fn put_fields(edge: &Edge, out: &mut Vec<u8>) -> Result<()> {
    put_provenance(out, &edge.provenance)?;
    put_float(out, WEIGHT, edge.weight, DEFAULT_WEIGHT);
    Ok(())
}

/// Reads an edge that fills all of `bytes`. Refuses whatever [`encode_edge`] does not write, save
/// skippable fields of later versions.
pub(crate) fn decode_edge(bytes: &[u8]) -> std::result::Result<Edge, DecodeError> {
    let mut edge = Edge::new(DEFAULT_WEIGHT);
    read_record(bytes, SCHEMA, |field| take_field(&mut edge, field))?;
    Ok(edge)
}

#[inline]
fn take_field(edge: &mut Edge, field: &Field<'_>) -> std::result::Result<bool, DecodeError> {
    if field.header == WEIGHT {
        edge.weight = float(field, DEFAULT_WEIGHT, f64::is_finite)?;
        return Ok(true);
    }
    take_provenance(&mut edge.provenance, field)
}

#[cfg(test)]
mod tests;
