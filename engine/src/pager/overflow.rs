//! Large values in their overflow pages.

use super::cache::Pager;
use super::space::Owner;
use crate::error::Result;
use crate::format::free_list::Extent;
use crate::format::overflow::{MAX_EXTENTS, OverflowRef, pages_for, payload_bytes};
use crate::format::page::{self, PAGE_HEADER_BYTES, PageType};
use crate::ids::PageNo;
use crate::probe::{self, Probe};
use crate::sync::lock;

/// Most bytes of pages that are put together before they are written.
const CHUNK_BYTES: usize = 256 << 10;

impl Pager {
    /// Writes a value to overflow pages of the running transaction.
    pub(crate) fn write_overflow(&self, value: &[&[u8]], birth: u64) -> Result<OverflowRef> {
        let len: usize = value.iter().map(|part| part.len()).sum();
        let pages = pages_for(len, self.page_size);
        let (extents, end) = {
            let mut space = lock(&self.space);
            let extents = space.allocate_runs(Owner::Transaction, pages, MAX_EXTENTS);
            (extents, space.end())
        };
        probe::hit(Probe::OverflowWritten);
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        for part in value {
            hasher.update(part);
        }
        let reference = OverflowRef {
            len: len as u32,
            birth,
            checksum: hasher.digest128().to_le_bytes(),
            extents: extents.iter().copied().collect(),
        };
        self.reserve(end, &extents)?;
        if let Err(error) = self.write_value(&reference, value) {
            let mut space = lock(&self.space);
            for extent in extents {
                space.give_back(extent);
            }
            return Err(error);
        }
        Ok(reference)
    }

    fn write_value(&self, reference: &OverflowRef, value: &[&[u8]]) -> Result<()> {
        let payload = payload_bytes(self.page_size);
        let mut bytes = value.iter().flat_map(|part| part.chunks(payload)).peekable();
        let mut carry: Vec<u8> = Vec::with_capacity(2 * payload);
        for extent in &reference.extents {
            let mut chunk = Vec::new();
            let mut first = extent.start;
            for number in extent.start.0..extent.start.0 + extent.pages {
                while carry.len() < payload
                    && let Some(part) = bytes.next()
                {
                    carry.extend_from_slice(part);
                }
                let taken = carry.len().min(payload);
                let at = chunk.len();
                chunk.resize(at + self.page_size, 0);
                let page_bytes = &mut chunk[at..];
                page_bytes[PAGE_HEADER_BYTES..PAGE_HEADER_BYTES + taken]
                    .copy_from_slice(&carry[..taken]);
                carry.drain(..taken);
                page::seal(page_bytes, PageType::Overflow, PageNo(number));
                if chunk.len() >= CHUNK_BYTES {
                    self.write_run(first, &chunk)?;
                    chunk.clear();
                    first = PageNo(number + 1);
                }
            }
            self.write_run(first, &chunk)?;
        }
        Ok(())
    }

    /// Reads a value from its overflow pages.
    pub(crate) fn read_overflow(&self, reference: &OverflowRef) -> Result<Vec<u8>> {
        let first = reference.extents.first().map_or(PageNo::NONE, |extent| extent.start);
        let end = lock(&self.space).end();
        let mut value = Vec::new();
        for extent in &reference.extents {
            if extent.start.0.saturating_add(extent.pages) > end {
                return Err(self.corrupt(extent.start, "overflow pages past the end of the file"));
            }
            let bytes = self.read_run(extent.start, extent.pages)?;
            for chunk in bytes.chunks_exact(self.page_size) {
                let rest = reference.len as usize - value.len();
                let len = payload_bytes(self.page_size).min(rest);
                value.extend_from_slice(&chunk[PAGE_HEADER_BYTES..PAGE_HEADER_BYTES + len]);
            }
        }
        if xxhash_rust::xxh3::xxh3_128(&value).to_le_bytes() == reference.checksum {
            return Ok(value);
        }
        self.check_overflow_pages(reference)?;
        Err(self.corrupt(first, "the pages of a value are intact but hold another value"))
    }

    /// Checks each overflow page by its own header.
    pub(crate) fn check_overflow_pages(&self, reference: &OverflowRef) -> Result<()> {
        for page in reference.pages() {
            let bytes = self.read_run(page, 1)?;
            let found =
                page::verify_alone(&bytes, page).map_err(|what| self.corrupt(page, what))?;
            if found != PageType::Overflow as u8 {
                return Err(
                    self.corrupt(page, format!("page {page} has type {found}, not overflow"))
                );
            }
        }
        Ok(())
    }

    /// Makes sure that the file can hold `end` pages; where it cannot, the pages that were
    /// allocated for it are given back.
    pub(crate) fn reserve(&self, end: u64, allocated: &[Extent]) -> Result<()> {
        if self.overlay.is_some() {
            return Ok(());
        }
        let wanted = PageNo(end).offset(self.page_size);
        let grow = |len| if len < wanted { self.file.allocate(wanted) } else { Ok(()) };
        let len = self.file.len();
        let pages = len.as_ref().map_or(end, |len| len / self.page_size as u64);
        len.and_then(grow).map_err(|error| {
            lock(&self.space).withdraw(allocated, pages);
            error.into()
        })
    }
}
