//! Every row of the trees in readable form.

use std::sync::Arc;

use crate::btree;
use crate::bytes::Bytes;
use crate::core::Core;
use crate::error::Result;
use crate::format::slotted::KeyBuf;
use crate::keys::decode_physical;
use crate::timeline::{Root, is_tombstone, read_value};

/// A row as it lies in the trees.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DumpRow {
    /// The logical key, readable: `cell/(3,1)`, `raw/name`, `__meta/commit/7`.
    pub key: String,
    /// The commit that wrote it, in format v2.
    pub seq: Option<u64>,
    /// Whether it says that the record was deleted.
    pub tombstone: bool,
    /// Its encoded value; empty for a tombstone.
    pub value: Bytes,
}

impl std::fmt::Display for DumpRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key)?;
        if let Some(seq) = self.seq {
            write!(f, "#{seq}")?;
        }
        Ok(())
    }
}

/// All rows of one state: the timeline, then the records, in key order. Ends after an error.
pub struct Dump {
    core: Arc<Core>,
    root: Arc<Root>,
    in_records: bool,
    /// Rows from this key on are still to come.
    next: Option<KeyBuf>,
}

impl Dump {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let root = core.group.load_full();
        Self { core, root, in_records: false, next: Some(KeyBuf::new()) }
    }

    fn read(&mut self) -> Result<Option<DumpRow>> {
        self.core.check_open()?;
        loop {
            let Some(key) = self.next.take() else { return Ok(None) };
            let tree = if self.in_records { &self.root.records } else { &self.root.meta };
            if let Some(found) = btree::lower_bound(&self.core.pager, tree, &key)? {
                let mut key = found.leaf.keys.key(found.index);
                let row = self.row(&found, &key)?;
                key.push(0);
                self.next = Some(key);
                return Ok(Some(row));
            }
            if std::mem::replace(&mut self.in_records, true) {
                return Ok(None);
            }
            self.next = Some(KeyBuf::new());
        }
    }

    fn row(&self, found: &btree::Found, key: &[u8]) -> Result<DumpRow> {
        let pager = &self.core.pager;
        let physical = decode_physical(key, self.core.limits.mvcc)
            .map_err(|error| error.at(pager.file.path(), 0))?;
        let tombstone = is_tombstone(pager, &found.leaf, found.index)?;
        let value = if tombstone {
            Bytes::from(Vec::new())
        } else {
            read_value(pager, &found.leaf, found.index)?
        };
        Ok(DumpRow { key: physical.logical.to_string(), seq: physical.seq, tombstone, value })
    }
}

impl Iterator for Dump {
    type Item = Result<DumpRow>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl std::iter::FusedIterator for Dump {}
