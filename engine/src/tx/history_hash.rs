//! What a transaction's history hash is made of.

use crate::chain::{Chain, ChainedCommit};
use crate::ids::HistoryHash;
use crate::keys::KeyBuf;

/// A record that the transaction touched.
#[derive(Debug)]
pub(super) struct Touched {
    pub(super) logical: KeyBuf,
    /// SHA-256 of the value put last; `None` for a delete.
    pub(super) value: Option<[u8; 32]>,
}

/// Puts the records in the order of their keys, each once: the last of several of one name
/// counts.
pub(super) fn net(touched: &mut Vec<Touched>) {
    if !touched.is_sorted_by(|a, b| a.logical <= b.logical) {
        touched.sort_by(|a, b| a.logical.cmp(&b.logical));
    }
    touched.dedup_by(|later, kept| {
        let same = later.logical == kept.logical;
        if same {
            kept.value = later.value;
        }
        same
    });
}

/// The hash of a commit that touched these records, which are net.
pub(super) fn history_hash(commit: &ChainedCommit<'_>, touched: &[Touched]) -> HistoryHash {
    let mut chain = Chain::begin(commit);
    for record in touched {
        chain.record(&record.logical, record.value.as_ref());
    }
    chain.finish()
}
