//! Facets through bytes and back.

use proptest::prelude::*;

use super::super::encoding::LAYOUT;
use super::super::testing::{Codec, any_text, any_time, eight, hex_dump};
use super::*;
use crate::record::Cell;
use crate::time::Timestamp;

const FACETS: Codec<Facet> = Codec { encode: encode_facet, decode: decode_facet };

fn full_facet() -> Facet {
    let cell = Cell::new("Die Brücke ist gesperrt.");
    Facet::of(&cell, "closed").with_last_rotated(Timestamp::from_secs(1_700_000_000))
}

/// A facet of the hash of 32 times `a`, and whatever follows.
fn with_hash(rest: &[u8]) -> Vec<u8> {
    [&[LAYOUT, DERIVATION_HASH, 32], &[b'a'; 32][..], rest].concat()
}

// spec: KEY-04
#[test]
fn golden_bytes_of_a_facet() {
    insta::assert_snapshot!(hex_dump(&FACETS.bytes(&full_facet())), @r"
    0000  01 07 00 00 2a 36 fe 9c 97 17 28 20 81 f3 d2 27  ....*6....( ...'
    0010  9a 93 67 3b bd bd 37 b1 11 4b 20 8e 9e 20 c7 1d  ..g;..7..K .. ..
    0020  48 09 08 41 81 e8 87 12 52 72 31 95 5e 06 00 00  H..A....Rr1.^...
    0030  00 63 6c 6f 73 65 64                             .closed
    ");
}

// Whatever is written one day, this must be read for ever.
// spec: REC-11
#[test]
fn bytes_of_the_first_release_are_read() {
    let record = [
        &b"\x01\x07\0\0\x2a\x36\xfe\x9c\x97\x17\x28\x20"[..],
        &full_facet().derivation_hash,
        b"\x5e\x06\0\0\0closed",
    ];
    assert_eq!(decode_facet(&record.concat()).unwrap(), full_facet());
}

#[test]
fn only_the_hash_is_always_written() {
    assert_eq!(FACETS.bytes(&Facet::default()), [&[LAYOUT, 0x28, 32], &[0; 32][..]].concat());
    FACETS.check_kept(&Facet::default());
    FACETS.check_damaged(&[LAYOUT], "field 8 is missing");
    FACETS.check_damaged(&[LAYOUT, DERIVED_CONTENT, 1, 0, 0, 0, b'a'], "field 8 is missing");
    assert_eq!(FACETS.bytes(&full_facet()).len(), 1 + max_field_bytes(&full_facet()));
}

// spec: REC-11
#[test]
fn fields_of_later_versions() {
    let content_at = FACETS.bytes(&full_facet()).len() - LONG_OVERHEAD_BYTES - "closed".len();
    for free in [9, 29] {
        FACETS.check_later_versions(&full_facet(), content_at, free);
    }
    for free in [1, 6] {
        FACETS.check_later_versions(&full_facet(), 1, free);
    }
}

// spec: DUR-06
#[test]
fn bytes_that_no_version_writes_are_refused() {
    FACETS.check_fields_stand_once(&full_facet());
    FACETS.check_cut_short(&full_facet());
    let cases = [
        (eight(LAST_ROTATED, [0; 8]), "field 7 holds its default"),
        ([&[LAYOUT, DERIVATION_HASH, 31], &[7; 31][..]].concat(), "field 8 is not 32 bytes long"),
        ([&[LAYOUT, DERIVATION_HASH, 33], &[7; 33][..]].concat(), "field 8 is not 32 bytes long"),
        (with_hash(&[DERIVED_CONTENT, 0, 0, 0, 0]), "field 30 holds its default"),
        (with_hash(&[DERIVED_CONTENT, 1, 0, 0, 0, 0x80]), "field 30 is not UTF-8"),
        (with_hash(&[LAST_ROTATED, 1, 0, 0, 0, 0, 0, 0, 0]), "field 7 follows field 8"),
    ];
    for (record, what) in cases {
        FACETS.check_damaged(&record, what);
    }
}

prop_compose! {
    fn any_facet()(
        derived_content in prop_oneof![any_text(), "\\PC{0,2000}"],
        derivation_hash in any::<[u8; 32]>(),
        last_rotated in any_time(),
    ) -> Facet {
        Facet { derived_content, derivation_hash, last_rotated }
    }
}

proptest! {
    #[test]
    fn round_trip(facet in any_facet()) {
        FACETS.round_trip(&facet, max_field_bytes(&facet))?;
    }

    #[test]
    fn changed_bytes_are_refused_or_another_facet(
        facet in any_facet(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        FACETS.changed_byte(&facet, at, to)?;
    }

    // spec: DUR-06
    #[test]
    fn any_bytes_are_refused_or_a_facet(
        rest in prop::collection::vec(any::<u8>(), 0..80),
        hashed in any::<bool>(),
    ) {
        let record = if hashed { with_hash(&rest) } else { [&[LAYOUT], &rest[..]].concat() };
        FACETS.refused_or_canonical(&record)?;
        FACETS.refused_or_canonical(&rest)?;
    }
}
