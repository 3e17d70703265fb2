//! The target for what rows hold: records of every family, physical keys, rows of the timeline.

use std::fmt::Debug;

use ulid::Ulid;

use super::bytes::{Input, some_place};
use super::story::{full_cell, full_edge, full_seam};
use crate::keys::{self, DecodeError, KeyBuf, LogicalKey, decode_physical};
use crate::lattice::Coord;
use crate::record::{
    Facet, decode_cell, decode_edge, decode_facet, decode_seam, encode_cell, encode_edge,
    encode_facet, encode_seam,
};
use crate::time::{Timestamp, Week};
use crate::timeline::MetaRow;

/// A record: the first byte chooses a family, a key, two keys, an application key or a timeline row.
pub fn records(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 8 {
        0 => record(input.0, decode_cell, encode_cell),
        5 => record(input.0, decode_facet, encode_facet),
        6 => record(input.0, decode_edge, encode_edge),
        7 => record(input.0, decode_seam, encode_seam),
        1 => {
            physical_key(input.0, false);
            physical_key(input.0, true);
        }
        2 => two_keys(input),
        3 => application_key(input.0),
        _ => timeline_row(input.0),
    }
}

fn record<T: PartialEq + Debug>(
    bytes: &[u8],
    decode: fn(&[u8]) -> Result<T, DecodeError>,
    encode: fn(&T, &mut Vec<u8>) -> crate::Result<()>,
) {
    let Ok(record) = decode(bytes) else { return };
    let mut encoded = vec![7];
    encode(&record, &mut encoded).expect("what was read keeps the rules");
    let encoded = &encoded[1..];
    assert_eq!(decode(encoded).as_ref(), Ok(&record));
    assert_eq!(encoded, without_skippable(bytes), "a record has one encoding");
    let cut = some_place(bytes, bytes.len());
    assert!(decode(&bytes[..cut]).map_or(true, |shorter| shorter != record || bytes != encoded));
}

/// An intact record without the fields that a later version marked as skippable: bit 7 of a
/// field's first byte says so, bits 5 and 6 how its length is told.
fn without_skippable(record: &[u8]) -> Vec<u8> {
    let mut input = Input(record);
    let mut kept = input.take(1).to_vec();
    while let [first, rest @ ..] = input.0 {
        let short = || usize::from(rest[0]);
        let long = || u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
        let len = match first >> 5 & 3 {
            0 => 8,
            1 => 1 + short(),
            2 => 4 + long(),
            _ => 1,
        };
        let field = input.take(1 + len);
        if first & 0x80 == 0 {
            kept.extend_from_slice(field);
        }
    }
    kept
}

fn physical_key(bytes: &[u8], mvcc: bool) -> Option<(LogicalKey, Option<u64>)> {
    let key = decode_physical(bytes, mvcc).ok()?;
    let shown = key.logical.to_string();
    let name = key.logical;
    let mut encoded = name.encode();
    if let Some(seq) = key.seq {
        keys::push_seq(&mut encoded, seq);
    }
    assert_eq!(&encoded[..], bytes, "a key has one encoding");
    assert_eq!(key.seq.is_some(), mvcc && !is_meta(&name));
    assert!(!shown.contains(char::is_control), "{shown:?}");
    Some((name, key.seq))
}

fn is_meta(key: &LogicalKey) -> bool {
    matches!(
        key,
        LogicalKey::Commit(_)
            | LogicalKey::CommitTime { .. }
            | LogicalKey::Tag(_)
            | LogicalKey::Consumer(_)
    )
}

/// The order of keys is the order of what they name, newest version first.
fn two_keys(mut input: Input<'_>) {
    let len = usize::from(input.byte());
    let (a, b) = (input.take(len), input.0);
    if let (Some((first, new)), Some((second, old))) =
        (physical_key(a, true), physical_key(b, true))
    {
        let by_name = first.place().cmp(&second.place());
        assert_eq!(a.cmp(b), by_name.then(old.cmp(&new)), "{first:?}, {second:?}");
    }
}

fn application_key(key: &[u8]) {
    let logical = keys::raw_key(key, usize::MAX).expect("no key is too long here");
    assert_eq!(keys::raw_app_key(&logical).as_deref(), Ok(key));
    assert!(keys::raw_key(key, keys::escaped_len(key).wrapping_sub(1)).is_err() || key.is_empty());
    for seq in [0, 1, u64::MAX] {
        let mut bytes = logical.clone();
        keys::push_seq(&mut bytes, seq);
        assert_eq!(keys::split_seq(&bytes), Some((&logical[..], seq)));
        assert!(keys::raw_range(&(key..=key)).contains(&bytes));
    }
}

