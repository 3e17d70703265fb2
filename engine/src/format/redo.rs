//! The changes of a transaction as its frames carry them: a stream that may be cut anywhere
//! between parts.
//!
//! ```text
//! commit payload:  history hash 16 B, note len u32, note, then the (rest of the) stream
//! maintenance:     prune floor u64, pruned u64, then a stream of its own
//! operation:       put 1, key len varint, key, row len varint, row
//!                  delete 2, key len varint, key
//! ```
//!
//! Keys and rows are the physical ones, large values in full; keys of the family meta are those of
//! the tree `meta`, all others of the tree `records`.

use super::FormatResult;
use super::bytes::{Reader, push_varint, read_varint};
use crate::ids::HistoryHash;

const PUT: u8 = 1;
const DELETE: u8 = 2;
/// Bytes of a commit's payload before the note.
pub(crate) const COMMIT_PREFIX_BYTES: usize = 20;

/// One change of a tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    Put { key: &'a [u8], row: &'a [u8] },
    Delete { key: &'a [u8] },
}

/// Appends a put.
pub(crate) fn push_put(out: &mut Vec<u8>, key: &[u8], row: &[&[u8]]) {
    out.push(PUT);
    push_varint(out, key.len() as u64);
    out.extend_from_slice(key);
    push_varint(out, row.iter().map(|part| part.len() as u64).sum());
    for part in row {
        out.extend_from_slice(part);
    }
}

/// Appends a delete.
pub(crate) fn push_delete(out: &mut Vec<u8>, key: &[u8]) {
    out.push(DELETE);
    push_varint(out, key.len() as u64);
    out.extend_from_slice(key);
}

/// Bounds that a stream from disk must keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) max_key_bytes: usize,
    pub(crate) max_row_bytes: usize,
}

/// The first change of a stream and its length; `None` when the stream ends inside of it.
pub(crate) fn first_change(
    stream: &[u8],
    bounds: Bounds,
) -> FormatResult<Option<(Change<'_>, usize)>> {
    let Some((&op, rest)) = stream.split_first() else { return Ok(None) };
    let Some((key, key_bytes)) = sized(rest, bounds.max_key_bytes)? else { return Ok(None) };
    if key.is_empty() {
        return Err("an empty key in a redo stream".into());
    }
    match op {
        DELETE => Ok(Some((Change::Delete { key }, 1 + key_bytes))),
        PUT => {
            let Some((row, row_bytes)) = sized(&rest[key_bytes..], bounds.max_row_bytes)? else {
                return Ok(None);
            };
            Ok(Some((Change::Put { key, row }, 1 + key_bytes + row_bytes)))
        }
        other => Err(format!("operation {other} in a redo stream")),
    }
}

/// Bytes with their length before them, and the length of both.
fn sized(bytes: &[u8], max: usize) -> FormatResult<Option<(&[u8], usize)>> {
    let Some((len, len_bytes)) = read_varint(bytes)? else { return Ok(None) };
    let len = usize::try_from(len).ok().filter(|&len| len <= max);
    let len = len.ok_or("length in a redo stream is out of bounds")?;
    Ok(bytes.get(len_bytes..len_bytes + len).map(|found| (found, len_bytes + len)))
}

/// What a commit frame carries beside its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitPrefix {
    pub(crate) history_hash: HistoryHash,
    pub(crate) note: Option<String>,
}

impl CommitPrefix {
    /// The payload's first bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let note = self.note.as_deref().unwrap_or_default();
        let mut out = Vec::with_capacity(COMMIT_PREFIX_BYTES + note.len());
        out.extend_from_slice(&self.history_hash);
        // One more than the length, so that an empty note differs from none.
        let len = self.note.as_ref().map_or(0, |note| note.len() as u32 + 1);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(note.as_bytes());
        out
    }

    /// Reads a payload's first bytes; returns the stream after them.
    pub(crate) fn decode(payload: &[u8]) -> FormatResult<(Self, &[u8])> {
        let mut reader = Reader::new(payload);
        let history_hash = reader.array()?;
        let note = match reader.u32()? as usize {
            0 => None,
            len => {
                let bytes = reader.take(len - 1)?;
                let text = std::str::from_utf8(bytes).map_err(|_| "note is not text")?;
                Some(text.to_owned())
            }
        };
        let rest = reader.take(reader.remaining())?;
        Ok((Self { history_hash, note }, rest))
    }
}

/// What a maintenance frame carries beside its changes: how far the database is pruned once they
/// are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MaintenancePrefix {
    /// The oldest sequence that reads right.
    pub(crate) floor: u64,
    /// The floor to which everything has been pruned.
    pub(crate) pruned: u64,
}

impl MaintenancePrefix {
    /// The payload's first bytes.
    pub(crate) fn encode(self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.floor.to_le_bytes());
        out[8..].copy_from_slice(&self.pruned.to_le_bytes());
        out
    }

    /// Reads a payload's first bytes; returns the stream after them.
    pub(crate) fn decode(payload: &[u8]) -> FormatResult<(Self, &[u8])> {
        let mut reader = Reader::new(payload);
        let prefix = Self { floor: reader.u64()?, pruned: reader.u64()? };
        Ok((prefix, reader.take(reader.remaining())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { max_key_bytes: 100, max_row_bytes: 1000 };

    #[test]
    fn a_stream_reads_back_and_any_cut_asks_for_more() {
        let mut stream = Vec::new();
        push_put(&mut stream, b"key", &[b"\x01", &[7; 300]]);
        let first = stream.len();
        push_delete(&mut stream, b"gone");
        let (change, len) = first_change(&stream, BOUNDS).unwrap().unwrap();
        let row: Vec<u8> = [&[1][..], &[7; 300]].concat();
        assert_eq!((change, len), (Change::Put { key: b"key", row: &row }, first));
        let (change, _) = first_change(&stream[first..], BOUNDS).unwrap().unwrap();
        assert_eq!(change, Change::Delete { key: b"gone" });
        for cut in 0..first {
            assert_eq!(first_change(&stream[..cut], BOUNDS).unwrap(), None);
        }
    }

    #[test]
    fn hostile_lengths_are_refused_before_they_are_used() {
        let mut stream = vec![PUT];
        push_varint(&mut stream, u64::MAX);
        assert!(first_change(&stream, BOUNDS).is_err());
        assert!(first_change(&[9, 0], BOUNDS).is_err());
        assert!(first_change(&[PUT, 0, 0], BOUNDS).is_err());
        assert!(
            first_change(
                &[PUT, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                BOUNDS
            )
            .is_err()
        );
    }

    #[test]
    fn notes_read_back() {
        for note in [None, Some(String::new()), Some("why".to_owned())] {
            let prefix = CommitPrefix { history_hash: [3; 16], note };
            let mut payload = prefix.encode();
            payload.extend_from_slice(b"rest");
            assert_eq!(CommitPrefix::decode(&payload).unwrap(), (prefix, &b"rest"[..]));
        }
    }
}
