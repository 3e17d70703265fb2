//! The history hash of a commit: SHA-256 over the hash before and the transaction's net content,
//! in the order of keys. Index rows are not part of it: they follow from the records.

use sha2::{Digest, Sha256};

use crate::ids::HistoryHash;
use crate::keys::{self, LogicalKey};
use crate::lattice::Coord;
use crate::record::RecordId;
use crate::time::Timestamp;

/// What a commit is, beside its records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChainedCommit<'a> {
    pub(crate) before: HistoryHash,
    pub(crate) seq: u64,
    pub(crate) time: Timestamp,
    pub(crate) note: Option<&'a str>,
    /// How many records it touched.
    pub(crate) records: u32,
}

/// A history hash while the commit's records are told one after the other.
pub(crate) struct Chain(Sha256);

impl Chain {
    /// Begins with the commit.
    pub(crate) fn begin(commit: &ChainedCommit<'_>) -> Self {
        let note = commit.note.unwrap_or_default();
        let mut hasher = Sha256::new();
        hasher.update(commit.before);
        hasher.update(commit.seq.to_le_bytes());
        hasher.update(commit.time.as_nanos().to_le_bytes());
        hasher.update((note.len() as u32).to_le_bytes());
        hasher.update(note);
        hasher.update(commit.records.to_le_bytes());
        Self(hasher)
    }

    /// The next record, by its logical key, with SHA-256 of its value; `None` for a delete.
    pub(crate) fn record(&mut self, logical: &[u8], value: Option<&[u8; 32]>) {
        self.op(value);
        if let Ok(key) = keys::raw_app_key(logical) {
            self.name(1, &[&key]);
        } else {
            match keys::decode_logical(logical) {
                Ok(LogicalKey::Cell(coord)) => self.name(2, &[&axial(coord)]),
                Ok(LogicalKey::Facet(coord, id)) => self.name(3, &[&axial(coord), &[id]]),
                Ok(LogicalKey::Edge(from, to, relation)) => {
                    self.name(4, &[&axial(from), &axial(to), relation.as_bytes()]);
                }
                Ok(LogicalKey::Seam(id)) => self.name(5, &[&id.to_bytes()]),
                _ => {}
            }
        }
        self.value(value);
    }

    /// The next record, by its name.
    pub(crate) fn named(&mut self, id: &RecordId, value: Option<&[u8; 32]>) {
        self.op(value);
        match id {
            RecordId::Raw(key) => self.name(1, &[key]),
            RecordId::Cell(coord) => self.name(2, &[&axial(*coord)]),
            RecordId::Facet(coord, id) => self.name(3, &[&axial(*coord), &[id.get()]]),
            RecordId::Edge(edge) => {
                self.name(4, &[&axial(edge.from), &axial(edge.to), edge.relation.as_bytes()]);
            }
            RecordId::Seam(id) => self.name(5, &[&id.to_bytes()]),
        }
        self.value(value);
    }

    /// The hash.
    pub(crate) fn finish(self) -> HistoryHash {
        let mut hash = HistoryHash::default();
        hash.copy_from_slice(&self.0.finalize()[..16]);
        hash
    }

    fn op(&mut self, value: Option<&[u8; 32]>) {
        self.0.update([if value.is_some() { 1 } else { 2 }]);
    }

    /// The family, the length of what names the record there, and that.
    fn name(&mut self, family: u8, parts: &[&[u8]]) {
        self.0.update([family]);
        let len: usize = parts.iter().map(|part| part.len()).sum();
        self.0.update((len as u32).to_le_bytes());
        for part in parts {
            self.0.update(part);
        }
    }

    fn value(&mut self, value: Option<&[u8; 32]>) {
        if let Some(digest) = value {
            self.0.update(digest);
        }
    }
}

/// q and r of a coordinate.
fn axial(coord: Coord) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&coord.q().to_le_bytes());
    bytes[4..].copy_from_slice(&coord.r().to_le_bytes());
    bytes
}
