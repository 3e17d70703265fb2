//! Cells through bytes and back: the golden bytes, records of later versions, hostile bytes, and
//! that each cell has one encoding.

use proptest::prelude::*;

use super::super::cell::Validity;
use super::super::common_fields::{
    CONFIDENCE, CREATED_AT, SOURCE_ID, UPDATED_AT, VALID_FROM, VALID_TO,
};
use super::super::encoding::LAYOUT;
use super::super::testing::{
    Codec, any_provenance, any_text, any_validity, eight, full_provenance, full_validity, hex_dump,
};
use super::*;
use crate::time::Timestamp;

const CELLS: Codec<Cell> = Codec { encode: encode_cell, decode: decode_cell };

fn encode(cell: &Cell) -> Vec<u8> {
    CELLS.bytes(cell)
}

/// What a cell reads back as: tags sorted, without repeats.
fn stored(cell: &Cell) -> Cell {
    let mut cell = cell.clone();
    cell.tags.sort();
    cell.tags.dedup();
    cell
}

fn full_cell() -> Cell {
    Cell {
        raw_content: "Die Brücke ist gesperrt.".to_owned(),
        provenance: full_provenance(),
        validity: full_validity(),
        tags: vec!["traffic".to_owned(), "bridge".to_owned(), "traffic".to_owned()],
        cluster_hint: Some("dresden".to_owned()),
    }
}

