//! How any record becomes bytes: a layout byte, then fields in ascending order of their numbers.
//!
//! A field is a header byte and a payload. The header byte is
//!
//! ```text
//!   bit 7       bits 6–5   bits 4–0
//!   skippable   kind       number, 1 to 30
//! ```
//!
//! and the kind alone says how long the payload is, so that a reader can pass over a field that
//! it does not know. Integers and floats are little-endian. A field that holds its default is not
//! written; a reader takes an absent field for its default, which is how records grow. A reader
//! that meets a field it does not know refuses the record, unless the field is marked skippable.
//! So each record has one encoding, and equal records have equal bytes.

use crate::error::{Error, Result};
use crate::keys::DecodeError;

/// First byte of every record. Another value is another layout altogether.
pub(super) const LAYOUT: u8 = 1;

/// Bytes of a field of kind [`Kind::Eight`].
pub(super) const EIGHT_FIELD_BYTES: usize = 1 + 8;
/// Bytes of a field of kind [`Kind::One`].
pub(super) const ONE_FIELD_BYTES: usize = 1 + 1;
/// Bytes of a field of kind [`Kind::Short`] beside its text.
pub(super) const SHORT_OVERHEAD_BYTES: usize = 1 + 1;
/// Bytes of a field of kind [`Kind::Long`] beside its text.
pub(super) const LONG_OVERHEAD_BYTES: usize = 1 + 4;

const SKIPPABLE_BIT: u8 = 0x80;
const KIND_SHIFT: u32 = 5;
const NUMBER_MASK: u8 = 0x1F;
/// Kept for a longer header, should a family ever run out of numbers.
const RESERVED_NUMBER: u8 = 31;

/// How long a field's payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Eight bytes.
    Eight = 0,
    /// A length of one byte, and as many bytes.
    Short = 1,
    /// A length of four bytes, and as many bytes.
    Long = 2,
    /// One byte.
    One = 3,
}

/// The header byte of a field that a reader must know.
pub(super) const fn header(kind: Kind, number: u8) -> u8 {
    assert!(number > 0 && number < RESERVED_NUMBER);
    (kind as u8) << KIND_SHIFT | number
}

/// The field numbers of `headers`, one bit each.
pub(super) const fn numbers(headers: &[u8]) -> u32 {
    match headers {
        [header, rest @ ..] => 1 << (*header & NUMBER_MASK) | numbers(rest),
        [] => 0,
    }
}

/// Appends a record to `out`: the layout byte, and the fields that `put_fields` writes in at most
/// `max_bytes`. If that fails, `out` is left as it was.
pub(super) fn put_record(
    out: &mut Vec<u8>,
    max_bytes: usize,
    put_fields: impl FnOnce(&mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    let start = out.len();
    out.reserve(1 + max_bytes);
    out.push(LAYOUT);
    let result = put_fields(out);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Appends a field of eight bytes.
pub(super) fn put_eight(out: &mut Vec<u8>, header: u8, payload: [u8; 8]) {
    let mut field = [header; EIGHT_FIELD_BYTES];
    field[1..].copy_from_slice(&payload);
    out.extend_from_slice(&field);
}

/// Appends a field of one byte.
pub(super) fn put_one(out: &mut Vec<u8>, header: u8, payload: u8) {
    out.extend_from_slice(&[header, payload]);
}

/// Appends a field of up to 255 bytes; `what` names it in the error for more.
pub(super) fn put_short(
    out: &mut Vec<u8>,
    header: u8,
    payload: &[u8],
    what: &'static str,
) -> Result<()> {
    let max = usize::from(u8::MAX);
    let len = u8::try_from(payload.len()).map_err(|_| Error::KeyTooLarge {
        what,
        len: payload.len(),
        max,
    })?;
    out.extend_from_slice(&[header, len]);
    out.extend_from_slice(payload);
    Ok(())
}

/// Appends a field of up to 4 GiB less one byte.
pub(super) fn put_long(out: &mut Vec<u8>, header: u8, payload: &[u8]) -> Result<()> {
    let max = u32::MAX as usize;
    let len = u32::try_from(payload.len())
        .map_err(|_| Error::ValueTooLarge { len: payload.len(), max })?;
    out.push(header);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(payload);
    Ok(())
}

/// What a family says about its fields: sets of [`numbers`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema {
    /// All that the family knows.
    pub(super) known: u32,
    /// Those without a default: a record without one of them is damaged.
    pub(super) required: u32,
    /// Those that may stand more than once.
    pub(super) repeating: u32,
}

/// Hands the fields of `record` to `take`, which says whether it knows the field's header.
#[inline]
pub(super) fn read_record<'a>(
    record: &'a [u8],
    schema: Schema,
    mut take: impl FnMut(&Field<'a>) -> std::result::Result<bool, DecodeError>,
) -> std::result::Result<(), DecodeError> {
    let mut fields = Fields::new(record)?;
    let mut missing = schema.required;
    while let Some(field) = fields.next()? {
        let bit = 1 << field.number();
        if field.repeats && schema.known & !schema.repeating & bit != 0 {
            return Err(field.damaged("stands twice"));
        }
        if !take(&field)? {
            field.pass_over(schema.known & bit != 0)?;
        }
        missing &= !bit;
    }
    if missing == 0 {
        Ok(())
    } else {
        let number = missing.trailing_zeros();
        Err(DecodeError::damaged(format!("record field {number} is missing")))
    }
}

/// A field as it stands in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) header: u8,
    pub(super) payload: &'a [u8],
    /// Whether the field before it has the same number.
    pub(super) repeats: bool,
}

