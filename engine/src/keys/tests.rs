//! Keys against what they stand for: order, no prefixes, ranges, round trips, hostile bytes, and
//! how they are shown.

use std::cmp::Ordering;
use std::ops::{Bound, RangeBounds};

use proptest::prelude::*;

use ulid::Ulid;

use super::*;
use crate::error::Error;
use crate::lattice::{Coord, MAX_COMPONENT, PackedCoord};
use crate::time::Week;

const ANY_LEN: usize = usize::MAX;

fn raw(app_key: &[u8]) -> KeyBuf {
    raw_key(app_key, ANY_LEN).unwrap()
}

fn versioned(logical: &KeyBuf, seq: u64) -> KeyBuf {
    let mut key = logical.clone();
    push_seq(&mut key, seq);
    key
}

fn coord(q: i32, r: i32) -> Coord {
    Coord::new(q, r).unwrap()
}

/// Bytes in which zeros, ones and `FF`s, which escaping is about, come often.
fn any_app_key() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0u8), Just(1), Just(0xFE), Just(0xFF), any::<u8>()];
    prop::collection::vec(byte, 0..12)
}

fn any_coord() -> impl Strategy<Value = Coord> {
    let near = -3..=3;
    let far = -MAX_COMPONENT..=MAX_COMPONENT;
    let pair = prop_oneof![(near.clone(), near), (far.clone(), far)];
    pair.prop_filter_map("a coordinate", |(q, r)| Coord::new(q, r).ok())
}

/// Text in which zeros and ones come often.
fn any_text() -> impl Strategy<Value = String> {
    let letter = prop_oneof![Just('\0'), Just('\u{1}'), Just('a'), Just('ÿ'), any::<char>()];
    prop::collection::vec(letter, 0..8).prop_map(|letters| letters.into_iter().collect())
}

fn any_week() -> impl Strategy<Value = Week> {
    any::<i64>().prop_map(|nanos| Week::of(Timestamp::from_nanos(nanos)))
}

fn any_seam() -> impl Strategy<Value = Ulid> {
    prop_oneof![any::<u128>(), 0..4u128].prop_map(Ulid::from)
}

fn any_logical() -> impl Strategy<Value = LogicalKey> {
    use LogicalKey::*;
    let nanos = prop_oneof![any::<i64>(), -2i64..2, Just(i64::MIN), Just(i64::MAX)];
    let (at, text, week, seam) = (any_coord, any_text, any_week, any_seam);
    let meta = prop_oneof![
        any::<u64>().prop_map(Commit),
        (nanos, any::<u64>())
            .prop_map(|(nanos, seq)| CommitTime { time: Timestamp::from_nanos(nanos), seq }),
        text().prop_map(Tag),
    ];
    let records = prop_oneof![
        any_app_key().prop_map(Raw),
        at().prop_map(Cell),
        (at(), 0..6u8).prop_map(|(at, id)| Facet(at, id)),
        (at(), at(), text()).prop_map(|(from, to, relation)| Edge(from, to, relation)),
        seam().prop_map(Seam),
    ];
    let indexes = prop_oneof![
        (text(), at()).prop_map(|(tag, at)| CellByTag(tag, at)),
        (text(), at()).prop_map(|(source, at)| CellBySource(source, at)),
        (week(), at()).prop_map(|(week, at)| CellByWeek(week, at)),
        (at(), at(), text()).prop_map(|(to, from, relation)| EdgeByTarget(to, from, relation)),
        (at(), seam()).prop_map(|(at, seam)| SeamByCell(at, seam)),
        (text(), seam()).prop_map(|(source, seam)| SeamBySource(source, seam)),
        (week(), seam()).prop_map(|(week, seam)| SeamByWeek(week, seam)),
    ];
    prop_oneof![meta, records, indexes]
}

fn logical_order(a: &LogicalKey, b: &LogicalKey) -> Ordering {
    a.place().cmp(&b.place())
}

