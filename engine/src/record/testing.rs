//! What the tests of every family's encoding share: any of the common fields, and the promises
//! that hold for each family.

use std::fmt::{Debug, Write as _};

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::cell::{Provenance, Validity};
use super::encoding::{Fields, Kind, LAYOUT, header};
use crate::error::{Error, Result};
use crate::keys::DecodeError;
use crate::time::Timestamp;

/// The two ways of a family.
pub(super) struct Codec<R: 'static> {
    pub(super) encode: fn(&R, &mut Vec<u8>) -> Result<()>,
    pub(super) decode: fn(&[u8]) -> std::result::Result<R, DecodeError>,
}

impl<R: PartialEq + Debug> Codec<R> {
    pub(super) fn bytes(&self, record: &R) -> Vec<u8> {
        let mut out = Vec::new();
        (self.encode)(record, &mut out).unwrap();
        out
    }

    pub(super) fn check_kept(&self, record: &R) {
        assert_eq!(&(self.decode)(&self.bytes(record)).unwrap(), record);
    }

    /// Both are equal, whatever their bits, and so are their bytes.
    pub(super) fn check_same_bytes(&self, a: &R, b: &R) {
        assert_eq!(a, b);
        assert_eq!(self.bytes(a), self.bytes(b), "equal records have equal bytes");
    }

    pub(super) fn check_invalid(&self, record: &R, message: &str) {
        let mut out = b"before".to_vec();
        let error = (self.encode)(record, &mut out).unwrap_err();
        assert!(matches!(error, Error::InvalidRecord { .. }), "{error:?}");
        assert_eq!(error.to_string(), message);
        assert_eq!(out, *b"before", "nothing is left of a refused record");
    }