impl<'a> Field<'a> {
    pub(super) fn number(&self) -> u8 {
        self.header & NUMBER_MASK
    }

    /// The payload of a field of kind [`Kind::Eight`].
    pub(super) fn eight(&self) -> std::result::Result<[u8; 8], DecodeError> {
        self.payload.try_into().map_err(|_| self.damaged("is not eight bytes long"))
    }

    /// The payload of a field of kind [`Kind::One`].
    pub(super) fn one(&self) -> std::result::Result<u8, DecodeError> {
        match self.payload {
            [byte] => Ok(*byte),
            _ => Err(self.damaged("is not one byte long")),
        }
    }

    /// The payload as text.
    pub(super) fn text(&self) -> std::result::Result<&'a str, DecodeError> {
        std::str::from_utf8(self.payload).map_err(|_| self.damaged("is not UTF-8"))
    }

    /// What to do with a field whose header the family does not list: nothing, or refuse it.
    /// `known` says whether the family lists its number.
    fn pass_over(&self, known: bool) -> std::result::Result<(), DecodeError> {
        if known {
            Err(self.damaged("has the wrong kind"))
        } else if self.header & SKIPPABLE_BIT == 0 {
            Err(DecodeError::newer(format!("record field {}", self.number())))
        } else {
            Ok(())
        }
    }

    #[cold]
    pub(super) fn damaged(&self, how: &str) -> DecodeError {
        DecodeError::damaged(format!("record field {} {how}", self.number()))
    }
}

/// The fields of a record, in order. Lengths are checked against the bytes that are there.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    last_number: u8,
}

impl<'a> Fields<'a> {
    pub(super) fn new(record: &'a [u8]) -> std::result::Result<Self, DecodeError> {
        match record.split_first() {
            Some((&LAYOUT, rest)) => Ok(Self { rest, last_number: 0 }),
            Some((0, _)) => Err(DecodeError::damaged("record layout 0")),
            Some((layout, _)) => Err(DecodeError::newer(format!("record layout {layout}"))),
            None => Err(DecodeError::damaged("record is empty")),
        }
    }

    /// The next field, or `None` after the last.
    #[inline]
    pub(super) fn next(&mut self) -> std::result::Result<Option<Field<'a>>, DecodeError> {
        let Some((&header, rest)) = self.rest.split_first() else { return Ok(None) };
        let number = header & NUMBER_MASK;
        if number == RESERVED_NUMBER {
            return Err(DecodeError::newer("record field with a longer header"));
        }
        if number == 0 || number < self.last_number {
            return Err(DecodeError::damaged(format!(
                "record field {number} follows field {}",
                self.last_number
            )));
        }
        let (payload, rest) = split_payload(header, rest)
            .ok_or_else(|| DecodeError::damaged(format!("record field {number} is cut short")))?;
        let repeats = number == self.last_number;
        self.rest = rest;
        self.last_number = number;
        Ok(Some(Field { header, payload, repeats }))
    }
}

