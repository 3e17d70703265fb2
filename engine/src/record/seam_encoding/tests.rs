//! Seams through bytes and back.

use proptest::prelude::*;

use super::super::common_fields::VALID_TO;
use super::super::encoding::LAYOUT;
use super::super::testing::{
    Codec, any_finite, any_provenance, any_text, any_time, any_validity, full_provenance,
    full_validity, hex_dump,
};
use super::*;
use crate::error::Error;
use crate::lattice::MAX_COMPONENT;
use crate::record::Validity;
use crate::time::Timestamp;

const SEAMS: Codec<Seam> = Codec { encode: encode_seam, decode: decode_seam };

fn at(q: i32, r: i32) -> Coord {
    Coord::new(q, r).unwrap()
}

fn plain_seam() -> Seam {
    Seam::new(at(0, 0), at(3, -1), SeamType::Conflict)
}

fn full_seam() -> Seam {
    Seam {
        cell_a: at(-2, 1),
        cell_b: at(MAX_COMPONENT, -MAX_COMPONENT),
        seam_type: SeamType::Supersedes,
        reason: "Die Brücke ist wieder frei.".to_owned(),
        confidence_delta: -0.25,
        detected_at: Timestamp::from_secs(1_700_000_000),
        resolution_status: ResolutionStatus::Archived,
        resolution_note: Some("done".to_owned()),
        provenance: full_provenance(),
        validity: full_validity(),
    }
}

/// The fields without a default, and whatever follows.
fn with_required(rest: &[u8]) -> Vec<u8> {
    let required = b"\x01\x07\0\0\0\0\0\0\0\0\x08\x03\0\0\0\xff\xff\xff\xff\x29\x08conflict";
    [&required[..], rest].concat()
}

// spec: KEY-04
#[test]
fn golden_bytes_of_a_seam() {
    insta::assert_snapshot!(hex_dump(&SEAMS.bytes(&full_seam())), @r"
    0000  01 21 08 77 73 76 2f 65 6c 62 65 02 00 00 00 00  .!.wsv/elbe.....
    0010  00 00 e8 3f 03 00 00 2a 36 fe 9c 97 17 04 00 a0  ...?...*6.......
    0020  e2 66 44 a0 97 17 05 00 36 65 c4 ff ff ff ff 06  .fD.....6e......
    0030  ff ff ff ff ff ff ff 7f 07 fe ff ff ff 01 00 00  ................
    0040  00 08 ff ff 03 00 01 00 fc ff 29 0a 73 75 70 65  ..........).supe
    0050  72 73 65 64 65 73 0a 00 00 00 00 00 00 d0 bf 0b  rsedes..........
    0060  00 00 2a 36 fe 9c 97 17 6c 03 4d 04 00 00 00 64  ..*6....l.M....d
    0070  6f 6e 65 5e 1c 00 00 00 44 69 65 20 42 72 c3 bc  one^....Die Br..
    0080  63 6b 65 20 69 73 74 20 77 69 65 64 65 72 20 66  cke ist wieder f
    0090  72 65 69 2e                                      rei.
    ");
}

// The example in the description of the format.
#[test]
fn documented_bytes_of_a_seam() {
    let seam = plain_seam().with_reason("hm");
    assert_eq!(SEAMS.bytes(&seam), with_required(b"\x5e\x02\0\0\0hm"));
}

// Whatever is written one day, this must be read for ever.
// spec: REC-11
#[test]
fn bytes_of_the_first_release_are_read() {
    let record = [
        &b"\x01\x21\x08wsv/elbe\x02\0\0\0\0\0\0\xe8\x3f"[..],
        b"\x03\0\0\x2a\x36\xfe\x9c\x97\x17\x04\0\xa0\xe2\x66\x44\xa0\x97\x17",
        b"\x05\0\x36\x65\xc4\xff\xff\xff\xff\x06\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x07\xfe\xff\xff\xff\x01\0\0\0\x08\xff\xff\x03\0\x01\0\xfc\xff\x29\x0asupersedes",
        b"\x0a\0\0\0\0\0\0\xd0\xbf\x0b\0\0\x2a\x36\xfe\x9c\x97\x17\x6c\x03\x4d\x04\0\0\0done",
        "\x5e\x1c\0\0\0Die Brücke ist wieder frei.".as_bytes(),
    ];
    assert_eq!(decode_seam(&record.concat()).unwrap(), full_seam());
}

