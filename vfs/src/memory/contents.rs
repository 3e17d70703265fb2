//! The bytes of one file in memory: a table of fixed blocks, absent where nothing was written.
//!
//! Bytes past the length are zero in every block, so that growing the file needs no clearing.

use std::collections::TryReserveError;

const BLOCK_BYTES: usize = 64 * 1024;

type Block = Box<[u8; BLOCK_BYTES]>;

#[derive(Default)]
pub(super) struct Contents {
    len_bytes: u64,
    blocks: Vec<Option<Block>>,
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contents").field("len_bytes", &self.len_bytes).finish_non_exhaustive()
    }
}

/// Splits `count` bytes at `offset` into (block, start in block, bytes in block).
fn pieces(offset: u64, count: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let (mut block, mut start, mut left) =
        ((offset / BLOCK_BYTES as u64) as usize, (offset % BLOCK_BYTES as u64) as usize, count);
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let piece = (block, start, left.min(BLOCK_BYTES - start));
        (block, start, left) = (block + 1, 0, left - piece.2);
        Some(piece)
    })
}

impl Contents {
    pub(super) fn len(&self) -> u64 {
        self.len_bytes
    }

    /// Fills `buf` as far as the file goes; returns the bytes filled.
    pub(super) fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        let count = self.len_bytes.saturating_sub(offset).min(buf.len() as u64) as usize;
        let mut rest = &mut buf[..count];
        for (block, start, bytes) in pieces(offset, count) {
            let (head, tail) = rest.split_at_mut(bytes);
            match self.blocks.get(block).and_then(Option::as_ref) {
                Some(block) => head.copy_from_slice(&block[start..start + bytes]),
                None => head.fill(0),
            }
            rest = tail;
        }
        count
    }

    /// Writes all of `data`; the caller has checked that `offset + data.len()` fits.
    ///
    /// # Errors
    /// When there is no memory for the table of blocks.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), TryReserveError> {
        let end = offset + data.len() as u64;
        let blocks = usize::try_from(end.div_ceil(BLOCK_BYTES as u64)).unwrap_or(usize::MAX);
        if blocks > self.blocks.len() {
            self.blocks.try_reserve(blocks - self.blocks.len())?;
            self.blocks.resize_with(blocks, || None);
        }
        let mut rest = data;
        for (block, start, bytes) in pieces(offset, data.len()) {
            let (head, tail) = rest.split_at(bytes);
            let block = self.blocks[block].get_or_insert_with(new_block);
            block[start..start + bytes].copy_from_slice(head);
            rest = tail;
        }
        self.len_bytes = self.len_bytes.max(end);
        Ok(())
    }

    /// Cuts, or extends with zeros that take no memory.
    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len_bytes {
            let keep = len.div_ceil(BLOCK_BYTES as u64) as usize;
            self.blocks.truncate(keep);
            let start = (len % BLOCK_BYTES as u64) as usize;
            if start > 0
                && let Some(Some(last)) = self.blocks.get_mut(keep - 1)
            {
                last[start..].fill(0);
            }
        }
        self.len_bytes = len;
    }
}

/// A zeroed block made on the heap: 64 KiB would be a lot for the stack of a small thread.
fn new_block() -> Block {
    match vec![0; BLOCK_BYTES].into_boxed_slice().try_into() {
        Ok(block) => block,
        Err(_) => unreachable!("the slice has the length of a block"),
    }
}
