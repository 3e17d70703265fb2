//! Coordinates and their packed form, against a bit-by-bit telling of Morton order that shares no
//! code with the engine.

use std::cmp::Ordering;

use hexxladb::lattice::MAX_COMPONENT;
use hexxladb::{Coord, Error, PackedCoord};
use proptest::prelude::*;

const MAX: i32 = MAX_COMPONENT;

fn coord(q: i32, r: i32) -> Coord {
    Coord::new(q, r).unwrap()
}

/// 0, −1, 1, −2, … as 0, 1, 2, 3, …
fn slow_zigzag(value: i32) -> u32 {
    if value < 0 { 2 * value.unsigned_abs() - 1 } else { 2 * value.unsigned_abs() }
}

/// The zigzagged components, q first.
fn slow_codes(coord: Coord) -> [u32; 3] {
    [coord.q(), coord.r(), -coord.q() - coord.r()].map(slow_zigzag)
}

/// Compares bit by bit, the highest first, at each height q before r before s.
fn slow_order(a: Coord, b: Coord) -> Ordering {
    let (a, b) = (slow_codes(a), slow_codes(b));
    for bit in (0..32).rev() {
        for axis in 0..3 {
            let order = (a[axis] >> bit & 1).cmp(&(b[axis] >> bit & 1));
            if order.is_ne() {
                return order;
            }
        }
    }
    Ordering::Equal
}

/// The packed form of three codes, a bit at a time.
fn slow_pack(codes: [u32; 3]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for bit in 0..32 {
        for (axis, code) in codes.iter().enumerate() {
            let place = 3 * bit + 2 - axis;
            bytes[15 - place / 8] |= ((code >> bit & 1) as u8) << (place % 8);
        }
    }
    bytes
}

/// Components near zero, near powers of two, and near the bounds.
fn any_component() -> impl Strategy<Value = i32> {
    let power = (0..18u32, -1..=1, any::<bool>()).prop_map(|(exponent, off, negative)| {
        let value: i32 = (1 << exponent) + off;
        if negative { -value } else { value }
    });
    prop_oneof![-4..=4, power, -MAX..=MAX, MAX - 3..=MAX, -MAX..=-MAX + 3]
}

fn any_coord() -> impl Strategy<Value = Coord> {
    // Any two components tell the third; which two varies, so that s is at its bounds as well.
    (any_component(), any_component(), 0..3u8).prop_filter_map("in range", |(a, b, which)| {
        match which {
            0 => Coord::new(a, b).ok(),
            1 => Coord::new(a, -a - b).ok(),
            _ => Coord::new(-a - b, a).ok(),
        }
    })
}

// spec: REC-01
#[test]
fn bounds_are_exact() {
    let inside = [(MAX, 0), (-MAX, 0), (0, MAX), (0, -MAX), (MAX, -MAX), (-MAX, MAX), (1, MAX - 1)];
    for (q, r) in inside {
        let coord = coord(q, r);
        assert_eq!((coord.q(), coord.r(), coord.s()), (q, r, -q - r));
        assert_eq!(PackedCoord::from(coord).unpack(), coord);
    }
    let outside = [
        (MAX + 1, 0),
        (-MAX - 1, 0),
        (0, MAX + 1),
        (0, -MAX - 1),
        (MAX, 1),
        (1, MAX),
        (-MAX, -1),
        (-1, -MAX),
        (MAX + 1, -MAX - 1),
        (i32::MAX, i32::MIN),
        (i32::MIN, i32::MIN),
        (i32::MAX, i32::MAX),
    ];
    for (q, r) in outside {
        match Coord::new(q, r) {
            Err(Error::CoordOutOfRange { q: wide_q, r: wide_r }) => {
                assert_eq!((wide_q, wide_r), (q.into(), r.into()));
            }
            other => panic!("({q},{r}): {other:?}"),
        }
    }
}

#[test]
fn packed_bytes() {
    let hex =
        |q, r| format!("{:032x}", u128::from_be_bytes(*PackedCoord::from(coord(q, r)).as_bytes()));
    assert_eq!(hex(0, 0), "00000000000000000000000000000000");
    // q = 1 zigzags to 10, r = 0 to 0, s = −1 to 01: bits q r s of height 1, then of height 0.
    assert_eq!(u128::from_str_radix(&hex(1, 0), 16), Ok(0b100_001));
    assert_eq!(u128::from_str_radix(&hex(0, -1), 16), Ok(0b001_010));
    assert_eq!(u128::from_str_radix(&hex(3, 1), 16), Ok(0b101_111_001));
    // q ends in 110, r in 101, s is 0: seventeen times 110, then 100, then 010.
    assert_eq!(hex(MAX, -MAX), "000000000000000001b6db6db6db6da2");
}