#[test]
fn only_cells_and_type_are_always_written() {
    assert_eq!(SEAMS.bytes(&plain_seam()), with_required(b""));
    SEAMS.check_kept(&plain_seam());
    let empty_note = Seam { resolution_note: Some(String::new()), ..plain_seam() };
    SEAMS.check_kept(&empty_note);
    assert_eq!(SEAMS.bytes(&full_seam()).len(), 1 + max_field_bytes(&full_seam()));
    let bytes = with_required(b"");
    for (missing, number) in [(1..10, 7), (10..19, 8), (19..bytes.len(), 9)] {
        let mut record = bytes.clone();
        record.drain(missing);
        SEAMS.check_damaged(&record, &format!("field {number} is missing"));
    }
}

#[test]
fn every_status_and_type_is_kept() {
    for status in ResolutionStatus::ALL {
        assert_eq!(status.to_string().parse::<ResolutionStatus>().unwrap(), status);
        SEAMS.check_kept(&Seam { resolution_status: status, ..plain_seam() });
    }
    assert!("Merged".parse::<ResolutionStatus>().is_err());
    let longest = "x".repeat(255);
    for name in ["conflict", "supersedes", "Conflict", "überlappt", "\0", &longest] {
        let seam_type: SeamType = name.parse().unwrap();
        assert_eq!(seam_type.to_string(), name);
        let is_other = matches!(seam_type, SeamType::Other(_));
        assert_eq!(is_other, name != "conflict" && name != "supersedes");
        SEAMS.check_kept(&Seam { seam_type, ..plain_seam() });
    }
    assert!(matches!("".parse::<SeamType>(), Err(Error::InvalidArgument { .. })));
    let error = "\0".repeat(128).parse::<SeamType>().unwrap_err();
    assert!(matches!(error, Error::KeyTooLarge { what: "seam_type", len: 256, max: 255 }));
}

// spec: REC-07, REC-09
#[test]
fn seams_that_break_a_rule_are_refused() {
    let named = |name: &str| Seam { seam_type: SeamType::Other(name.to_owned()), ..plain_seam() };
    let mut unsure = plain_seam();
    unsure.provenance.confidence = f64::NAN;
    let time = Some(Timestamp::default());
    let cases = [
        (Seam { cell_b: at(0, 0), ..plain_seam() }, "both cells are (0,0); they must differ"),
        (named(""), "another type must not be called \"\""),
        (named("conflict"), "another type must not be called \"conflict\""),
        (named("supersedes"), "another type must not be called \"supersedes\""),
        (
            Seam { confidence_delta: f64::INFINITY, ..plain_seam() },
            "confidence_delta is inf; it must be finite",
        ),
        (unsure, "confidence is NaN; it must be 0 to 1"),
        (
            plain_seam().with_validity(Validity { valid_from: time, valid_to: time }),
            "valid_from must be before valid_to",
        ),
    ];
    for (seam, what) in cases {
        SEAMS.check_invalid(&seam, &format!("seam refused: {what}"));
    }
    SEAMS.check_too_long(&named(&"x".repeat(256)), "seam_type", 256);
    SEAMS.check_too_long(&plain_seam().with_source("x".repeat(256)), "source_id", 256);
    let with_delta = |delta| Seam { confidence_delta: delta, ..plain_seam() };
    SEAMS.check_same_bytes(&with_delta(0.0), &with_delta(-0.0));
}

// spec: REC-11
#[test]
fn fields_of_later_versions() {
    let reason = LONG_OVERHEAD_BYTES + full_seam().reason.len();
    let reason_at = SEAMS.bytes(&full_seam()).len() - reason;
    for free in [14, 29] {
        SEAMS.check_later_versions(&full_seam(), reason_at, free);
    }
    let newer = DecodeError::newer("resolution status 4");
    SEAMS.check_refused(&with_required(&[RESOLUTION_STATUS, 4]), &newer);
}

