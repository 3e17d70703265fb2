//! A cell as bytes. The content is the last field, so that a large cell's source, times and tags
//! stand at its front.

use smallvec::SmallVec;

use super::cell::Cell;
use super::encoding::{
    EIGHT_FIELD_BYTES, Field, Fields, Kind, LAYOUT, LONG_OVERHEAD_BYTES, SHORT_OVERHEAD_BYTES,
    header, put_eight, put_long, put_short,
};
use super::validation::{check_cell, fits_key, is_confidence, is_ordered};
use crate::error::Result;
use crate::keys::DecodeError;
use crate::time::Timestamp;

// Header bytes of a cell's fields. A number, once used, keeps its kind and meaning for ever;
// new fields take numbers from 9 to 29.
const SOURCE_ID: u8 = header(Kind::Short, 1);
const CONFIDENCE: u8 = header(Kind::Eight, 2);
const CREATED_AT: u8 = header(Kind::Eight, 3);
const UPDATED_AT: u8 = header(Kind::Eight, 4);
const VALID_FROM: u8 = header(Kind::Eight, 5);
const VALID_TO: u8 = header(Kind::Eight, 6);
const TAG: u8 = header(Kind::Short, 7);
const CLUSTER_HINT: u8 = header(Kind::Long, 8);
const RAW_CONTENT: u8 = header(Kind::Long, 30);

/// What an absent confidence field means.
const DEFAULT_CONFIDENCE: f64 = 1.0;

/// Appends the encoding of `cell` to `out`. A cell that breaks a rule leaves `out` as it was.
pub(crate) fn encode_cell(cell: &Cell, out: &mut Vec<u8>) -> Result<()> {
    check_cell(cell)?;
    let start = out.len();
    out.reserve(max_encoded_bytes(cell));
    let result = put_fields(cell, out);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Room for `cell`, were every field written.
fn max_encoded_bytes(cell: &Cell) -> usize {
    let tags: usize = cell.tags.iter().map(|tag| SHORT_OVERHEAD_BYTES + tag.len()).sum();
    let hint = cell.cluster_hint.as_ref().map_or(0, String::len);
    1 + SHORT_OVERHEAD_BYTES
        + cell.provenance.source_id.len()
        + 5 * EIGHT_FIELD_BYTES
        + tags
        + 2 * LONG_OVERHEAD_BYTES
        + hint
        + cell.raw_content.len()
}

fn put_fields(cell: &Cell, out: &mut Vec<u8>) -> Result<()> {
    let provenance = &cell.provenance;
    out.push(LAYOUT);
    if !provenance.source_id.is_empty() {
        put_short(out, SOURCE_ID, provenance.source_id.as_bytes(), "source_id")?;
    }
    // Adding zero turns −0 into 0.
    let confidence = (provenance.confidence + 0.0).to_bits();
    if confidence != DEFAULT_CONFIDENCE.to_bits() {
        put_eight(out, CONFIDENCE, confidence.to_le_bytes());
    }
    let time_or_absent = |time: Timestamp| (time != Timestamp::default()).then_some(time);
    put_time(out, CREATED_AT, time_or_absent(provenance.created_at));
    put_time(out, UPDATED_AT, time_or_absent(provenance.updated_at));
    put_time(out, VALID_FROM, cell.validity.valid_from);
    put_time(out, VALID_TO, cell.validity.valid_to);
    put_tags(out, &cell.tags)?;
    if let Some(hint) = &cell.cluster_hint {
        put_long(out, CLUSTER_HINT, hint.as_bytes())?;
    }
    if !cell.raw_content.is_empty() {
        put_long(out, RAW_CONTENT, cell.raw_content.as_bytes())?;
    }
    Ok(())
}

fn put_time(out: &mut Vec<u8>, header: u8, time: Option<Timestamp>) {
    if let Some(time) = time {
        put_eight(out, header, time.as_nanos().to_le_bytes());
    }
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
    let mut fields = Fields::new(bytes)?;
    while let Some(field) = fields.next()? {
        take_field(&mut cell, &field)?;
    }
    if is_ordered(cell.validity) {
        Ok(cell)
    } else {
        Err(DecodeError::damaged("validity of a cell ends before it begins"))
    }
}

#[expect(clippy::assigning_clones, reason = "what is assigned to is empty; this allocates exactly")]
#[inline]
fn take_field(cell: &mut Cell, field: &Field<'_>) -> std::result::Result<(), DecodeError> {
    if field.repeats && field.header != TAG && is_known(field.number()) {
        return Err(field.damaged("stands twice"));
    }
    let provenance = &mut cell.provenance;
    match field.header {
        SOURCE_ID => provenance.source_id = key_text(field, not_empty(field)?)?.to_owned(),
        CONFIDENCE => provenance.confidence = confidence(field)?,
        CREATED_AT => provenance.created_at = not_zero(field)?,
        UPDATED_AT => provenance.updated_at = not_zero(field)?,
        VALID_FROM => cell.validity.valid_from = Some(time(field)?),
        VALID_TO => cell.validity.valid_to = Some(time(field)?),
        TAG => {
            let tag = key_text(field, field.text()?)?;
            if cell.tags.last().is_some_and(|last| last.as_str() >= tag) {
                return Err(field.damaged("is out of order"));
            }
            cell.tags.push(tag.to_owned());
        }
        CLUSTER_HINT => cell.cluster_hint = Some(field.text()?.to_owned()),
        RAW_CONTENT => cell.raw_content = not_empty(field)?.to_owned(),
        _ => return field.pass_over(is_known(field.number())),
    }
    Ok(())
}

fn is_known(number: u8) -> bool {
    matches!(number, 1..=8 | 30)
}

fn key_text<'a>(field: &Field<'_>, text: &'a str) -> std::result::Result<&'a str, DecodeError> {
    if fits_key(text) { Ok(text) } else { Err(field.damaged("is too long for a key")) }
}

fn not_empty<'a>(field: &Field<'a>) -> std::result::Result<&'a str, DecodeError> {
    match field.text()? {
        "" => Err(field.damaged("holds its default")),
        text => Ok(text),
    }
}

fn time(field: &Field<'_>) -> std::result::Result<Timestamp, DecodeError> {
    Ok(Timestamp::from_nanos(i64::from_le_bytes(field.eight()?)))
}

fn not_zero(field: &Field<'_>) -> std::result::Result<Timestamp, DecodeError> {
    let time = time(field)?;
    if time == Timestamp::default() { Err(field.damaged("holds its default")) } else { Ok(time) }
}

fn confidence(field: &Field<'_>) -> std::result::Result<f64, DecodeError> {
    let value = f64::from_le_bytes(field.eight()?);
    if !is_confidence(value) || value.is_sign_negative() {
        Err(field.damaged("is no confidence"))
    } else if value.to_bits() == DEFAULT_CONFIDENCE.to_bits() {
        Err(field.damaged("holds its default"))
    } else {
        Ok(value)
    }
}

#[cfg(test)]
mod tests;