// spec: REC-02
#[test]
fn near_the_origin_everything_agrees() {
    let near: Vec<Coord> = (-6..=6).flat_map(|q| (-6..=6).map(move |r| coord(q, r))).collect();
    for &a in &near {
        assert_eq!(*PackedCoord::from(a).as_bytes(), slow_pack(slow_codes(a)));
        for &b in &near {
            assert_eq!(PackedCoord::from(a).cmp(&PackedCoord::from(b)), slow_order(a, b));
        }
    }
}

/// The values whose codes begin with `prefix`, `bits` short of whole: a run from zero up and one
/// below zero, either of which may be empty.
fn values_beginning_with(prefix: u32, bits: u32) -> Vec<(i32, i32)> {
    let (first, after_last) = (prefix << bits, (prefix + 1) << bits);
    let magnitude = |half: u32| i32::try_from(half).unwrap();
    // An even code is twice its value, an odd one twice its magnitude less one.
    let (low, high) = (magnitude(first.div_ceil(2)), magnitude((after_last - 1) / 2).min(MAX));
    let (near, far) = (magnitude(first / 2 + 1), magnitude(after_last / 2).min(MAX));
    [(low, high), (-far, -near)].into_iter().filter(|(least, most)| least <= most).collect()
}

/// Whether some coordinate has components whose codes begin so: whether zero is a sum of values,
/// one from each axis.
fn some_coord_begins_with(prefixes: [u32; 3], bits: u32) -> bool {
    let [all_q, all_r, all_s] = prefixes.map(|prefix| values_beginning_with(prefix, bits));
    all_q.iter().any(|q| {
        all_r.iter().any(|r| all_s.iter().any(|s| q.0 + r.0 + s.0 <= 0 && 0 <= q.1 + r.1 + s.1))
    })
}

#[test]
fn first_and_last_are_exact() {
    assert_eq!(PackedCoord::MIN.unpack(), coord(0, 0));
    assert_eq!(*PackedCoord::MIN.as_bytes(), [0; 16]);
    // At each height the highest bits that a coordinate can still have.
    let mut codes = [0; 3];
    for bits in (0..19).rev() {
        let longer = (0..8u32).rev().map(|bit| {
            [codes[0] << 1 | bit >> 2, codes[1] << 1 | bit >> 1 & 1, codes[2] << 1 | bit & 1]
        });
        codes = longer.into_iter().find(|&codes| some_coord_begins_with(codes, bits)).unwrap();
    }
    assert_eq!(*PackedCoord::MAX.as_bytes(), slow_pack(codes));
    assert_eq!(slow_codes(PackedCoord::MAX.unpack()), codes);
}

#[test]
fn text_of_coordinates() {
    assert_eq!(coord(3, -1).to_string(), "(3,-1)");
    assert_eq!(format!("{:?}", coord(-3, 1)), "(-3,1)");
    let packed = PackedCoord::from(coord(3, -1));
    assert_eq!(
        (packed.to_string(), format!("{packed:?}")),
        ("(3,-1)".into(), "PackedCoord(3,-1)".into())
    );
    for text in ["3,-1", "(3,-1)", " ( 3 , -1 ) ", "+3,-1"] {
        assert_eq!(text.parse::<Coord>().unwrap(), coord(3, -1), "{text}");
    }
    for text in ["", "3", "3,", ",", "(3,-1", "3,-1)", "((3,-1))", "3,-1,4", "3;1", "a,b", "1.0,2"]
    {
        let error = text.parse::<Coord>().unwrap_err();
        assert!(
            matches!(error, Error::InvalidArgument { what: "coordinate", .. }),
            "{text}: {error}"
        );
    }
    for text in ["262144,0", "262143,1", "4294967296,0", "-9223372036854775808,9223372036854775807"]
    {
        let error = text.parse::<Coord>().unwrap_err();
        assert!(matches!(error, Error::CoordOutOfRange { .. }), "{text}: {error}");
    }
    let error = "99999999999999999999,0".parse::<Coord>().unwrap_err();
    assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
}

fn check_refused(bytes: [u8; 16]) {
    let error = PackedCoord::from_bytes(bytes).unwrap_err();
    assert!(matches!(error, Error::InvalidArgument { what: "packed coordinate", .. }), "{error}");
    assert!(
        error.to_string().contains(&format!("{:#034x}", u128::from_be_bytes(bytes))),
        "{error}"
    );
}