// spec: DUR-06
#[test]
fn bytes_that_no_version_writes_are_refused() {
    SEAMS.check_fields_stand_once(&full_seam());
    SEAMS.check_cut_short(&full_seam());
    let cell =
        |header: u8, q: i32, r: i32| [&[header][..], &q.to_le_bytes(), &r.to_le_bytes()].concat();
    let cells = |a: (i32, i32), b: (i32, i32)| {
        [vec![LAYOUT], cell(CELL_A, a.0, a.1), cell(CELL_B, b.0, b.1)].concat()
    };
    let far = MAX_COMPONENT + 1;
    let typed = |name: &[u8]| {
        let len = u8::try_from(name.len()).unwrap();
        [cells((0, 0), (1, 1)), vec![SEAM_TYPE, len], name.to_vec()].concat()
    };
    let number =
        |header: u8, value: f64| with_required(&[&[header], &value.to_le_bytes()[..]].concat());
    let mut backwards = with_required(b"");
    backwards.splice(1..1, [&[VALID_TO][..], &i64::MIN.to_le_bytes()].concat());
    assert!(decode_seam(&backwards).is_ok());
    backwards.splice(1..1, [&[VALID_TO - 1][..], &i64::MIN.to_le_bytes()].concat());
    let cases = [
        (cells((far, 0), (0, 0)), "field 7 is no coordinate"),
        (cells((i32::MIN, i32::MIN), (0, 0)), "field 7 is no coordinate"),
        (cells((0, 0), (-1, -MAX_COMPONENT)), "field 8 is no coordinate"),
        (cells((5, 5), (5, 5)), "field 8 is the cell that the seam begins at"),
        (typed(b""), "field 9 is no seam type"),
        (typed(&[0; 128]), "field 9 is no seam type"),
        (typed(&[0xFF]), "field 9 is not UTF-8"),
        (number(CONFIDENCE_DELTA, 0.0), "field 10 holds its default"),
        (number(CONFIDENCE_DELTA, -0.0), "field 10 holds a number that is never written"),
        (number(CONFIDENCE_DELTA, f64::NAN), "field 10 holds a number that is never written"),
        (number(DETECTED_AT, 0.0), "field 11 holds its default"),
        (with_required(&[RESOLUTION_STATUS, 0]), "field 12 holds its default"),
        (with_required(&[RESOLUTION_NOTE, 1, 0, 0, 0, 0x80]), "field 13 is not UTF-8"),
        (with_required(&[REASON, 0, 0, 0, 0]), "field 30 holds its default"),
        (backwards, "field 6 ends the validity before it begins"),
    ];
    for (record, what) in cases {
        SEAMS.check_damaged(&record, what);
    }
}

fn any_coord() -> impl Strategy<Value = Coord> {
    let axis = || prop_oneof![-2..=2, -MAX_COMPONENT..=MAX_COMPONENT];
    (axis(), axis()).prop_filter_map("on the lattice", |(q, r)| Coord::new(q, r).ok())
}

fn any_type() -> impl Strategy<Value = SeamType> {
    prop_oneof![Just("conflict".to_owned()), Just("supersedes".to_owned()), any_text()]
        .prop_filter_map("a name", |name| name.parse().ok())
}

prop_compose! {
    fn any_seam()(
        (cell_a, cell_b) in (any_coord(), any_coord()).prop_filter("differ", |(a, b)| a != b),
        seam_type in any_type(),
        reason in prop_oneof![any_text(), "\\PC{0,2000}"],
        confidence_delta in any_finite(),
        detected_at in any_time(),
        resolution_status in prop::sample::select(ResolutionStatus::ALL.to_vec()),
        resolution_note in prop::option::of(any_text()),
        provenance in any_provenance(),
        validity in any_validity(),
    ) -> Seam {
        Seam {
            cell_a, cell_b, seam_type, reason, confidence_delta, detected_at, resolution_status,
            resolution_note, provenance, validity,
        }
    }
}

proptest! {
    #[test]
    fn round_trip(seam in any_seam()) {
        SEAMS.round_trip(&seam, max_field_bytes(&seam))?;
    }

    #[test]
    fn changed_bytes_are_refused_or_another_seam(
        seam in any_seam(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        SEAMS.changed_byte(&seam, at, to)?;
    }

    // spec: DUR-06
    #[test]
    fn any_bytes_are_refused_or_a_seam(rest in prop::collection::vec(any::<u8>(), 0..80)) {
        SEAMS.refused_or_canonical(&[&[LAYOUT], &rest[..]].concat())?;
        SEAMS.refused_or_canonical(&rest)?;
    }

    // Made of valid fields, so that much of it decodes.
    #[test]
    fn fields_in_any_order_are_refused_or_a_seam(
        fields in prop::collection::vec(prop::sample::select(vec![
            &[RESOLUTION_STATUS, 1][..], &[RESOLUTION_STATUS, 3], &[RESOLUTION_NOTE, 0, 0, 0, 0],
            &[RESOLUTION_NOTE, 1, 0, 0, 0, b'x'], &[REASON, 1, 0, 0, 0, b'x'], &[0xEE, 1],
            &[DETECTED_AT, 1, 0, 0, 0, 0, 0, 0, 0],
        ]), 0..5),
    ) {
        SEAMS.refused_or_canonical(&with_required(&fields.concat()))?;
    }
}