// spec: KEY-04
#[test]
fn golden_bytes_of_a_cell() {
    insta::assert_snapshot!(hex_dump(&encode(&full_cell())), @r"
    0000  01 21 08 77 73 76 2f 65 6c 62 65 02 00 00 00 00  .!.wsv/elbe.....
    0010  00 00 e8 3f 03 00 00 2a 36 fe 9c 97 17 04 00 a0  ...?...*6.......
    0020  e2 66 44 a0 97 17 05 00 36 65 c4 ff ff ff ff 06  .fD.....6e......
    0030  ff ff ff ff ff ff ff 7f 27 06 62 72 69 64 67 65  ........'.bridge
    0040  27 07 74 72 61 66 66 69 63 48 07 00 00 00 64 72  '.trafficH....dr
    0050  65 73 64 65 6e 5e 19 00 00 00 44 69 65 20 42 72  esden^....Die Br
    0060  c3 bc 63 6b 65 20 69 73 74 20 67 65 73 70 65 72  ..cke ist gesper
    0070  72 74 2e                                         rt.
    ");
}

// The example in the description of the format.
#[test]
fn documented_bytes_of_a_cell() {
    let cell = Cell::new("hi").with_source("me").with_tags(["a"]);
    assert_eq!(encode(&cell), *b"\x01\x21\x02me\x27\x01a\x5e\x02\0\0\0hi");
}

// Whatever is written one day, this must be read for ever.
// spec: REC-11
#[test]
fn bytes_of_the_first_release_are_read() {
    let record = [
        &b"\x01\x21\x08wsv/elbe\x02\0\0\0\0\0\0\xe8\x3f"[..],
        b"\x03\0\0\x2a\x36\xfe\x9c\x97\x17\x04\0\xa0\xe2\x66\x44\xa0\x97\x17",
        b"\x05\0\x36\x65\xc4\xff\xff\xff\xff\x06\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x27\x06bridge\x27\x07traffic\x48\x07\0\0\0dresden",
        "\x5e\x19\0\0\0Die Brücke ist gesperrt.".as_bytes(),
    ]
    .concat();
    assert_eq!(decode_cell(&record).unwrap(), stored(&full_cell()));
}

#[test]
fn defaults_take_no_bytes() {
    assert_eq!(encode(&Cell::default()), [LAYOUT]);
    assert_eq!(decode_cell(&[LAYOUT]).unwrap(), Cell::default());
    let empty_hint = Cell { cluster_hint: Some(String::new()), ..Cell::default() };
    assert_eq!(decode_cell(&encode(&empty_hint)).unwrap(), empty_hint);
}

#[test]
fn encoding_appends_and_leaves_nothing_of_a_refused_cell() {
    let mut out = b"before".to_vec();
    encode_cell(&Cell::new("x"), &mut out).unwrap();
    assert_eq!(out, *b"before\x01\x5e\x01\0\0\0x");
    encode_cell(&Cell::new("y").with_confidence(2.0), &mut out).unwrap_err();
    assert_eq!(out, *b"before\x01\x5e\x01\0\0\0x");
}

#[test]
fn no_more_room_is_reserved_than_ever_needed() {
    let mut cell = full_cell();
    cell.tags.sort();
    cell.tags.dedup();
    assert_eq!(encode(&cell).len(), 1 + max_field_bytes(&cell));
}

#[test]
fn confidence_out_of_range_is_refused() {
    for (confidence, shown) in
        [(f64::NAN, "NaN"), (-0.1, "-0.1"), (1.5, "1.5"), (f64::INFINITY, "inf")]
    {
        let cell = Cell::new("x").with_confidence(confidence);
        CELLS.check_invalid(
            &cell,
            &format!("cell refused: confidence is {shown}; it must be 0 to 1"),
        );
    }
    let least_above_one = f64::from_bits(1f64.to_bits() + 1);
    assert!(encode_cell(&Cell::new("x").with_confidence(least_above_one), &mut vec![]).is_err());
    for confidence in [0.0, -0.0, f64::MIN_POSITIVE, 1.0] {
        let cell = Cell::new("x").with_confidence(confidence);
        assert_eq!(decode_cell(&encode(&cell)).unwrap(), cell);
    }
    let zero = |confidence| encode(&Cell::new("x").with_confidence(confidence));
    assert_eq!(zero(0.0), zero(-0.0), "equal cells have equal bytes");
}

#[test]
fn validity_that_never_holds_is_refused() {
    let cell = |from, to| {
        let time = |t: Option<i64>| t.map(Timestamp::from_nanos);
        Cell::new("x").with_validity(Validity { valid_from: time(from), valid_to: time(to) })
    };
    let message = "cell refused: valid_from must be before valid_to";
    CELLS.check_invalid(&cell(Some(5), Some(5)), message);
    CELLS.check_invalid(&cell(Some(5), Some(4)), message);
    for (from, to) in [(Some(5), Some(6)), (None, Some(i64::MIN)), (Some(i64::MAX), None)] {
        let cell = cell(from, to);
        assert_eq!(decode_cell(&encode(&cell)).unwrap(), cell);
    }
}

#[test]
fn tags_and_sources_fit_keys() {
    let fits = ["x".repeat(255), "\0".repeat(127) + "x"];
    let too_long =
        [("x".repeat(256), 256), ("\0".repeat(128), 256), ("\0".repeat(127) + "xx", 256)];
    for text in fits {
        let cell = Cell::new("c").with_source(text.clone()).with_tags([text]);
        assert_eq!(decode_cell(&encode(&cell)).unwrap(), cell);
    }
    for (text, encoded) in too_long {
        let tagged = Cell::new("c").with_tags(["short", text.as_str()]);
        let sourced = Cell::new("c").with_source(text.as_str());
        for (cell, part) in [(tagged, "tag"), (sourced, "source_id")] {
            CELLS.check_too_long(&cell, part, encoded);
        }
    }
}

// spec: REC-11
#[test]
fn skippable_fields_of_later_versions_are_passed_over() {
    let mut record = encode(&full_cell());
    let content_at = record.len() - LONG_OVERHEAD_BYTES - full_cell().raw_content.len();
    let later: [&[u8]; 4] = [
        &[0x80 | header(Kind::Short, 9), 3, 1, 2, 3],
        &[0x80 | header(Kind::One, 9), 1],
        &[0x80 | header(Kind::Eight, 10), 1, 2, 3, 4, 5, 6, 7, 8],
        &[0x80 | header(Kind::Long, 29), 1, 0, 0, 0, 9],
    ];
    record.splice(content_at..content_at, later.concat());
    assert_eq!(decode_cell(&record).unwrap(), stored(&full_cell()));
}

#[test]
fn other_fields_of_later_versions_are_refused_as_newer() {
    CELLS.check_refused(&[LAYOUT, header(Kind::One, 9), 1], &DecodeError::newer("record field 9"));
    CELLS.check_refused(&[2], &DecodeError::newer("record layout 2"));
}

// spec: DUR-06
#[test]
fn bytes_that_no_version_writes_are_refused() {
    let number = |header, value: i64| eight(header, value.to_le_bytes());
    let float = |value: f64| eight(CONFIDENCE, value.to_le_bytes());
    let cases = [
        (vec![LAYOUT, SOURCE_ID, 0], "field 1 holds its default"),
        (vec![LAYOUT, SOURCE_ID, 1, 0xFF], "field 1 is not UTF-8"),
        ([&[LAYOUT, SOURCE_ID, 128][..], &[0; 128]].concat(), "field 1 is too long for a key"),
        (float(1.0), "field 2 holds its default"),
        (float(f64::NAN), "field 2 holds a number that is never written"),
        (float(-0.0), "field 2 holds a number that is never written"),
        (float(1.0 + f64::EPSILON), "field 2 holds a number that is never written"),
        (number(CREATED_AT, 0), "field 3 holds its default"),
        (number(UPDATED_AT, 0), "field 4 holds its default"),
        (vec![LAYOUT, TAG, 1, b'b', TAG, 1, b'a'], "field 7 is out of order"),
        (vec![LAYOUT, TAG, 1, b'a', TAG, 1, b'a'], "field 7 is out of order"),
        ([&[LAYOUT, TAG, 128][..], &[0; 128]].concat(), "field 7 is too long for a key"),
        (vec![LAYOUT, RAW_CONTENT, 0, 0, 0, 0], "field 30 holds its default"),
        (vec![LAYOUT, RAW_CONTENT, 1, 0, 0, 0, 0x80], "field 30 is not UTF-8"),
        (
            vec![LAYOUT, RAW_CONTENT, 1, 0, 0, 0, b'a', RAW_CONTENT, 1, 0, 0, 0, b'b'],
            "field 30 stands twice",
        ),
        (vec![LAYOUT, header(Kind::One, 1), 0], "field 1 has the wrong kind"),
        (vec![LAYOUT, 0x80 | TAG, 0], "field 7 has the wrong kind"),
    ];
    for (record, what) in cases {
        CELLS.check_damaged(&record, what);
    }
    let backwards = [number(VALID_FROM, 1), number(VALID_TO, 1)[1..].to_vec()].concat();
    CELLS.check_damaged(&backwards, "field 6 ends the validity before it begins");
}

#[test]
fn every_shorter_record_is_refused_or_another_cell() {
    CELLS.check_cut_short(&full_cell());
}

prop_compose! {
    fn any_cell()(
        raw_content in prop_oneof![any_text(), "\\PC{0,2000}"],
        provenance in any_provenance(),
        validity in any_validity(),
        tags in prop::collection::vec(any_text(), 0..20),
        cluster_hint in prop::option::of(any_text()),
    ) -> Cell {
        Cell { raw_content, provenance, validity, tags, cluster_hint }
    }
}

proptest! {
    #[test]
    fn round_trip(cell in any_cell()) {
        let record = encode(&cell);
        prop_assert!(record.len() <= 1 + max_field_bytes(&cell));
        prop_assert_eq!(decode_cell(&record).unwrap(), stored(&cell));
        prop_assert_eq!(encode(&stored(&cell)), record, "one encoding for each cell");
    }

    #[test]
    fn changed_bytes_are_refused_or_another_cell(
        cell in any_cell(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        CELLS.changed_byte(&cell, at, to)?;
    }

    // spec: DUR-06
    #[test]
    fn any_bytes_are_refused_or_a_cell(mut record in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Some(first) = record.first_mut() {
            *first = LAYOUT;
        }
        CELLS.refused_or_canonical(&record)?;
    }

    // Made of valid headers, so that much of it decodes.
    #[test]
    fn fields_in_any_order_are_refused_or_a_cell(
        fields in prop::collection::vec(
            (prop::sample::select(vec![SOURCE_ID, TAG, TAG | 0x80, 0xA9]), "[ab]{0,2}"), 0..5),
    ) {
        let mut record = vec![LAYOUT];
        for (header, text) in fields {
            put_short(&mut record, header, text.as_bytes(), "text").unwrap();
        }
        CELLS.refused_or_canonical(&record)?;
    }
}
