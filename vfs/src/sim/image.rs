//! The bytes of one view of one file, in chunks that copies share until they are written to.
//!
//! Cloning costs one reference count per 4 KiB. Bytes past the length are zero, and an absent
//! chunk is a chunk of zeros. Each chunk remembers its hash, so hashing an image again costs
//! only what changed.

use std::sync::{Arc, OnceLock};

use xxhash_rust::xxh3::xxh3_128;

pub(super) const CHUNK_BYTES: usize = 4096;

#[derive(Debug)]
struct Chunk {
    bytes: [u8; CHUNK_BYTES],
    hash: OnceLock<u128>,
}

impl Chunk {
    /// 0 for a chunk of zeros, as for an absent one.
    fn hash(&self) -> u128 {
        *self.hash.get_or_init(|| {
            if self.bytes == [0; CHUNK_BYTES] { 0 } else { xxh3_128(&self.bytes) | 1 }
        })
    }
}

impl Clone for Chunk {
    /// The copy is made to be written to, so it does not inherit the hash.
    fn clone(&self) -> Self {
        Self { bytes: self.bytes, hash: OnceLock::new() }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pub(super) len_bytes: u64,
    chunks: Vec<Option<Arc<Chunk>>>,
}

/// Splits `count` bytes at `offset` into (chunk, start in chunk, bytes in chunk).
fn pieces(offset: u64, count: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let (mut chunk, mut start, mut left) =
        ((offset / CHUNK_BYTES as u64) as usize, (offset % CHUNK_BYTES as u64) as usize, count);
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let piece = (chunk, start, left.min(CHUNK_BYTES - start));
        (chunk, start, left) = (chunk + 1, 0, left - piece.2);
        Some(piece)
    })
}

impl Image {
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut image = Self::default();
        image.put(0, bytes);
        image.len_bytes = bytes.len() as u64;
        image
    }

    /// Fills `buf` whatever the length; zeros where nothing was written.
    pub(super) fn get(&self, offset: u64, buf: &mut [u8]) {
        let mut rest = buf;
        for (chunk, start, bytes) in pieces(offset, rest.len()) {
            let (head, tail) = rest.split_at_mut(bytes);
            match self.chunks.get(chunk).and_then(Option::as_ref) {
                Some(chunk) => head.copy_from_slice(&chunk.bytes[start..start + bytes]),
                None => head.fill(0),
            }
            rest = tail;
        }
    }

    /// Bytes that a read of `count` bytes at `offset` finds before the end.
    pub(super) fn readable(&self, offset: u64, count: usize) -> usize {
        self.len_bytes.saturating_sub(offset).min(count as u64) as usize
    }

    /// The whole contents.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len_bytes as usize];
        self.get(0, &mut bytes);
        bytes
    }

    /// Stores bytes without touching the length.
    pub(super) fn put(&mut self, offset: u64, data: &[u8]) {
        let mut rest = data;
        for (chunk, start, bytes) in pieces(offset, data.len()) {
            let (head, tail) = rest.split_at(bytes);
            self.chunk_mut(chunk)[start..start + bytes].copy_from_slice(head);
            rest = tail;
        }
    }

    /// Stores zeros without touching the length; makes no chunk for them.
    pub(super) fn put_zeros(&mut self, offset: u64, count: u64) {
        let end = (offset + count).min(self.chunks.len() as u64 * CHUNK_BYTES as u64);
        let count = end.saturating_sub(offset) as usize;
        for (chunk, start, bytes) in pieces(offset, count) {
            if self.chunks[chunk].is_none() {
                continue;
            }
            if bytes == CHUNK_BYTES {
                self.chunks[chunk] = None;
            } else {
                self.chunk_mut(chunk)[start..start + bytes].fill(0);
            }
        }
    }

    /// Copies a range from another image, without touching the length.
    pub(super) fn copy_from(&mut self, other: &Self, offset: u64, count: u64) {
        let mut buf = [0; CHUNK_BYTES];
        let end = offset + count;
        let mut at = offset;
        while at < end {
            let bytes = (end - at).min(CHUNK_BYTES as u64) as usize;
            other.get(at, &mut buf[..bytes]);
            self.put(at, &buf[..bytes]);
            at += bytes as u64;
        }
    }

    /// Sets the length and drops every byte past it.
    pub(super) fn cut(&mut self, len: u64) {
        self.len_bytes = len;
        let keep = len.div_ceil(CHUNK_BYTES as u64) as usize;
        self.chunks.truncate(keep);
        let start = (len % CHUNK_BYTES as u64) as usize;
        if start > 0 && self.chunks.len() == keep && self.chunks[keep - 1].is_some() {
            self.chunk_mut(keep - 1)[start..].fill(0);
        }
    }

    fn chunk_mut(&mut self, index: usize) -> &mut [u8; CHUNK_BYTES] {
        if index >= self.chunks.len() {
            self.chunks.resize_with(index + 1, || None);
        }
        let chunk = self.chunks[index].get_or_insert_with(|| {
            Arc::new(Chunk { bytes: [0; CHUNK_BYTES], hash: OnceLock::new() })
        });
        let chunk = Arc::make_mut(chunk);
        chunk.hash.take();
        &mut chunk.bytes
    }

    /// A hash of length and bytes, added to `buf` in the form (length, then index and hash of
    /// each chunk that is not all zeros).
    pub(super) fn hash_into(&self, buf: &mut Vec<u8>) {
        buf.extend_from_slice(&self.len_bytes.to_le_bytes());
        for (index, chunk) in self.chunks.iter().enumerate() {
            let hash = chunk.as_ref().map_or(0, |chunk| chunk.hash());
            if hash != 0 {
                buf.extend_from_slice(&(index as u64).to_le_bytes());
                buf.extend_from_slice(&hash.to_le_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(image: &Image) -> u128 {
        let mut buf = Vec::new();
        image.hash_into(&mut buf);
        xxh3_128(&buf)
    }

    #[test]
    fn copies_share_nothing_that_is_written_later() {
        let original = Image::from_bytes(&[7; 10_000]);
        let before = hash(&original);
        let mut copy = original.clone();
        assert_eq!(hash(&copy), before);
        copy.put(4095, b"xy");
        assert_ne!(hash(&copy), before, "a cached hash must not outlive its bytes");
        assert_eq!(hash(&original), before);
        assert_eq!(original.to_vec(), vec![7; 10_000]);
        copy.put(4095, &[7, 7]);
        assert_eq!(hash(&copy), before);
    }

    #[test]
    fn zeros_hash_alike_however_they_came() {
        let mut holes = Image::default();
        holes.cut(20_000);
        let mut written = Image::from_bytes(&vec![0; 20_000]);
        assert_eq!(hash(&holes), hash(&written));
        written.put(9_000, b"z");
        assert_ne!(hash(&holes), hash(&written));
        written.put_zeros(8_999, 3);
        assert_eq!(hash(&holes), hash(&written));
    }

    #[test]
    fn a_cut_forgets_what_was_past_it() {
        let mut image = Image::from_bytes(&[1; 9_000]);
        image.cut(5_000);
        image.len_bytes = 9_000;
        let bytes = image.to_vec();
        assert!(bytes[..5_000].iter().all(|&b| b == 1));
        assert!(bytes[5_000..].iter().all(|&b| b == 0));
    }
}
