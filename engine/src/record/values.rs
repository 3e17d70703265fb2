//! Values in fields: how texts, times and numbers are written, left out where they are the field's
//! default, and what is refused on the way back because no writer leaves it.

use super::encoding::{Field, put_eight, put_long, put_short};
use super::validation::fits_key;
use crate::error::Result;
use crate::keys::DecodeError;
use crate::time::Timestamp;

type Decoded<T> = std::result::Result<T, DecodeError>;

/// Writes a text that some index's key holds, unless it is empty.
pub(super) fn put_key_text(
    out: &mut Vec<u8>,
    header: u8,
    text: &str,
    what: &'static str,
) -> Result<()> {
    if text.is_empty() { Ok(()) } else { put_short(out, header, text.as_bytes(), what) }
}

/// Writes a text of any length, unless it is empty.
pub(super) fn put_content(out: &mut Vec<u8>, header: u8, text: &str) -> Result<()> {
    if text.is_empty() { Ok(()) } else { put_long(out, header, text.as_bytes()) }
}

/// Writes a text that may be absent; an empty one is not.
pub(super) fn put_optional_content(
    out: &mut Vec<u8>,
    header: u8,
    text: Option<&str>,
) -> Result<()> {
    text.map_or(Ok(()), |text| put_long(out, header, text.as_bytes()))
}

/// Writes a time that may be absent; 0 is not.
pub(super) fn put_optional_time(out: &mut Vec<u8>, header: u8, time: Option<Timestamp>) {
    if let Some(time) = time {
        put_eight(out, header, time.as_nanos().to_le_bytes());
    }
}

/// Writes a time, unless it is 0.
pub(super) fn put_time(out: &mut Vec<u8>, header: u8, time: Timestamp) {
    put_optional_time(out, header, (time != Timestamp::default()).then_some(time));
}

/// Writes a number, unless it is the field's default.
pub(super) fn put_float(out: &mut Vec<u8>, header: u8, value: f64, default: f64) {
    // Adding zero turns −0 into 0.
    let bits = (value + 0.0).to_bits();
    if bits != default.to_bits() {
        put_eight(out, header, bits.to_le_bytes());
    }
}

/// A text that fits the key of its index.
pub(super) fn key_text<'a>(field: &Field<'a>) -> Decoded<&'a str> {
    let text = field.text()?;
    if fits_key(text) { Ok(text) } else { Err(field.damaged("is too long for a key")) }
}

/// `text`, which is left out where it is empty.
pub(super) fn not_empty<'a>(field: &Field<'a>, text: &'a str) -> Decoded<&'a str> {
    if text.is_empty() { Err(field.damaged("holds its default")) } else { Ok(text) }
}

/// A text of any length that is left out where it is empty.
pub(super) fn content<'a>(field: &Field<'a>) -> Decoded<&'a str> {
    not_empty(field, field.text()?)
}

/// Any time.
pub(super) fn optional_time(field: &Field<'_>) -> Decoded<Timestamp> {
    Ok(Timestamp::from_nanos(i64::from_le_bytes(field.eight()?)))
}

/// A time that is left out where it is 0.
pub(super) fn time(field: &Field<'_>) -> Decoded<Timestamp> {
    let time = optional_time(field)?;
    if time == Timestamp::default() { Err(field.damaged("holds its default")) } else { Ok(time) }
}

/// A number that is left out where it is `default`, and otherwise `is_allowed`.
pub(super) fn float(
    field: &Field<'_>,
    default: f64,
    is_allowed: impl FnOnce(f64) -> bool,
) -> Decoded<f64> {
    let value = f64::from_le_bytes(field.eight()?);
    let is_negative_zero = value.to_bits() == (-0.0_f64).to_bits();
    if !is_allowed(value) || is_negative_zero {
        Err(field.damaged("holds a number that is never written"))
    } else if value.to_bits() == default.to_bits() {
        Err(field.damaged("holds its default"))
    } else {
        Ok(value)
    }
}
