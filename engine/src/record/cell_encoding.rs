//! A cell as bytes. The content is the last field, so that a large cell's source, times and tags
//! stand at its front.

use smallvec::SmallVec;

use super::cell::Cell;
use super::common_fields::{
    MAX_VALIDITY_BYTES, PROVENANCE, VALIDITY, max_provenance_bytes, put_provenance, put_validity,
    take_provenance, take_validity,
};
use super::encoding::{
    Field, Kind, LONG_OVERHEAD_BYTES, SHORT_OVERHEAD_BYTES, Schema, header, numbers, put_record,
    put_short, read_record,
};
use super::validation::check_cell;
use super::values::{content, key_text, put_content, put_optional_content};
use crate::error::Result;
use crate::keys::DecodeError;

// Header bytes of a cell's own fields. A number, once used, keeps its kind and meaning for ever;
// new fields take numbers from 9 to 29.
const TAG: u8 = header(Kind::Short, 7);
const CLUSTER_HINT: u8 = header(Kind::Long, 8);
const RAW_CONTENT: u8 = header(Kind::Long, 30);

const SCHEMA: Schema = Schema {
    known: PROVENANCE | VALIDITY | numbers(&[TAG, CLUSTER_HINT, RAW_CONTENT]),
    required: 0,
    repeating: numbers(&[TAG]),
};

/// Appends the encoding of `cell` to `out`. A cell that breaks a rule leaves `out` as it was.
pub(crate) fn encode_cell(cell: &Cell, out: &mut Vec<u8>) -> Result<()> {
    check_cell(cell)?;
    put_record(out, max_field_bytes(cell), |out| put_fields(cell, out))
}

/// Room for `cell`, were every field written.
fn max_field_bytes(cell: &Cell) -> usize {
    let tags: usize = cell.tags.iter().map(|tag| SHORT_OVERHEAD_BYTES + tag.len()).sum();
    let hint = cell.cluster_hint.as_ref().map_or(0, String::len);
    max_provenance_bytes(&cell.provenance)
        + MAX_VALIDITY_BYTES
        + tags
        + 2 * LONG_OVERHEAD_BYTES
        + hint
        + cell.raw_content.len()
}

fn put_fields(cell: &Cell, out: &mut Vec<u8>) -> Result<()> {
    put_provenance(out, &cell.provenance)?;
    put_validity(out, cell.validity);
    put_tags(out, &cell.tags)?;
    put_optional_content(out, CLUSTER_HINT, cell.cluster_hint.as_deref())?;
    put_content(out, RAW_CONTENT, &cell.raw_content)
}

/// Writes each tag once, in the order of its bytes.
fn put_tags(out: &mut Vec<u8>, tags: &[String]) -> Result<()> {
    let mut put = |tag: &str| put_short(out, TAG, tag.as_bytes(), "tag");
    if tags.is_sorted_by(|a, b| a < b) {
        return tags.iter().try_for_each(|tag| put(tag));
    }
    let mut sorted: SmallVec<[&str; 16]> = tags.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.into_iter().try_for_each(put)
}

/// Reads a cell that fills all of `bytes`. Refuses whatever [`encode_cell`] does not write, save
/// skippable fields of later versions.
pub(crate) fn decode_cell(bytes: &[u8]) -> std::result::Result<Cell, DecodeError> {
    let mut cell = Cell::default();
    read_record(bytes, SCHEMA, |field| take_field(&mut cell, field))?;
    Ok(cell)
}

#[inline]
fn take_field(cell: &mut Cell, field: &Field<'_>) -> std::result::Result<bool, DecodeError> {
    match field.header {
        TAG => {
            let tag = key_text(field)?;
            if cell.tags.last().is_some_and(|last| last.as_str() >= tag) {
                return Err(field.damaged("is out of order"));
            }
            cell.tags.push(tag.to_owned());
        }
        CLUSTER_HINT => cell.cluster_hint = Some(field.text()?.to_owned()),
        RAW_CONTENT => content(field)?.clone_into(&mut cell.raw_content),
        _ => {
            return Ok(take_provenance(&mut cell.provenance, field)?
                || take_validity(&mut cell.validity, field)?);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
