//! A large value lies outside its leaf, in runs of overflow pages. The leaf keeps a reference:
//!
//! ```text
//!  0  length    u32   bytes of the value
//!  4  birth     u64   first frame of the transaction that wrote it
//! 12  checksum  16 B  xxh3-128 over the value
//! 28  extents   u8    at most 4
//! 29  extents:  first page u64, pages u32
//! ```
//!
//! Every overflow page has the common page header, so that it can be checked alone; the rest of
//! it is value.

use smallvec::SmallVec;

use super::FormatResult;
use super::bytes::Reader;
use super::free_list::Extent;
use super::header::first_page;
use super::page::PAGE_HEADER_BYTES;
use crate::ids::{Checksum, PageNo};

/// Most runs that one value may lie in.
pub(crate) const MAX_EXTENTS: usize = 4;

/// Bytes of value in one overflow page.
pub(crate) fn payload_bytes(page_size: usize) -> usize {
    page_size - PAGE_HEADER_BYTES
}

/// Pages that a value of this length needs.
pub(crate) fn pages_for(value_len: usize, page_size: usize) -> u64 {
    value_len.div_ceil(payload_bytes(page_size)) as u64
}

/// Where a large value lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OverflowRef {
    pub(crate) len: u32,
    pub(crate) birth: u64,
    pub(crate) checksum: Checksum,
    pub(crate) extents: SmallVec<[Extent; MAX_EXTENTS]>,
}

impl OverflowRef {
    /// The reference as it stands in a leaf.
    pub(crate) fn encode(&self) -> SmallVec<[u8; 80]> {
        let mut out = SmallVec::new();
        out.extend_from_slice(&self.len.to_le_bytes());
        out.extend_from_slice(&self.birth.to_le_bytes());
        out.extend_from_slice(&self.checksum);
        out.push(self.extents.len() as u8);
        for extent in &self.extents {
            out.extend_from_slice(&extent.start.0.to_le_bytes());
            out.extend_from_slice(&(extent.pages as u32).to_le_bytes());
        }
        out
    }

    /// Reads a reference whose pages must be just those that the length needs.
    pub(crate) fn decode(bytes: &[u8], page_size: usize) -> FormatResult<Self> {
        let mut reader = Reader::new(bytes);
        let (len, birth, checksum) = (reader.u32()?, reader.u64()?, reader.array()?);
        let count = usize::from(reader.u8()?);
        if count > MAX_EXTENTS {
            return Err(format!("a value in {count} runs"));
        }
        let mut extents = SmallVec::new();
        let mut pages = 0;
        for _ in 0..count {
            let extent = Extent { start: PageNo(reader.u64()?), pages: u64::from(reader.u32()?) };
            if extent.pages == 0 || extent.start.0 < first_page(page_size) {
                return Err(format!("a run of a value is {extent:?}"));
            }
            pages += extent.pages;
            extents.push(extent);
        }
        if !reader.is_empty() || pages != pages_for(len as usize, page_size) {
            return Err(format!("a value of {len} bytes in {pages} pages"));
        }
        Ok(Self { len, birth, checksum, extents })
    }

    /// The pages in order.
    pub(crate) fn pages(&self) -> impl Iterator<Item = PageNo> + '_ {
        self.extents.iter().flat_map(|extent| {
            (extent.start.0..extent.start.0.saturating_add(extent.pages)).map(PageNo)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(runs: &[(u64, u64)]) -> OverflowRef {
        let extent = |&(start, pages)| Extent { start: PageNo(start), pages };
        let extents = runs.iter().map(extent).collect();
        OverflowRef { len: 3 * payload_bytes(4096) as u32, birth: 7, checksum: [8; 16], extents }
    }

    #[test]
    fn only_runs_of_pages_behind_the_header_are_read_back() {
        for runs in [&[(4, 3)][..], &[(9, 2), (4, 1)]] {
            let right = reference(runs);
            assert_eq!(OverflowRef::decode(&right.encode(), 4096), Ok(right));
        }
        for runs in [&[(3, 3)][..], &[(0, 3)], &[(9, 3), (20, 0)], &[(9, 2)], &[(9, 4)], &[]] {
            assert!(OverflowRef::decode(&reference(runs).encode(), 4096).is_err(), "{runs:?}");
        }
    }
}
