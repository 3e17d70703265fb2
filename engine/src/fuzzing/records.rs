//! The target for what rows hold: cells, physical keys, rows of the timeline.

use super::bytes::{Input, some_place};
use crate::keys::{self, KeyBuf, SEQ_BYTES, decode_physical};
use crate::lattice::PackedCoord;
use crate::record::{decode_cell, encode_cell};
use crate::time::Timestamp;
use crate::timeline::MetaRow;

/// A record: the first byte chooses a cell, a key, two keys, an application key or a timeline row.
pub fn records(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 5 {
        0 => cell(input.0),
        1 => {
            physical_key(input.0, false);
            physical_key(input.0, true);
        }
        2 => two_keys(input),
        3 => application_key(input.0),
        _ => timeline_row(input.0),
    }
}

fn cell(bytes: &[u8]) {
    let Ok(cell) = decode_cell(bytes) else { return };
    let mut encoded = vec![7];
    encode_cell(&cell, &mut encoded).expect("what was read keeps the rules");
    let encoded = &encoded[1..];
    assert_eq!(decode_cell(encoded).as_ref(), Ok(&cell));
    // Only fields that a later version marked as skippable are left out.
    assert!(encoded == bytes || encoded.len() < bytes.len(), "a cell has one encoding");
    let cut = some_place(bytes, bytes.len());
    assert!(decode_cell(&bytes[..cut]).map_or(true, |shorter| shorter != cell || bytes != encoded));
}

/// What a key names, in the order of its family.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Commit(u64),
    CommitTime(Timestamp, u64),
    Raw(Vec<u8>),
    Cell(PackedCoord),
}

impl Name {
    /// Read by means of its own where there are any, else from how it is shown.
    fn of(logical: &[u8], shown: &str) -> Self {
        if let Ok(key) = keys::raw_app_key(logical) {
            return Self::Raw(key.into_owned());
        }
        if let Ok(coord) = keys::cell_coord(logical) {
            return Self::Cell(coord.into());
        }
        let number = |text: &str| text.parse().expect("a number");
        let parts: Vec<&str> = shown.split('/').collect();
        match parts[..] {
            ["__meta", "commit", seq] => Self::Commit(number(seq)),
            ["__meta", "commit-time", time, seq] => {
                let nanos = time.parse().expect("nanoseconds");
                Self::CommitTime(Timestamp::from_nanos(nanos), number(seq))
            }
            _ => panic!("{logical:?} is shown as {shown}"),
        }
    }

    fn encode(&self) -> KeyBuf {
        match self {
            Self::Commit(seq) => keys::commit_key(*seq),
            Self::CommitTime(time, seq) => keys::commit_time_key(*time, *seq),
            Self::Raw(key) => keys::raw_key(key, usize::MAX).expect("no key is too long here"),
            Self::Cell(at) => keys::cell_key(at.unpack()),
        }
    }
}

fn physical_key(bytes: &[u8], mvcc: bool) -> Option<(Name, Option<u64>)> {
    let key = decode_physical(bytes, mvcc).ok()?;
    let shown = key.logical.to_string();
    let logical = if key.seq.is_some() { &bytes[..bytes.len() - SEQ_BYTES] } else { bytes };
    let name = Name::of(logical, &shown);
    let mut encoded = name.encode();
    if let Some(seq) = key.seq {
        keys::push_seq(&mut encoded, seq);
    }
    assert_eq!(&encoded[..], bytes, "a key has one encoding");
    let is_meta = matches!(name, Name::Commit(_) | Name::CommitTime(..));
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
        assert_eq!(a.cmp(b), first.cmp(&second).then(old.cmp(&new)), "{first:?}, {second:?}");
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
