//! The history hash of a commit: SHA-256 over the hash before and the transaction's net content,
//! in the order of keys. Index rows are not part of it: they follow from the records.

use sha2::{Digest, Sha256};

use crate::ids::HistoryHash;
use crate::keys::{self, KeyBuf, LogicalKey};
use crate::lattice::Coord;
use crate::time::Timestamp;

/// A record that the transaction touched.
#[derive(Debug)]
pub(super) struct Touched {
    pub(super) logical: KeyBuf,
    /// SHA-256 of the value put last; `None` for a delete.
    pub(super) value: Option<[u8; 32]>,
}

/// What a commit is, beside its records.
pub(super) struct Commit<'a> {
    pub(super) before: HistoryHash,
    pub(super) seq: u64,
    pub(super) time: Timestamp,
    pub(super) note: Option<&'a str>,
}

/// The hash of a commit that touched these records, the last of several of one name counting.
pub(super) fn history_hash(commit: &Commit<'_>, touched: &mut [Touched]) -> HistoryHash {
    if !touched.is_sorted_by(|a, b| a.logical <= b.logical) {
        touched.sort_by(|a, b| a.logical.cmp(&b.logical));
    }
    let is_last = |index: &usize| {
        touched.get(index + 1).is_none_or(|next| next.logical != touched[*index].logical)
    };
    let last: Vec<usize> = (0..touched.len()).filter(is_last).collect();
    let note = commit.note.unwrap_or_default();
    let mut hasher = Sha256::new();
    hasher.update(commit.before);
    hasher.update(commit.seq.to_le_bytes());
    hasher.update(commit.time.as_nanos().to_le_bytes());
    hasher.update((note.len() as u32).to_le_bytes());
    hasher.update(note);
    hasher.update((last.len() as u32).to_le_bytes());
    for index in last {
        let touched = &touched[index];
        hasher.update([if touched.value.is_some() { 1 } else { 2 }]);
        hash_name(&mut hasher, &touched.logical);
        if let Some(digest) = touched.value {
            hasher.update(digest);
        }
    }
    let mut hash = HistoryHash::default();
    hash.copy_from_slice(&hasher.finalize()[..16]);
    hash
}

/// The record's name: family, length, and what names it there.
fn hash_name(hasher: &mut Sha256, logical: &[u8]) {
    if let Ok(key) = keys::raw_app_key(logical) {
        return hash_parts(hasher, 1, &[&key]);
    }
    match keys::decode_logical(logical) {
        Ok(LogicalKey::Cell(coord)) => hash_parts(hasher, 2, &[&axial(coord)]),
        Ok(LogicalKey::Facet(coord, id)) => hash_parts(hasher, 3, &[&axial(coord), &[id]]),
        Ok(LogicalKey::Edge(from, to, relation)) => {
            hash_parts(hasher, 4, &[&axial(from), &axial(to), relation.as_bytes()]);
        }
        Ok(LogicalKey::Seam(id)) => hash_parts(hasher, 5, &[&id.to_bytes()]),
        _ => {}
    }
}

fn hash_parts(hasher: &mut Sha256, family: u8, parts: &[&[u8]]) {
    hasher.update([family]);
    hasher.update((parts.iter().map(|part| part.len()).sum::<usize>() as u32).to_le_bytes());
    for part in parts {
        hasher.update(part);
    }
}

/// q and r of a coordinate.
fn axial(coord: Coord) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&coord.q().to_le_bytes());
    bytes[4..].copy_from_slice(&coord.r().to_le_bytes());
    bytes
}