#[test]
fn bytes_that_are_no_coordinate_are_refused() {
    let codes = |q, r, s| slow_pack([q, r, s].map(slow_zigzag));
    assert!(PackedCoord::from_bytes(codes(MAX, -MAX, 0)).is_ok());
    check_refused(codes(1, 1, 1)); // the sum is not zero
    check_refused(codes(0, 0, 1));
    check_refused(codes(MAX, 0, MAX));
    check_refused(codes(MAX + 1, -MAX, -1)); // q out of range, the sum right
    check_refused(codes(-MAX - 1, MAX, 1)); // still in nineteen bits
    check_refused(codes(1, -MAX - 1, MAX));
    check_refused(codes(1, MAX, -MAX - 1));
    for bit in 57..128 {
        check_refused((1u128 << bit).to_be_bytes());
        let both = u128::from_be_bytes(codes(3, 1, -4)) | 1 << bit;
        check_refused(both.to_be_bytes());
    }
    check_refused([0xFF; 16]);
}

proptest! {
    // spec: REC-02
    #[test]
    fn round_trip(coord in any_coord()) {
        let packed = PackedCoord::from(coord);
        prop_assert_eq!(*packed.as_bytes(), slow_pack(slow_codes(coord)));
        prop_assert_eq!(packed.unpack(), coord);
        prop_assert_eq!(Coord::from(packed), coord);
        prop_assert_eq!(PackedCoord::from_bytes(*packed.as_bytes()).unwrap(), packed);
        prop_assert_eq!(coord.to_string().parse::<Coord>().unwrap(), coord);
        prop_assert!(PackedCoord::MIN <= packed && packed <= PackedCoord::MAX);
    }

    // spec: REC-02
    #[test]
    fn order_is_morton_order(a in any_coord(), b in any_coord()) {
        let (packed_a, packed_b) = (PackedCoord::from(a), PackedCoord::from(b));
        prop_assert_eq!(packed_a.cmp(&packed_b), slow_order(a, b));
        prop_assert_eq!(packed_a.as_bytes().cmp(packed_b.as_bytes()), slow_order(a, b));
    }

    // spec: REC-01
    #[test]
    fn new_accepts_exactly_the_lattice(
        q in prop_oneof![any::<i32>(), -MAX - 2..=MAX + 2, any_component()],
        r in prop_oneof![any::<i32>(), -MAX - 2..=MAX + 2, any_component()],
    ) {
        let max = i64::from(MAX);
        let s = -i64::from(q) - i64::from(r);
        let inside = [i64::from(q), i64::from(r), s].iter().all(|v| (-max..=max).contains(v));
        prop_assert_eq!(Coord::new(q, r).is_ok(), inside);
    }

    #[test]
    fn any_bytes_are_refused_or_a_coordinate(low in any::<u64>(), cut in 0..64u32, high in prop_oneof![Just(0u64), any::<u64>()]) {
        let bytes = (u128::from(high) << 64 | u128::from(low >> cut)).to_be_bytes();
        if let Ok(packed) = PackedCoord::from_bytes(bytes) {
            prop_assert_eq!(slow_pack(slow_codes(packed.unpack())), bytes);
        }
    }

    #[test]
    fn a_flipped_bit_is_refused(coord in any_coord(), bit in 0..128u32) {
        // One component changes and the others do not, so the sum is never right.
        let bytes = u128::from_be_bytes(*PackedCoord::from(coord).as_bytes()) ^ 1 << bit;
        prop_assert!(PackedCoord::from_bytes(bytes.to_be_bytes()).is_err());
    }
}

#[cfg(feature = "serde")]
mod with_serde {
    use super::{MAX, coord};
    use hexxladb::{Coord, PackedCoord};

    #[test]
    fn coordinates_as_json() {
        let json = serde_json::to_string(&coord(3, -1)).unwrap();
        assert_eq!(json, r#"{"q":3,"r":-1}"#);
        assert_eq!(serde_json::from_str::<Coord>(&json).unwrap(), coord(3, -1));
        assert_eq!(serde_json::to_string(&PackedCoord::from(coord(3, -1))).unwrap(), json);
        let packed: PackedCoord = serde_json::from_str(&json).unwrap();
        assert_eq!(packed, PackedCoord::from(coord(3, -1)));
    }

    #[test]
    fn coordinates_out_of_range_are_refused() {
        for (q, r) in [(i64::from(MAX) + 1, 0), (i64::from(MAX), 1), (1 << 40, 0)] {
            let json = format!(r#"{{"q":{q},"r":{r}}}"#);
            let error = serde_json::from_str::<Coord>(&json).unwrap_err().to_string();
            assert!(error.contains(&format!("coordinate ({q},{r}) is out of range")), "{error}");
            assert!(serde_json::from_str::<PackedCoord>(&json).is_err());
        }
        assert!(serde_json::from_str::<Coord>(r#"{"q":1}"#).is_err());
    }
}
