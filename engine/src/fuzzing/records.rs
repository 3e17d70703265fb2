//! The target for what rows hold: cells, physical keys, rows of the timeline.

use std::fmt::Debug;

use super::bytes::{Input, some_place};
use crate::keys::{self, DecodeError, LogicalKey, decode_physical};
use crate::record::{
    decode_cell, decode_edge, decode_facet, decode_seam, encode_cell, encode_edge, encode_facet,
    encode_seam,
};
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
    // Only fields that a later version marked as skippable are left out.
    assert!(encoded == bytes || encoded.len() < bytes.len(), "a record has one encoding");
    let cut = some_place(bytes, bytes.len());
    assert!(decode(&bytes[..cut]).map_or(true, |shorter| shorter != record || bytes != encoded));
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
    let is_meta =
        matches!(name, LogicalKey::Commit(_) | LogicalKey::CommitTime { .. } | LogicalKey::Tag(_));
    assert_eq!(key.seq.is_some(), mvcc && !is_meta);
    assert!(!shown.contains(char::is_control), "{shown:?}");
    Some((name, key.seq))
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
