//! Whether indexes and records agree, at every snapshot that can be read and in both directions,
//! and whether pruning has left something behind.

use std::sync::Arc;

use super::{FindingKind, Walk};
use crate::bytes::Bytes;
use crate::error::Result;
use crate::ids::PageNo;
use crate::index::{self, IndexKeys};
use crate::keys::{self, LogicalKey};
use crate::pager::Node;
use crate::timeline::{Source, newest_at};
use crate::tx::decoded;

/// A row of a record or an index.
pub(super) struct Version<'a> {
    pub(super) logical: &'a [u8],
    pub(super) seq: u64,
    /// `None` for a tombstone.
    pub(super) value: Option<Bytes>,
    /// The next newer version of the same, if there is one.
    pub(super) superseded_by: Option<u64>,
}

impl Walk<'_> {
    pub(super) fn check_version(&mut self, leaf: &Arc<Node>, row: &Version<'_>) {
        let page = leaf.disk.get().map_or(PageNo::NONE, |disk| disk.page);
        let is_record = self.root.families.iter().any(|count| count.family == row.logical[0]);
        let root = self.root;
        let hidden = |floor: u64| row.superseded_by.is_some_and(|newer| newer <= floor);
        if hidden(root.pruned) || row.value.is_none() && row.seq < root.pruned {
            let what = format!("a version of commit {} that no snapshot sees is left", row.seq);
            self.add(page, FindingKind::Unpruned, what);
        }
        if hidden(root.floor) {
            return;
        }
        // The first snapshot that can be read and sees this version.
        let seq = row.seq.max(root.floor);
        let source = self.core.source(root);
        let agrees = if is_record {
            let newer = std::mem::take(&mut self.seen.newer_index);
            let newer = row.superseded_by.map(|seq| (seq, &newer));
            index_of(&source, row).and_then(|index| {
                let agrees = is_indexed(&source, &index, seq, newer);
                self.seen.newer_index = index;
                agrees
            })
        } else {
            is_meant(&source, row.logical, row.value.is_some(), seq)
        };
        // What cannot be read is told where it lies.
        if let Ok(false) = agrees {
            let shown = keys::decode_logical(row.logical).map(|key| key.to_string());
            let what = format!(
                "{} and its index disagree at commit {seq} or after",
                shown.unwrap_or_else(|_| "a row".into())
            );
            self.add(page, FindingKind::Index, what);
        }
    }
}

/// The index rows of a version.
fn index_of(source: &Source<'_>, row: &Version<'_>) -> Result<IndexKeys> {
    match &row.value {
        Some(value) => decoded(source.pager, index::of_record(row.logical, value)),
        None => Ok(IndexKeys::new()),
    }
}

/// Whether every index row of a version is visible where the version begins to be, and hidden
/// where the next newer one, if it does not have it, takes its place.
fn is_indexed(
    source: &Source<'_>,
    index: &IndexKeys,
    seq: u64,
    newer: Option<(u64, &IndexKeys)>,
) -> Result<bool> {
    for key in index {
        let visible = |seq| -> Result<bool> {
            Ok(newest_at(source, key, seq)?.is_some_and(|row| !row.tombstone))
        };
        if !visible(seq)? {
            return Ok(false);
        }
        if let Some((newer_seq, newer_index)) = newer
            && newer_index.binary_search(key).is_err()
            && visible(newer_seq)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an index row is visible just where a record has it.
fn is_meant(source: &Source<'_>, logical: &[u8], visible: bool, seq: u64) -> Result<bool> {
    let record = match decoded(source.pager, keys::decode_logical(logical))? {
        LogicalKey::CellByTag(_, coord)
        | LogicalKey::CellBySource(_, coord)
        | LogicalKey::CellByWeek(_, coord) => keys::cell_key(coord),
        LogicalKey::EdgeByTarget(to, from, relation) => keys::edge_key(from, to, &relation),
        LogicalKey::SeamByCell(_, id)
        | LogicalKey::SeamBySource(_, id)
        | LogicalKey::SeamByWeek(_, id) => keys::seam_key(id),
        _ => return Ok(false),
    };
    let value = match newest_at(source, &record, seq)? {
        Some(row) => source.value(&row)?,
        None => None,
    };
    let indexed = match value {
        Some(value) => decoded(source.pager, index::of_record(&record, &value))?,
        None => IndexKeys::new(),
    };
    Ok(indexed.iter().any(|key| key[..] == *logical) == visible)
}
