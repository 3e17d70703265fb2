//! A seam as bytes. The reason is the last field, so that the cells, the type and the status can
//! be read without it.

use super::common_fields::{
    MAX_VALIDITY_BYTES, PROVENANCE, VALIDITY, max_provenance_bytes, put_provenance, put_validity,
    take_provenance, take_validity,
};
use super::encoding::{
    EIGHT_FIELD_BYTES, Field, Kind, LONG_OVERHEAD_BYTES, ONE_FIELD_BYTES, SHORT_OVERHEAD_BYTES,
    Schema, header, numbers, put_eight, put_one, put_record, put_short, read_record,
};
use super::seam::{ResolutionStatus, Seam, SeamType};
use super::validation::check_seam;
use super::values::{content, float, put_content, put_float, put_optional_content, put_time, time};
use crate::error::Result;
use crate::keys::DecodeError;
use crate::lattice::{Coord, PackedCoord};

// Header bytes of a seam's own fields. A number, once used, keeps its kind and meaning for ever;
// new fields take numbers from 14 to 29.
const CELL_A: u8 = header(Kind::Eight, 7);
const CELL_B: u8 = header(Kind::Eight, 8);
// Always its name, so that a type that gets a variant of its own keeps its bytes.
const SEAM_TYPE: u8 = header(Kind::Short, 9);
const CONFIDENCE_DELTA: u8 = header(Kind::Eight, 10);
const DETECTED_AT: u8 = header(Kind::Eight, 11);
const RESOLUTION_STATUS: u8 = header(Kind::One, 12);
const RESOLUTION_NOTE: u8 = header(Kind::Long, 13);
const REASON: u8 = header(Kind::Long, 30);

const REQUIRED: u32 = numbers(&[CELL_A, CELL_B, SEAM_TYPE]);
const OPTIONAL: u32 =
    numbers(&[CONFIDENCE_DELTA, DETECTED_AT, RESOLUTION_STATUS, RESOLUTION_NOTE, REASON]);

const SCHEMA: Schema =
    Schema { known: PROVENANCE | VALIDITY | REQUIRED | OPTIONAL, required: REQUIRED, repeating: 0 };

/// What an absent confidence delta means.
const DEFAULT_DELTA: f64 = 0.0;

/// Appends the encoding of `seam` to `out`. A seam that breaks a rule leaves `out` as it was.
pub(crate) fn encode_seam(seam: &Seam, out: &mut Vec<u8>) -> Result<()> {
    check_seam(seam)?;
    put_record(out, max_field_bytes(seam), |out| put_fields(seam, out))
}

/// Room for `seam`, were every field written.
fn max_field_bytes(seam: &Seam) -> usize {
    max_provenance_bytes(&seam.provenance)
        + MAX_VALIDITY_BYTES
        + 4 * EIGHT_FIELD_BYTES
        + SHORT_OVERHEAD_BYTES
        + seam.seam_type.as_str().len()
        + ONE_FIELD_BYTES
        + 2 * LONG_OVERHEAD_BYTES
        + seam.resolution_note.as_ref().map_or(0, String::len)
        + seam.reason.len()
}

fn put_fields(seam: &Seam, out: &mut Vec<u8>) -> Result<()> {
    put_provenance(out, &seam.provenance)?;
    put_validity(out, seam.validity);
    put_eight(out, CELL_A, coord_bytes(seam.cell_a));
    put_eight(out, CELL_B, coord_bytes(seam.cell_b));
    put_short(out, SEAM_TYPE, seam.seam_type.as_str().as_bytes(), "seam_type")?;
    put_float(out, CONFIDENCE_DELTA, seam.confidence_delta, DEFAULT_DELTA);
    put_time(out, DETECTED_AT, seam.detected_at);
    if seam.resolution_status != ResolutionStatus::Unresolved {
        put_one(out, RESOLUTION_STATUS, status_byte(seam.resolution_status));
    }
    put_optional_content(out, RESOLUTION_NOTE, seam.resolution_note.as_deref())?;
    put_content(out, REASON, &seam.reason)
}

/// Reads a seam that fills all of `bytes`. Refuses whatever [`encode_seam`] does not write, save
/// skippable fields of later versions.
pub(crate) fn decode_seam(bytes: &[u8]) -> std::result::Result<Seam, DecodeError> {
    // The schema sees to it that all three are read.
    let unread = PackedCoord::MIN.unpack();
    let mut seam = Seam::new(unread, unread, SeamType::Conflict);
    read_record(bytes, SCHEMA, |field| take_field(&mut seam, field))?;
    Ok(seam)
}

#[inline]
fn take_field(seam: &mut Seam, field: &Field<'_>) -> std::result::Result<bool, DecodeError> {
    match field.header {
        CELL_A => seam.cell_a = coord(field)?,
        CELL_B => {
            seam.cell_b = coord(field)?;
            if seam.cell_a == seam.cell_b {
                return Err(field.damaged("is the cell that the seam begins at"));
            }
        }
        SEAM_TYPE => {
            seam.seam_type = field.text()?.parse().map_err(|_| field.damaged("is no seam type"))?;
        }
        CONFIDENCE_DELTA => seam.confidence_delta = float(field, DEFAULT_DELTA, f64::is_finite)?,
        DETECTED_AT => seam.detected_at = time(field)?,
        RESOLUTION_STATUS => seam.resolution_status = status(field)?,
        RESOLUTION_NOTE => seam.resolution_note = Some(field.text()?.to_owned()),
        REASON => content(field)?.clone_into(&mut seam.reason),
        _ => {
            return Ok(take_provenance(&mut seam.provenance, field)?
                || take_validity(&mut seam.validity, field)?);
        }
    }
    Ok(true)
}

fn coord_bytes(coord: Coord) -> [u8; 8] {
    let [q, r] = [coord.q(), coord.r()].map(|axis| u64::from(axis.cast_unsigned()));
    (q | r << 32).to_le_bytes()
}

fn coord(field: &Field<'_>) -> std::result::Result<Coord, DecodeError> {
    let both = i64::from_le_bytes(field.eight()?);
    Coord::new(both as i32, (both >> 32) as i32).map_err(|_| field.damaged("is no coordinate"))
}

const fn status_byte(status: ResolutionStatus) -> u8 {
    match status {
        ResolutionStatus::Unresolved => 0,
        ResolutionStatus::Merged => 1,
        ResolutionStatus::Superseded => 2,
        ResolutionStatus::Archived => 3,
    }
}

fn status(field: &Field<'_>) -> std::result::Result<ResolutionStatus, DecodeError> {
    match field.one()? {
        0 => Err(field.damaged("holds its default")),
        byte => ResolutionStatus::ALL
            .into_iter()
            .find(|status| status_byte(*status) == byte)
            .ok_or_else(|| DecodeError::newer(format!("resolution status {byte}"))),
    }
}

#[cfg(test)]
mod tests;
