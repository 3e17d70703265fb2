//! Cells as a user puts and gets them: what comes back, what is refused, and what a refusal
//! leaves behind.

use hexxladb::{Cell, Coord, Db, Error, Options, Provenance, Result, Timestamp, Validity};
use proptest::prelude::*;

fn open(options: Options) -> Db {
    Db::open("records", options).unwrap()
}

fn coord(q: i32, r: i32) -> Coord {
    Coord::new(q, r).unwrap()
}

/// What a new database gives back for `cell`.
fn put_and_get(cell: &Cell) -> Cell {
    let db = open(Options::in_memory());
    db.update(|tx| tx.put_cell(coord(3, 1), cell)).unwrap();
    let read: Result<_> = db.view(|tx| tx.get_cell(coord(3, 1)));
    read.unwrap().expect("the cell just put")
}

fn full_cell() -> Cell {
    let mut cell = Cell::new("Die Brücke ist gesperrt.")
        .with_source("wsv/elbe")
        .with_confidence(0.75)
        .with_tags(["bridge", "traffic"])
        .with_validity(Validity {
            valid_from: Some(Timestamp::from_secs(-1)),
            valid_to: Some(Timestamp::MAX),
        });
    cell.provenance.created_at = Timestamp::from_secs(1_700_000_000);
    cell.provenance.updated_at = Timestamp::from_secs(1_700_003_600);
    cell.cluster_hint = Some("dresden".to_owned());
    cell
}

// spec: REC-03
#[test]
fn every_field_comes_back() {
    assert_eq!(put_and_get(&full_cell()), full_cell());
    assert_eq!(put_and_get(&Cell::default()), Cell::default());
}

#[test]
fn tags_come_back_sorted_without_repeats() {
    let read = put_and_get(&Cell::new("x").with_tags(["b", "a", "", "ab", "b"]));
    assert_eq!(read.tags, ["", "a", "ab", "b"]);
}

#[test]
fn a_cell_without_a_say_is_wholly_sure() {
    let provenance = Provenance::default();
    assert_eq!((provenance.confidence, provenance.source_id.as_str()), (1.0, ""));
    assert_eq!(put_and_get(&Cell::new("x")).provenance, provenance);
}

/// Puts a good cell, then `cell` in the same transaction, and returns the refusal. The
/// transaction must stay usable and hold just the good cell.
fn refusal(cell: &Cell) -> Error {
    let db = open(Options::in_memory());
    let mut refusal = None;
    db.update(|tx| {
        tx.put_cell(coord(0, 0), &Cell::new("good"))?;
        refusal = tx.put_cell(coord(1, 0), cell).err();
        tx.put_cell(coord(2, 0), &Cell::new("after"))
    })
    .unwrap();
    let read: Result<Vec<_>> = db.view(|tx| tx.cells(..).collect());
    let coords: Vec<Coord> = read.unwrap().into_iter().map(|(coord, _)| coord).collect();
    assert_eq!(coords, [coord(0, 0), coord(2, 0)]);
    refusal.expect("a refusal")
}

fn check_invalid(cell: &Cell, message: &str) {
    let error = refusal(cell);
    assert!(matches!(error, Error::InvalidRecord { family: "cell", .. }), "{error:?}");
    assert_eq!(error.to_string(), message);
}

// spec: REC-07
#[test]
fn confidence_is_zero_to_one() {
    for (confidence, shown) in [(f64::NAN, "NaN"), (-0.5, "-0.5"), (1.5, "1.5")] {
        let cell = Cell::new("x").with_confidence(confidence);
        check_invalid(&cell, &format!("cell refused: confidence is {shown}; it must be 0 to 1"));
    }
}

// spec: REC-07
#[test]
fn validity_ends_after_it_begins() {
    let at = |secs| Some(Timestamp::from_secs(secs));
    for (valid_from, valid_to) in [(at(5), at(5)), (at(5), at(4))] {
        let cell = Cell::new("x").with_validity(Validity { valid_from, valid_to });
        check_invalid(&cell, "cell refused: valid_from must be before valid_to");
    }
}

// spec: REC-07, REC-09
#[test]
fn tags_and_sources_have_a_limit() {
    let longest = "x".repeat(255);
    let fits = Cell::new("x").with_source(longest.as_str()).with_tags([longest]);
    assert_eq!(put_and_get(&fits), fits);
    // A zero byte takes two in a key.
    for (text, len) in [("x".repeat(256), 256), ("\0".repeat(128), 256)] {
        let tagged = refusal(&Cell::new("x").with_tags([text.as_str()]));
        assert_eq!(tagged.to_string(), format!("tag is {len} bytes encoded; at most 255 fit"));
        let sourced = refusal(&Cell::new("x").with_source(text));
        assert_eq!(
            sourced.to_string(),
            format!("source_id is {len} bytes encoded; at most 255 fit")
        );
    }
}

#[test]
fn a_cell_over_the_value_limit_is_refused_with_both_sizes() {
    let db = open(Options::in_memory().max_value_bytes(512));
    let put = |len: usize| db.update(|tx| tx.put_cell(coord(0, 0), &Cell::new("x".repeat(len))));
    // One byte of layout, one of header and four of length.
    put(512 - 6).unwrap();
    match put(512 - 5) {
        Err(Error::ValueTooLarge { len, max }) => assert_eq!((len, max), (513, 512)),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // spec: REC-03
    #[test]
    fn any_text_comes_back(
        raw_content in "\\PC{0,200}",
        tags in prop::collection::btree_set("\\PC{0,12}", 0..6),
        cluster_hint in prop::option::of("\\PC{0,12}"),
        confidence in 0.0..=1.0,
    ) {
        let mut cell = Cell::new(raw_content).with_tags(tags).with_confidence(confidence);
        cell.cluster_hint = cluster_hint;
        prop_assert_eq!(put_and_get(&cell), cell);
    }
}

#[cfg(feature = "serde")]
#[test]
fn cells_as_json() {
    let json = serde_json::to_string(&full_cell()).unwrap();
    assert_eq!(serde_json::from_str::<Cell>(&json).unwrap(), full_cell());
    let sparse: Cell = serde_json::from_str(r#"{"raw_content":"x","tags":["a"]}"#).unwrap();
    assert_eq!(sparse, Cell::new("x").with_tags(["a"]));
    let time = serde_json::to_string(&Timestamp::from_nanos(-5)).unwrap();
    assert_eq!(time, "-5");
}