    pub(super) fn check_too_long(&self, record: &R, part: &str, encoded: usize) {
        match (self.encode)(record, &mut Vec::new()) {
            Err(Error::KeyTooLarge { what, len, max: 255 }) => {
                assert_eq!((what, len), (part, encoded));
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn check_refused(&self, record: &[u8], expected: &DecodeError) {
        assert_eq!(&(self.decode)(record).unwrap_err(), expected, "{record:02x?}");
    }

    /// Refused as damage that ends with `what`, behind `record`.
    pub(super) fn check_damaged(&self, record: &[u8], what: &str) {
        self.check_refused(record, &DecodeError::damaged(format!("record {what}")));
    }

    /// A field with the free number `free` is passed over if it is skippable, and refused
    /// otherwise; so is another layout. `at` is where the field belongs.
    pub(super) fn check_later_versions(&self, record: &R, at: usize, free: u8) {
        let bytes = self.bytes(record);
        for (kind, payload) in [
            (Kind::One, &[1][..]),
            (Kind::Eight, &[1, 2, 3, 4, 5, 6, 7, 8]),
            (Kind::Short, &[3, 1, 2, 3]),
            (Kind::Long, &[1, 0, 0, 0, 9]),
        ] {
            let with = |header: u8| [&bytes[..at], &[header], payload, &bytes[at..]].concat();
            assert_eq!(&(self.decode)(&with(header(kind, free) | 0x80)).unwrap(), record);
            let newer = DecodeError::newer(format!("record field {free}"));
            self.check_refused(&with(header(kind, free)), &newer);
        }
        let other_layout = [&[LAYOUT + 1], &bytes[1..]].concat();
        let newer = DecodeError::newer(format!("record layout {}", LAYOUT + 1));
        self.check_refused(&other_layout, &newer);
    }

    /// No field of `record` may stand twice or have another kind.
    pub(super) fn check_fields_stand_once(&self, record: &R) {
        let bytes = self.bytes(record);
        let mut fields = Fields::new(&bytes).unwrap();
        let mut seen = 0;
        while let Some(field) = fields.next().unwrap() {
            let end = field.payload.as_ptr_range().end as usize - bytes.as_ptr() as usize;
            let before = end - field.payload.len();
            let number = field.number();
            let length = match field.header >> 5 & 3 {
                1 => 1,
                2 => 4,
                _ => 0,
            };
            let start = before - length - 1;
            let twice = [&bytes[..end], &bytes[start..]].concat();
            self.check_damaged(&twice, &format!("field {number} stands twice"));
            for kind in [Kind::Eight, Kind::Short, Kind::Long, Kind::One] {
                if kind as u8 != field.header >> 5 & 3 {
                    let other = [header(kind, number), 0, 0, 0, 0, 0, 0, 0, 0];
                    let len = match kind {
                        Kind::Eight => 9,
                        Kind::Short | Kind::One => 2,
                        Kind::Long => 5,
                    };
                    let wrong = [&bytes[..start], &other[..len], &bytes[end..]].concat();
                    self.check_damaged(&wrong, &format!("field {number} has the wrong kind"));
                }
            }
            let mut skippable = bytes.clone();
            skippable[start] |= 0x80;
            self.check_damaged(&skippable, &format!("field {number} has the wrong kind"));
            seen += 1;
        }
        assert!(seen > 0);
    }

    pub(super) fn check_cut_short(&self, record: &R) {
        let bytes = self.bytes(record);
        for len in 0..bytes.len() {
            if let Ok(shorter) = (self.decode)(&bytes[..len]) {
                assert_eq!(self.bytes(&shorter), bytes[..len], "cut to {len}");
            }
        }
    }

    pub(super) fn round_trip(&self, record: &R, max_field_bytes: usize) -> TestCaseResult {
        let bytes = self.bytes(record);
        prop_assert!(bytes.len() <= 1 + max_field_bytes);
        prop_assert_eq!(&(self.decode)(&bytes).unwrap(), record);
        Ok(())
    }

    /// What decodes without a field of a later version is exactly what would be written.
    pub(super) fn refused_or_canonical(&self, bytes: &[u8]) -> TestCaseResult {
        if let Ok(read) = (self.decode)(bytes) {
            let again = self.bytes(&read);
            prop_assert!(again == bytes || has_skippable_field(bytes));
            prop_assert_eq!((self.decode)(&again).unwrap(), read);
        }
        Ok(())
    }

    /// As [`Self::refused_or_canonical`], for a record with one byte changed.
    pub(super) fn changed_byte(
        &self,
        record: &R,
        at: prop::sample::Index,
        to: u8,
    ) -> TestCaseResult {
        let mut bytes = self.bytes(record);
        let at = at.index(bytes.len());
        bytes[at] = to;
        self.refused_or_canonical(&bytes)
    }
}

fn has_skippable_field(record: &[u8]) -> bool {
    let mut fields = Fields::new(record).unwrap();
    while let Some(field) = fields.next().unwrap() {
        if field.header & 0x80 != 0 {
            return true;
        }
    }
    false
}

/// A record that is a single field of eight bytes.
pub(super) fn eight(header: u8, payload: [u8; 8]) -> Vec<u8> {
    [&[LAYOUT, header], &payload[..]].concat()
}

/// Offset, sixteen bytes, and what of them prints.
pub(super) fn hex_dump(bytes: &[u8]) -> String {
    let mut dump = String::new();
    for (row, line) in bytes.chunks(16).enumerate() {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let printed = |&b: &u8| if (b' '..=b'~').contains(&b) { char::from(b) } else { '.' };
        let text: String = line.iter().map(printed).collect();
        writeln!(dump, "{:04x}  {:<47}  {text}", row * 16, hex.join(" ")).unwrap();
    }
    dump
}

pub(super) fn full_provenance() -> Provenance {
    Provenance {
        source_id: "wsv/elbe".to_owned(),
        confidence: 0.75,
        created_at: Timestamp::from_secs(1_700_000_000),
        updated_at: Timestamp::from_secs(1_700_003_600),
    }
}

pub(super) fn full_validity() -> Validity {
    Validity { valid_from: Some(Timestamp::from_secs(-1)), valid_to: Some(Timestamp::MAX) }
}

pub(super) fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,3}", "\\PC{0,20}", Just("\0é\0".to_owned())]
}

/// Often the default.
pub(super) fn any_time() -> impl Strategy<Value = Timestamp> {
    any::<Option<i64>>().prop_map(|nanos| Timestamp::from_nanos(nanos.unwrap_or(0)))
}

/// Any finite number, often a default, −0 among them.
pub(super) fn any_finite() -> impl Strategy<Value = f64> {
    use prop::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    prop_oneof![Just(0.0), Just(-0.0), Just(1.0), POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO]
}

prop_compose! {
    pub(super) fn any_validity()(ends in any::<[Option<i64>; 2]>()) -> Validity {
        let [mut from, mut to] = ends.map(|end| end.map(Timestamp::from_nanos));
        if let (Some(a), Some(b)) = (from, to) {
            (from, to) = if a == b { (from, None) } else { (Some(a.min(b)), Some(a.max(b))) };
        }
        Validity { valid_from: from, valid_to: to }
    }
}

prop_compose! {
    pub(super) fn any_provenance()(
        source_id in any_text(),
        confidence in prop_oneof![0.0..=1.0, Just(0.0), Just(1.0)],
        created_at in any_time(),
        updated_at in any_time(),
    ) -> Provenance {
        Provenance { source_id, confidence, created_at, updated_at }
    }
}