// spec: KEY-04
#[test]
fn bytes_of_keys() {
    let hex = |key: KeyBuf| format!("{key:02x?}").replace(['[', ']', ',', ' '], "");
    // q = 3 zigzags to 6 (110), r = 1 to 2 (010), s = −4 to 7 (111).
    assert_eq!(hex(cell_key(coord(3, 1))), format!("30{:032x}", 0b101_111_001));
    assert_eq!(hex(raw(b"ab")), "2061620001");
    assert_eq!(hex(raw(b"a\0b\0")), "206100ff6200ff0001");
    assert_eq!(hex(raw(b"")), "200001");
    assert_eq!(hex(commit_key(258)), "10100000000000000102");
    let before = Timestamp::from_nanos(-1);
    assert_eq!(hex(commit_time_key(before, 1)), "10207fffffffffffffff0000000000000001");
    assert_eq!(hex(versioned(&raw(b"a"), 1)), "20610001fffffffffffffffe");
}

#[test]
fn raw_keys_have_a_limit() {
    let max = 16;
    assert_eq!(raw_key(&[b'x'; 16], max).unwrap().len(), 16 + RAW_KEY_OVERHEAD_BYTES - SEQ_BYTES);
    assert!(raw_key(&[0; 8], max).is_ok());
    for (key, encoded) in [(vec![b'x'; 17], 17), (vec![0; 9], 18)] {
        match raw_key(&key, max) {
            Err(Error::KeyTooLarge { what, len, max: limit }) => {
                assert_eq!((what, len, limit), ("raw key", encoded, max));
            }
            other => panic!("{other:?}"),
        }
    }
}

// spec: KEY-06
#[test]
fn keys_fit_a_quarter_of_a_page() {
    for (page_bytes, max_key_bytes) in [(4096, 900), (8192, 1024), (65536, 1024)] {
        let longest = versioned(&raw_key(&vec![b'x'; max_key_bytes], max_key_bytes).unwrap(), 1);
        assert_eq!(longest.len(), max_key_bytes + RAW_KEY_OVERHEAD_BYTES);
        assert!(longest.len() <= page_bytes / 4);
    }
}

fn check_shown(key: &[u8], mvcc: bool, shown: &str) {
    assert_eq!(decode_physical(key, mvcc).unwrap().to_string(), shown);
}

