//! Cells through bytes and back: the golden bytes, records of later versions, hostile bytes, and
//! that each cell has one encoding.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::super::cell::{Provenance, Validity};
use super::*;
use crate::error::Error;

fn encode(cell: &Cell) -> Vec<u8> {
    let mut out = Vec::new();
    encode_cell(cell, &mut out).unwrap();
    out
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
        provenance: Provenance {
            source_id: "wsv/elbe".to_owned(),
            confidence: 0.75,
            created_at: Timestamp::from_secs(1_700_000_000),
            updated_at: Timestamp::from_secs(1_700_003_600),
        },
        validity: Validity {
            valid_from: Some(Timestamp::from_secs(-1)),
            valid_to: Some(Timestamp::MAX),
        },
        tags: vec!["traffic".to_owned(), "bridge".to_owned(), "traffic".to_owned()],
        cluster_hint: Some("dresden".to_owned()),
    }
}

/// Offset, sixteen bytes, and what of them prints.
fn hex_dump(bytes: &[u8]) -> String {
    let mut dump = String::new();
    for (row, line) in bytes.chunks(16).enumerate() {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let printed = |&b: &u8| if (b' '..=b'~').contains(&b) { char::from(b) } else { '.' };
        let text: String = line.iter().map(printed).collect();
        writeln!(dump, "{:04x}  {:<47}  {text}", row * 16, hex.join(" ")).unwrap();
    }
    dump
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
    assert_eq!(encode(&cell).len(), max_encoded_bytes(&cell));
}

fn check_invalid(cell: &Cell, message: &str) {
    let error = encode_cell(cell, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Error::InvalidRecord { family: "cell", .. }), "{error:?}");
    assert_eq!(error.to_string(), message);
}

#[test]
fn confidence_out_of_range_is_refused() {
    for (confidence, shown) in
        [(f64::NAN, "NaN"), (-0.1, "-0.1"), (1.5, "1.5"), (f64::INFINITY, "inf")]
    {
        let cell = Cell::new("x").with_confidence(confidence);
        check_invalid(&cell, &format!("cell refused: confidence is {shown}; it must be 0 to 1"));
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
    check_invalid(&cell(Some(5), Some(5)), message);
    check_invalid(&cell(Some(5), Some(4)), message);
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
            match encode_cell(&cell, &mut Vec::new()) {
                Err(Error::KeyTooLarge { what, len, max }) => {
                    assert_eq!((what, len, max), (part, encoded, 255));
                }
                other => panic!("{other:?}"),
            }
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

fn check_refused(record: &[u8], expected: &DecodeError) {
    assert_eq!(&decode_cell(record).unwrap_err(), expected, "{record:02x?}");
}

#[test]
fn other_fields_of_later_versions_are_refused_as_newer() {
    check_refused(&[LAYOUT, header(Kind::One, 9), 1], &DecodeError::newer("record field 9"));
    check_refused(&[2], &DecodeError::newer("record layout 2"));
}

// spec: DUR-06
#[test]
fn bytes_that_no_version_writes_are_refused() {
    let eight = |header: u8, payload: [u8; 8]| [&[LAYOUT, header], &payload[..]].concat();
    let number = |header, value: i64| eight(header, value.to_le_bytes());
    let float = |value: f64| eight(CONFIDENCE, value.to_le_bytes());
    let cases = [
        (vec![LAYOUT, SOURCE_ID, 0], "field 1 holds its default"),
        (vec![LAYOUT, SOURCE_ID, 1, 0xFF], "field 1 is not UTF-8"),
        ([&[LAYOUT, SOURCE_ID, 128][..], &[0; 128]].concat(), "field 1 is too long for a key"),
        (float(1.0), "field 2 holds its default"),
        (float(f64::NAN), "field 2 is no confidence"),
        (float(-0.0), "field 2 is no confidence"),
        (float(1.0 + f64::EPSILON), "field 2 is no confidence"),
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
        check_refused(&record, &DecodeError::damaged(format!("record {what}")));
    }
    let backwards = [number(VALID_FROM, 1), number(VALID_TO, 1)[1..].to_vec()].concat();
    check_refused(&backwards, &DecodeError::damaged("validity of a cell ends before it begins"));
}

#[test]
fn every_shorter_record_is_refused_or_another_cell() {
    let record = encode(&full_cell());
    for len in 0..record.len() {
        if let Ok(cell) = decode_cell(&record[..len]) {
            assert_eq!(encode(&cell), record[..len], "cut to {len}");
        }
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,3}", "\\PC{0,20}", Just("\0é\0".to_owned())]
}

prop_compose! {
    fn any_validity()(ends in any::<[Option<i64>; 2]>()) -> Validity {
        let [mut from, mut to] = ends.map(|end| end.map(Timestamp::from_nanos));
        if let (Some(a), Some(b)) = (from, to) {
            (from, to) = if a == b { (from, None) } else { (Some(a.min(b)), Some(a.max(b))) };
        }
        Validity { valid_from: from, valid_to: to }
    }
}

prop_compose! {
    fn any_cell()(
        raw_content in prop_oneof![any_text(), "\\PC{0,2000}"],
        source_id in any_text(),
        confidence in prop_oneof![0.0..=1.0, Just(0.0), Just(1.0)],
        times in any::<[Option<i64>; 2]>(),
        validity in any_validity(),
        tags in prop::collection::vec(any_text(), 0..20),
        cluster_hint in prop::option::of(any_text()),
    ) -> Cell {
        let [created_at, updated_at] = times.map(|t| Timestamp::from_nanos(t.unwrap_or(0)));
        let provenance = Provenance { source_id, confidence, created_at, updated_at };
        Cell { raw_content, provenance, validity, tags, cluster_hint }
    }
}

proptest! {
    #[test]
    fn round_trip(cell in any_cell()) {
        let record = encode(&cell);
        prop_assert!(record.len() <= max_encoded_bytes(&cell));
        prop_assert_eq!(decode_cell(&record).unwrap(), stored(&cell));
        prop_assert_eq!(encode(&stored(&cell)), record, "one encoding for each cell");
    }

    // What decodes without a field of a later version is exactly what would be written.
    #[test]
    fn changed_bytes_are_refused_or_another_cell(
        cell in any_cell(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        let mut record = encode(&cell);
        let at = at.index(record.len());
        record[at] = to;
        if let Ok(read) = decode_cell(&record) {
            let again = encode(&read);
            prop_assert!(again == record || has_skippable_field(&record));
            prop_assert_eq!(decode_cell(&again).unwrap(), read);
        }
    }

    // spec: DUR-06
    #[test]
    fn any_bytes_are_refused_or_a_cell(mut record in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Some(first) = record.first_mut() {
            *first = LAYOUT;
        }
        if let Ok(read) = decode_cell(&record) {
            prop_assert!(encode(&read) == record || has_skippable_field(&record));
        }
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
        if let Ok(read) = decode_cell(&record) {
            prop_assert!(encode(&read) == record || has_skippable_field(&record));
        }
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
