//! Edges through bytes and back.

use proptest::prelude::*;

use super::super::common_fields::{CONFIDENCE, SOURCE_ID};
use super::super::encoding::LAYOUT;
use super::super::testing::{Codec, any_finite, any_provenance, eight, full_provenance, hex_dump};
use super::*;

const EDGES: Codec<Edge> = Codec { encode: encode_edge, decode: decode_edge };

fn full_edge() -> Edge {
    Edge::new(-2.5).with_provenance(full_provenance())
}

// spec: KEY-04
#[test]
fn golden_bytes_of_an_edge() {
    insta::assert_snapshot!(hex_dump(&EDGES.bytes(&full_edge())), @r"
    0000  01 21 08 77 73 76 2f 65 6c 62 65 02 00 00 00 00  .!.wsv/elbe.....
    0010  00 00 e8 3f 03 00 00 2a 36 fe 9c 97 17 04 00 a0  ...?...*6.......
    0020  e2 66 44 a0 97 17 07 00 00 00 00 00 00 04 c0     .fD............
    ");
}

// Whatever is written one day, this must be read for ever.
// spec: REC-11
#[test]
fn bytes_of_the_first_release_are_read() {
    let record = [
        &b"\x01\x21\x08wsv/elbe\x02\0\0\0\0\0\0\xe8\x3f"[..],
        b"\x03\0\0\x2a\x36\xfe\x9c\x97\x17\x04\0\xa0\xe2\x66\x44\xa0\x97\x17",
        b"\x07\0\0\0\0\0\0\x04\xc0",
    ];
    assert_eq!(decode_edge(&record.concat()).unwrap(), full_edge());
}

#[test]
fn defaults_take_no_bytes() {
    assert_eq!(EDGES.bytes(&Edge::default()), [LAYOUT]);
    EDGES.check_kept(&Edge::default());
    assert_eq!(EDGES.bytes(&full_edge()).len(), 1 + max_field_bytes(&full_edge()));
}

// spec: REC-07
#[test]
fn weights_are_finite() {
    for (weight, shown) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")]
    {
        let message = format!("edge refused: weight is {shown}; it must be finite");
        EDGES.check_invalid(&Edge::new(weight), &message);
    }
    for weight in [0.0, -0.0, -1.0, f64::MIN, f64::MAX, f64::MIN_POSITIVE, 5e-324] {
        EDGES.check_kept(&Edge::new(weight));
    }
    EDGES.check_same_bytes(&Edge::new(0.0), &Edge::new(-0.0));
}

// spec: REC-07, REC-09
#[test]
fn the_provenance_keeps_its_rules() {
    let mut edge = full_edge();
    edge.provenance.confidence = 1.5;
    EDGES.check_invalid(&edge, "edge refused: confidence is 1.5; it must be 0 to 1");
    EDGES.check_kept(&Edge::new(1.0).with_source("\0".repeat(127)));
    EDGES.check_too_long(&Edge::new(1.0).with_source("\0".repeat(128)), "source_id", 256);
}

// spec: REC-11
#[test]
fn fields_of_later_versions() {
    let end = EDGES.bytes(&full_edge()).len();
    for free in [8, 30] {
        EDGES.check_later_versions(&full_edge(), end, free);
    }
    for free in [5, 6] {
        EDGES.check_later_versions(&full_edge(), end - EIGHT_FIELD_BYTES, free);
    }
}

// spec: DUR-06
#[test]
fn bytes_that_no_version_writes_are_refused() {
    EDGES.check_fields_stand_once(&full_edge());
    EDGES.check_cut_short(&full_edge());
    let float = |header, value: f64| eight(header, value.to_le_bytes());
    let cases = [
        (float(WEIGHT, 1.0), "field 7 holds its default"),
        (float(WEIGHT, -0.0), "field 7 holds a number that is never written"),
        (float(WEIGHT, f64::NAN), "field 7 holds a number that is never written"),
        (float(WEIGHT, f64::INFINITY), "field 7 holds a number that is never written"),
        (float(CONFIDENCE, 1.0), "field 2 holds its default"),
        (float(CONFIDENCE, -1.0), "field 2 holds a number that is never written"),
        (vec![LAYOUT, SOURCE_ID, 0], "field 1 holds its default"),
    ];
    for (record, what) in cases {
        EDGES.check_damaged(&record, what);
    }
}

prop_compose! {
    fn any_edge()(weight in any_finite(), provenance in any_provenance()) -> Edge {
        Edge { weight, provenance }
    }
}

proptest! {
    #[test]
    fn round_trip(edge in any_edge()) {
        EDGES.round_trip(&edge, max_field_bytes(&edge))?;
    }

    #[test]
    fn changed_bytes_are_refused_or_another_edge(
        edge in any_edge(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        EDGES.changed_byte(&edge, at, to)?;
    }

    // spec: DUR-06
    #[test]
    fn any_bytes_are_refused_or_an_edge(rest in prop::collection::vec(any::<u8>(), 0..80)) {
        EDGES.refused_or_canonical(&[&[LAYOUT], &rest[..]].concat())?;
        EDGES.refused_or_canonical(&rest)?;
    }

    // Made of a valid header, so that much of it decodes.
    #[test]
    fn any_weight_is_refused_or_kept(bits in any::<u64>()) {
        EDGES.refused_or_canonical(&eight(WEIGHT, bits.to_le_bytes()))?;
        prop_assert_eq!(
            decode_edge(&eight(WEIGHT, bits.to_le_bytes())).is_ok(),
            f64::from_bits(bits).is_finite() && bits != 1.0_f64.to_bits() && bits != 1 << 63
        );
    }
}