// spec: KEY-05, KEY-07
#[test]
fn keys_are_shown_readably() {
    check_shown(&versioned(&cell_key(coord(3, 1)), 7), true, "cell/(3,1)#7");
    check_shown(&cell_key(coord(-3, 1)), false, "cell/(-3,1)");
    check_shown(&versioned(&raw(b"user/7 it's \"\\\""), 1), true, r##"raw/user/7 it's "\\"#1"##);
    check_shown(&raw("Grüße".as_bytes()), false, "raw/Grüße");
    check_shown(&raw(b"\0\x01\n\x7f\xff\xc3"), false, r"raw/\x00\x01\x0a\x7f\xff\xc3");
    check_shown(&raw("\u{202e}a\u{301}".as_bytes()), false, r"raw/\xe2\x80\xaea\xcc\x81");
    check_shown(&raw(b""), false, "raw/");
    let (at, to, seam) = (coord(3, 1), coord(-1, 0), Ulid::from(7u128));
    check_shown(&versioned(&facet_key(at, 5), 7), true, "facet/(3,1)/5#7");
    check_shown(&versioned(&edge_key(at, to, "see\n"), 7), true, r"edge/(3,1)/(-1,0)/see\x0a#7");
    check_shown(&versioned(&seam_key(seam), 7), true, "seam/00000000000000000000000007#7");
    check_shown(&cell_by_tag_key("tea", at), false, "__index/cell-by-tag/tea/(3,1)");
    check_shown(&cell_by_source_key("s", at), false, "__index/cell-by-source/s/(3,1)");
    let week = Week::of(Timestamp::from_nanos(0));
    check_shown(&cell_by_week_key(week, at), false, "__index/cell-by-week/1970-W01/(3,1)");
    check_shown(&edge_by_target_key(to, at, "r"), false, "__index/edge-by-target/(-1,0)/(3,1)/r");
    let shown = "__index/seam-by-cell/(3,1)/00000000000000000000000007";
    check_shown(&seam_by_cell_key(at, seam), false, shown);
    check_shown(
        &seam_by_source_key("s", seam),
        false,
        "__index/seam-by-source/s/00000000000000000000000007",
    );
    let shown = "__index/seam-by-week/1970-W01/00000000000000000000000007";
    check_shown(&seam_by_week_key(week, seam), false, shown);
    check_shown(&tag_key("v1"), true, "__meta/tag/v1");
    check_shown(&commit_key(9), true, "__meta/commit/9");
    let time = Timestamp::from_nanos(-5);
    check_shown(&commit_time_key(time, 9), true, "__meta/commit-time/-5/9");
}

fn check_refused(key: &[u8], expected: &DecodeError) {
    assert_eq!(&decode_logical(key).unwrap_err(), expected, "{key:02x?}");
}

fn wrong_len() -> DecodeError {
    DecodeError::damaged("a key has the wrong length for its family")
}

#[test]
fn malformed_keys_are_refused() {
    let damaged = |what: &'static str| DecodeError::damaged(what);
    check_refused(b"", &damaged("a key is empty"));
    check_refused(b"\x00", &damaged("0x00 is never a family"));
    check_refused(b"\xff", &damaged("0xff is never a family"));
    check_refused(b"\x70abc", &DecodeError::newer("key family 0x70"));
    check_refused(b"\x10", &damaged("a meta key has no kind"));
    check_refused(b"\x10\x00", &damaged("0x00 is never a meta kind"));
    check_refused(b"\x10\x50", &DecodeError::newer("meta kind 0x50"));
    check_refused(b"\x10\x30", &damaged("text in a key has no end"));
    check_refused(b"\x40abc", &damaged("a key is too short for its coordinate"));
    check_refused(&facet_key(coord(0, 0), 6), &damaged("a facet key holds no facet id"));
    check_refused(&cell_by_tag_key("t", coord(0, 0))[..19], &wrong_len());
    check_refused(b"\x60abc", &wrong_len());
    check_refused(&[0x88; 21], &damaged("a key holds no week"));
    let not_text = [&edge_key(coord(0, 0), coord(1, 0), "")[..33], b"\xff\x00\x01"].concat();
    check_refused(&not_text, &damaged("a text in a key is not UTF-8"));
    check_refused(b"\x10\x20abc", &damaged("a commit-time key is too short"));
    check_refused(b"\x10\x10abc", &wrong_len());
    check_refused(b"\x10\x20abcdefgh", &wrong_len());
    check_refused(&cell_key(coord(0, 0))[..16], &wrong_len());
    check_refused(&versioned(&cell_key(coord(0, 0)), 1), &wrong_len());
    check_refused(&[0x30; 17], &damaged("a key holds bytes that are no coordinate"));
    check_refused(b"\x20", &damaged("text in a key has no end"));
    check_refused(b"\x20a", &damaged("text in a key has no end"));
    check_refused(b"\x20a\x00\xff", &damaged("text in a key has no end"));
    let bad_zero = damaged("a zero in a key is followed by neither FF nor 01");
    check_refused(b"\x20a\x00", &bad_zero);
    check_refused(b"\x20a\x00\x00", &bad_zero);
    check_refused(b"\x20a\x00\x02\x00\x01", &bad_zero);
    let longer = damaged("bytes follow the end of a text in a key");
    check_refused(b"\x20a\x00\x01b", &longer);
    check_refused(b"\x20a\x00\x01\x00\x01", &longer);
    let error = decode_physical(b"\x20\x00\x01", true).unwrap_err();
    assert_eq!(error.what(), "a key is too short for its sequence");
    assert!(cell_coord(&raw(b"x")).is_err() && raw_app_key(&cell_key(coord(0, 0))).is_err());
}

#[test]
fn errors_name_file_and_offset() {
    let at = |error: DecodeError| error.at(std::path::Path::new("db"), 4096).to_string();
    let damaged = at(DecodeError::damaged("a key is empty"));
    assert!(damaged.starts_with("db is damaged at offset 4096: a key is empty"), "{damaged}");
    let newer = at(DecodeError::newer("key family 0x40"));
    assert!(newer.contains("key family 0x40, at offset 4096"), "{newer}");
}

const FAMILIES: [Family; 13] = [
    Family::Meta,
    Family::Raw,
    Family::Cell,
    Family::Facet,
    Family::Edge,
    Family::Seam,
    Family::CellByTag,
    Family::CellBySource,
    Family::CellByWeek,
    Family::EdgeByTarget,
    Family::SeamByCell,
    Family::SeamBySource,
    Family::SeamByWeek,
];

#[test]
fn families_do_not_overlap() {
    for pair in FAMILIES.windows(2) {
        assert!(pair[0].range().end <= pair[1].range().start);
    }
    for family in FAMILIES {
        assert_eq!(Family::from_byte(family as u8), Ok(family));
        assert!(!family.range().is_empty());
    }
}

#[test]
fn newest_version_first() {
    let logical = raw(b"k");
    let seqs = [u64::MAX, 1 << 56, 256, 255, 2, 1, 0];
    let keys = seqs.map(|seq| versioned(&logical, seq));
    assert!(keys.is_sorted());
    for (key, seq) in keys.iter().zip(seqs) {
        assert_eq!(split_seq(key), Some((logical.as_slice(), seq)));
    }
    assert_eq!(split_seq(&[0; 8]), None);
    assert_eq!(split_seq(b""), None);
}

fn any_bound<T: std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Bound<T>> {
    (0..3u8, value).prop_map(|(kind, value)| match kind {
        0 => Bound::Included(value),
        1 => Bound::Excluded(value),
        _ => Bound::Unbounded,
    })
}

/// Whether `range` holds exactly the rows of keys that `inside` names, whatever their versions.
fn check_rows(range: &KeyRange, logical: &KeyBuf, seq: u64, inside: bool) {
    assert!(range.start <= range.end);
    for key in [logical.clone(), versioned(logical, seq)] {
        assert_eq!(range.contains(&key), inside, "{range:02x?} {key:02x?}");
    }
}

proptest! {
    // spec: KEY-02, KEY-03
    #[test]
    fn order_is_logical_order(a in any_logical(), b in any_logical()) {
        prop_assert_eq!(a.encode().cmp(&b.encode()), logical_order(&a, &b));
    }

    // spec: KEY-01, KEY-03
    #[test]
    fn versions_never_mix(a in any_logical(), b in any_logical(), m: u64, n: u64) {
        let (key_a, key_b) = (a.encode(), b.encode());
        let versions = versioned(&key_a, m).cmp(&versioned(&key_b, n));
        prop_assert_eq!(versions, logical_order(&a, &b).then(n.cmp(&m)));
        prop_assert_eq!(key_a.starts_with(&key_b), a == b);
        prop_assert_eq!(KeyRange::starting_with(key_a).contains(&versioned(&key_b, n)), a == b);
    }

    // spec: KEY-01
    #[test]
    fn one_seek_finds_what_a_snapshot_sees(
        app_key in any_app_key(),
        mut seqs in prop::collection::vec(0u64..20, 1..6),
        snapshot in 0u64..20,
    ) {
        let logical = raw(&app_key);
        let mut rows: Vec<KeyBuf> = seqs.iter().map(|&seq| versioned(&logical, seq)).collect();
        rows.sort();
        seqs.sort_unstable();
        let found = rows.iter().find(|row| **row >= versioned(&logical, snapshot));
        let seen = seqs.iter().rfind(|&&seq| seq <= snapshot);
        prop_assert_eq!(found.map(|row| split_seq(row).unwrap().1), seen.copied());
    }

    #[test]
    fn round_trip(logical in any_logical(), seq: u64) {
        let key = logical.encode();
        prop_assert_eq!(&decode_logical(&key).unwrap(), &logical);
        let v1 = decode_physical(&key, false).unwrap();
        prop_assert_eq!(v1, PhysicalKey { logical: logical.clone(), seq: None });
        match &logical {
            LogicalKey::Commit(_) | LogicalKey::CommitTime { .. } | LogicalKey::Tag(_) => {
                prop_assert_eq!(&decode_physical(&key, true).unwrap().logical, &logical);
            }
            _ => {
                let v2 = decode_physical(&versioned(&key, seq), true).unwrap();
                prop_assert_eq!(v2, PhysicalKey { logical: logical.clone(), seq: Some(seq) });
            }
        }
        match &logical {
            LogicalKey::Raw(app_key) => {
                let read = raw_app_key(&key).unwrap();
                prop_assert_eq!(read.as_ref(), app_key.as_slice());
                let borrows = matches!(read, std::borrow::Cow::Borrowed(_));
                prop_assert_eq!(borrows, !app_key.contains(&0));
                prop_assert_eq!(key.len(), 3 + escaped_len(app_key));
            }
            LogicalKey::Cell(coord) => prop_assert_eq!(cell_coord(&key).unwrap(), *coord),
            _ => {}
        }
    }

    #[test]
    fn any_bytes_are_refused_or_a_key(
        family in prop::sample::select(vec![
            0x10u8, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x84, 0x88, 0x90, 0xA0, 0xA4, 0xA8,
        ]),
        mut key in prop_oneof![any_app_key(), prop::collection::vec(any::<u8>(), 0..40)],
        mvcc: bool,
    ) {
        key.insert(0, family);
        if let Ok(logical) = decode_logical(&key) {
            prop_assert_eq!(logical.encode().to_vec(), key.clone());
            prop_assert!(!logical.to_string().is_empty());
        }
        if let Ok(physical) = decode_physical(&key, mvcc) {
            let mut again = physical.logical.encode();
            physical.seq.iter().for_each(|&seq| push_seq(&mut again, seq));
            prop_assert_eq!(again.to_vec(), key);
        }
    }

    // Changed bytes of real keys, which get further than random ones.
    #[test]
    fn changed_keys_are_refused_or_other_keys(
        logical in any_logical(), at in any::<prop::sample::Index>(), to: u8,
    ) {
        let mut key = logical.encode();
        let at = at.index(key.len());
        key[at] = to;
        if let Ok(read) = decode_logical(&key) {
            prop_assert_eq!(read.encode(), key);
        }
    }

    #[test]
    fn prefix_ranges(prefix in any_app_key(), rest in any_app_key(), other in any_app_key(), seq: u64) {
        let range = raw_prefix_range(&prefix);
        let longer = [prefix.clone(), rest].concat();
        check_rows(&range, &raw(&longer), seq, true);
        check_rows(&range, &raw(&other), seq, other.starts_with(&prefix));
    }

    #[test]
    fn raw_ranges(
        start in any_bound(any_app_key()),
        end in any_bound(any_app_key()),
        key in any_app_key(),
        seq: u64,
    ) {
        let inside = (start.clone(), end.clone()).contains(&key);
        check_rows(&raw_range(&(start.clone(), end.clone())), &raw(&key), seq, inside);
        for bound in [&start, &end] {
            if let Bound::Included(bound) | Bound::Excluded(bound) = bound {
                let inside = (start.clone(), end.clone()).contains(bound);
                check_rows(&raw_range(&(start.clone(), end.clone())), &raw(bound), seq, inside);
            }
        }
    }

    #[test]
    fn cell_ranges(
        start in any_bound(any_coord().prop_map(PackedCoord::from)),
        end in any_bound(any_coord().prop_map(PackedCoord::from)),
        coord in any_coord(),
        seq: u64,
    ) {
        let inside = (start, end).contains(&PackedCoord::from(coord));
        check_rows(&cell_range(&(start, end)), &cell_key(coord), seq, inside);
        for bound in [start, end] {
            if let Bound::Included(bound) | Bound::Excluded(bound) = bound {
                let inside = (start, end).contains(&bound);
                check_rows(&cell_range(&(start, end)), &cell_key(bound.unpack()), seq, inside);
            }
        }
    }

    #[test]
    fn timeline_ranges(logical in any_logical()) {
        let key = logical.encode();
        prop_assert_eq!(commit_range().contains(&key), matches!(logical, LogicalKey::Commit(_)));
        let by_time = matches!(logical, LogicalKey::CommitTime { .. });
        prop_assert_eq!(commit_time_range().contains(&key), by_time);
    }

    #[test]
    fn successor_is_tight(key in any_app_key(), other in any_app_key()) {
        let key = [vec![0x20], key].concat();
        let other = [vec![0x20], other].concat();
        let after = successor(KeyBuf::from_slice(&key));
        let above = other.as_slice() > key.as_slice() && !other.starts_with(&key);
        prop_assert_eq!(other.as_slice() >= after.as_slice(), above);
    }
}
