//! Limits that follow from the page size and the format, and the bounds of the lattice.

use crate::keys::{RAW_KEY_OVERHEAD_BYTES, SEQ_BYTES};

/// Limits that follow from the page size and the format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TreeLimits {
    pub(crate) mvcc: bool,
    pub(crate) max_value_bytes: usize,
    pub(crate) max_raw_key_bytes: usize,
}

impl TreeLimits {
    /// Raw keys are at most 1 KiB escaped, 900 bytes at 4 KiB pages; in the tree a key takes at
    /// most a quarter of a page.
    pub(crate) fn new(mvcc: bool, page_size: usize, max_value_bytes: usize) -> Self {
        let quarter = page_size / 4 - RAW_KEY_OVERHEAD_BYTES;
        let max_raw_key_bytes = if page_size == 4096 { 900 } else { quarter.min(1024) };
        Self { mvcc, max_value_bytes, max_raw_key_bytes }
    }

    /// Most bytes of a logical key.
    pub(crate) fn max_logical_bytes(&self) -> usize {
        self.max_key_bytes() - SEQ_BYTES
    }

    /// Most bytes of a key in the tree.
    pub(crate) fn max_key_bytes(&self) -> usize {
        self.max_raw_key_bytes + RAW_KEY_OVERHEAD_BYTES
    }
}