/// Splits the payload that `header` announces off the front of `bytes`.
#[inline]
fn split_payload(header: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match header >> KIND_SHIFT & 3 {
        0 => bytes.split_at_checked(8),
        1 => {
            let (&len, rest) = bytes.split_first()?;
            rest.split_at_checked(usize::from(len))
        }
        2 => {
            let (len, rest) = bytes.split_first_chunk::<4>()?;
            rest.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)
        }
        _ => bytes.split_at_checked(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Numbers and payloads of all fields, or the error.
    fn read(record: &[u8]) -> std::result::Result<Vec<(u8, Vec<u8>)>, DecodeError> {
        let mut fields = Fields::new(record)?;
        let mut all = Vec::new();
        while let Some(field) = fields.next()? {
            all.push((field.number(), field.payload.to_vec()));
        }
        Ok(all)
    }

    fn check_refused(record: &[u8], newer: bool, what: &str) {
        let error = read(record).expect_err("refused");
        assert_eq!(error.what(), what);
        assert_eq!(matches!(error, DecodeError::Newer(_)), newer);
    }

    #[test]
    fn each_kind_is_passed_over_by_its_length() {
        let mut record = vec![LAYOUT];
        put_one(&mut record, header(Kind::One, 1), 7);
        put_eight(&mut record, header(Kind::Eight, 2), *b"eight by");
        put_short(&mut record, header(Kind::Short, 3) | SKIPPABLE_BIT, b"short", "text").unwrap();
        put_long(&mut record, header(Kind::Long, 3), b"long").unwrap();
        put_long(&mut record, header(Kind::Long, 30), b"").unwrap();
        let expected: Vec<(u8, &[u8])> =
            vec![(1, &[7]), (2, b"eight by"), (3, b"short"), (3, b"long"), (30, b"")];
        let read = read(&record).unwrap();
        assert_eq!(read.iter().map(|(n, p)| (*n, p.as_slice())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn malformed_fields_are_refused() {
        check_refused(&[], false, "record is empty");
        check_refused(&[0], false, "record layout 0");
        check_refused(&[2], true, "record layout 2");
        check_refused(&[LAYOUT, 0x00], false, "record field 0 follows field 0");
        check_refused(&[LAYOUT, 0x1F], true, "record field with a longer header");
        check_refused(&[LAYOUT, 0x62, 9, 0x61, 9], false, "record field 1 follows field 2");
        check_refused(&[LAYOUT, 0x01, 0, 0, 0, 0, 0, 0, 0], false, "record field 1 is cut short");
        check_refused(&[LAYOUT, 0x61], false, "record field 1 is cut short");
        check_refused(&[LAYOUT, 0x21], false, "record field 1 is cut short");
        check_refused(&[LAYOUT, 0x21, 2, b'x'], false, "record field 1 is cut short");
        check_refused(&[LAYOUT, 0x41, 2, 0, 0], false, "record field 1 is cut short");
        let endless = [LAYOUT, 0x41, 0xFF, 0xFF, 0xFF, 0xFF, b'x'];
        check_refused(&endless, false, "record field 1 is cut short");
    }

    #[test]
    fn texts_too_long_for_their_length_are_refused() {
        let mut out = Vec::new();
        assert!(put_short(&mut out, header(Kind::Short, 1), &[b'x'; 255], "tag").is_ok());
        let error = put_short(&mut out, header(Kind::Short, 1), &[b'x'; 256], "tag").unwrap_err();
        assert!(matches!(error, Error::KeyTooLarge { what: "tag", len: 256, max: 255 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(record in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(fields) = read(&record) {
                let payloads: usize = fields.iter().map(|(_, payload)| payload.len()).sum();
                prop_assert!(payloads + fields.len() < record.len());
            }
        }
    }
}
