//! A page of the free list: extents of free pages, and where the next such page is.
//!
//! ```text
//! 64  next page  u64   0: this is the last one
//! 72  checksum   16 B  of the next page
//! 88  extents    u32
//! 92  …          zero to 96
//! 96  extents:   first page u64, pages u64
//! ```

use super::FormatResult;
use super::bytes::{Reader, put};
use super::page::PAGE_HEADER_BYTES;
use crate::ids::{Checksum, PageNo};

const BASE: usize = 96;
const EXTENT_BYTES: usize = 16;

/// A run of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Extent {
    pub(crate) start: PageNo,
    pub(crate) pages: u64,
}

impl Extent {
    /// A run of one page.
    pub(crate) fn one(page: PageNo) -> Self {
        Self { start: page, pages: 1 }
    }
}

/// One page of the list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FreeListPage {
    pub(crate) next: PageNo,
    pub(crate) next_checksum: Checksum,
    pub(crate) extents: Vec<Extent>,
}

impl FreeListPage {
    /// Extents that one page holds.
    pub(crate) fn capacity(page_size: usize) -> usize {
        (page_size - BASE) / EXTENT_BYTES
    }

    /// Writes the page; the extents are known to fit.
    pub(crate) fn encode(&self, page_size: usize) -> Box<[u8]> {
        let mut page = vec![0; page_size].into_boxed_slice();
        put(&mut page, PAGE_HEADER_BYTES, &self.next.0.to_le_bytes());
        put(&mut page, 72, &self.next_checksum);
        put(&mut page, 88, &(self.extents.len() as u32).to_le_bytes());
        for (index, extent) in self.extents.iter().enumerate() {
            let at = BASE + index * EXTENT_BYTES;
            put(&mut page, at, &extent.start.0.to_le_bytes());
            put(&mut page, at + 8, &extent.pages.to_le_bytes());
        }
        page
    }

    /// Reads a verified page of a file of `page_count` pages whose first pages are not free.
    pub(crate) fn decode(page: &[u8], first: u64, page_count: u64) -> FormatResult<Self> {
        let mut reader = Reader::new(page.get(PAGE_HEADER_BYTES..).ok_or("short page")?);
        let next = PageNo(reader.u64()?);
        let next_checksum = reader.array()?;
        let count = reader.u32()? as usize;
        reader.u32()?;
        if count > Self::capacity(page.len()) {
            return Err(format!("{count} extents in one page of the free list"));
        }
        let mut extents: Vec<Extent> = Vec::with_capacity(count);
        for _ in 0..count {
            let extent = Extent { start: PageNo(reader.u64()?), pages: reader.u64()? };
            let end = extent.start.0.checked_add(extent.pages);
            if extent.pages == 0 || extent.start.0 < first || end.is_none_or(|end| end > page_count)
            {
                return Err(format!("free extent {extent:?} in a file of {page_count} pages"));
            }
            // Two that overlap would give a page away twice.
            if extents.last().is_some_and(|last| last.start.0 + last.pages >= extent.start.0) {
                return Err(format!("free extent {extent:?} is out of order"));
            }
            extents.push(extent);
        }
        Ok(Self { next, next_checksum, extents })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(extents: &[(u64, u64)]) -> FormatResult<FreeListPage> {
        let extents = extents.iter().map(|&(start, pages)| Extent { start: PageNo(start), pages });
        let list =
            FreeListPage { next: PageNo(9), next_checksum: [3; 16], extents: extents.collect() };
        let found = FreeListPage::decode(&list.encode(512), 32, 100)?;
        assert_eq!(found, list);
        Ok(found)
    }

    #[test]
    fn extents_ascend_lie_in_the_file_and_do_not_touch() {
        for right in [&[][..], &[(32, 68)], &[(32, 1), (34, 2), (99, 1)]] {
            read_back(right).unwrap();
        }
        for wrong in [
            &[(31, 2)][..],
            &[(99, 2)],
            &[(40, 0)],
            &[(40, u64::MAX)],
            &[(40, 2), (42, 1)],
            &[(40, 2), (41, 5)],
            &[(40, 2), (40, 2)],
            &[(40, 2), (33, 1)],
        ] {
            assert!(read_back(wrong).is_err(), "{wrong:?}");
        }
    }
}