fn timeline_row(bytes: &[u8]) {
    let Ok(row) = MetaRow::decode(bytes) else { return };
    assert_eq!(row.encode(), bytes, "a timeline row has one encoding");
}

/// Inputs to start from, by name: a record of each family with all its fields, a key of each kind.
///
/// # Errors
/// None: the records keep the rules.
pub fn record_inputs() -> crate::Result<Vec<(String, Vec<u8>)>> {
    let mut inputs = Vec::new();
    let mut add = |name: &str, choice: u8, bytes: &[u8]| {
        inputs.push((name.to_owned(), [&[choice], bytes].concat()));
    };
    let facet = Facet::of(&full_cell(), "Tee.").with_last_rotated(Timestamp::from_secs(7));
    add("cell", 0, &encoded(&full_cell(), encode_cell)?);
    add("facet", 5, &encoded(&facet, encode_facet)?);
    add("edge", 6, &encoded(&full_edge(), encode_edge)?);
    add("seam", 7, &encoded(&full_seam(), encode_seam)?);
    add("application-key", 3, b"a\0b\xff");
    add("timeline-row", 4, &[&[7; 24][..], b"\x01a note"].concat());
    let keys = key_names();
    for (name, key) in &keys {
        add(&format!("key-{name}"), 1, &versioned(key, 5));
    }
    // Two versions of one record, and neighbours of different kinds.
    let pair = |a: &[u8], b: &[u8]| [&[a.len() as u8], a, b].concat();
    let (_, raw) = &keys[3];
    add("two-versions", 2, &pair(&versioned(raw, 7), &versioned(raw, 6)));
    let (first, second) = (&keys[5].1, &keys[6].1);
    add("two-keys", 2, &pair(&versioned(first, 7), &versioned(second, 7)));
    Ok(inputs)
}

fn encoded<T>(
    record: &T,
    encode: fn(&T, &mut Vec<u8>) -> crate::Result<()>,
) -> crate::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(record, &mut bytes)?;
    Ok(bytes)
}

/// The key as it stands in the tree of format v2.
fn versioned(key: &LogicalKey, seq: u64) -> KeyBuf {
    let mut bytes = key.encode();
    if !is_meta(key) {
        keys::push_seq(&mut bytes, seq);
    }
    bytes
}

/// A key of each kind.
fn key_names() -> Vec<(&'static str, LogicalKey)> {
    let (at, to) = (Coord::from_checked(3, -1), Coord::from_checked(-7, 20));
    let (id, week) = (Ulid::from_parts(8, 9), Week::of(Timestamp::from_secs(-5)));
    let (text, time) = (|| "a\0b".to_owned(), Timestamp::from_secs(-5));
    vec![
        ("commit", LogicalKey::Commit(9)),
        ("commit-time", LogicalKey::CommitTime { time, seq: 9 }),
        ("tag", LogicalKey::Tag(text())),
        ("consumer", LogicalKey::Consumer(text())),
        ("raw", LogicalKey::Raw(b"a\0b".to_vec())),
        ("cell", LogicalKey::Cell(at)),
        ("facet", LogicalKey::Facet(at, 5)),
        ("edge", LogicalKey::Edge(at, to, text())),
        ("seam", LogicalKey::Seam(id)),
        ("cell-by-tag", LogicalKey::CellByTag(text(), at)),
        ("cell-by-source", LogicalKey::CellBySource(text(), at)),
        ("cell-by-week", LogicalKey::CellByWeek(week, at)),
        ("edge-by-target", LogicalKey::EdgeByTarget(to, at, text())),
        ("seam-by-cell", LogicalKey::SeamByCell(at, id)),
        ("seam-by-source", LogicalKey::SeamBySource(text(), id)),
        ("seam-by-week", LogicalKey::SeamByWeek(week, id)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is refused at once is no input to start from.
    #[test]
    fn every_input_to_start_from_is_accepted() {
        for (name, input) in record_inputs().unwrap() {
            let (choice, bytes) = input.split_first().unwrap();
            let accepted = match choice {
                0 => decode_cell(bytes).is_ok(),
                5 => decode_facet(bytes).is_ok(),
                6 => decode_edge(bytes).is_ok(),
                7 => decode_seam(bytes).is_ok(),
                1 => decode_physical(bytes, true).is_ok(),
                4 => MetaRow::decode(bytes).is_ok(),
                _ => true,
            };
            assert!(accepted, "{name}");
            records(&input);
        }
    }
}
