//! The pages that a header names: the catalogue, and the free list as a chain of pages.

use super::cache::Pager;
use super::space::{Owner, Space};
use super::write_out::WriteError;
use crate::error::Result;
use crate::format::catalog::Catalog;
use crate::format::free_list::{Extent, FreeListPage};
use crate::format::header::{Header, first_page};
use crate::format::page::{self, PageType};
use crate::ids::{Checksum, FrameNo, PageNo};
use crate::sync::lock;

/// Allocates the catalogue's page and as many as the free list needs.
fn plan_roots(space: &mut Space, page_size: usize, frame: FrameNo) -> (Vec<PageNo>, Vec<Extent>) {
    let mut pages = vec![space.allocate_page(Owner::Checkpoint)];
    let capacity = FreeListPage::capacity(page_size);
    // Taking a page may split an extent in two, so that the list needs one more.
    let mut extents = space.durable_free(frame);
    while (pages.len() - 1) * capacity < extents.len() {
        pages.push(space.allocate_page(Owner::Checkpoint));
        extents = space.durable_free(frame);
    }
    (pages, extents)
}

/// The catalogue's page and the free list's, as a header names them.
#[derive(Clone, Debug)]
pub(crate) struct RootPages {
    pub(crate) catalog: (PageNo, Checksum),
    pub(crate) free_list: (PageNo, Checksum),
    /// All of them.
    pub(crate) pages: Vec<Extent>,
    /// Length of the file in pages that the free list speaks of.
    pub(crate) page_count: u64,
}

/// Writes the catalogue of the state after `frame`, whose nodes are all on disk, and the free list;
/// `old` are the pages of those that they replace.
pub(crate) fn write_root_pages(
    pager: &Pager,
    catalog: &Catalog,
    frame: FrameNo,
    old: Vec<Extent>,
) -> std::result::Result<RootPages, WriteError> {
    let (pages, extents, end) = {
        let mut space = lock(&pager.space);
        space.add_freed(frame, old);
        let (pages, extents) = plan_roots(&mut space, pager.page_size, frame);
        (pages, extents, space.end())
    };
    let pages_of_roots: Vec<Extent> = pages.iter().map(|&page| Extent::one(page)).collect();
    pager.reserve(end, &pages_of_roots).map_err(WriteError::of_growth)?;
    let failed = |what: &str| WriteError::Failed(pager.corrupt(pages[0], what));
    let bytes = catalog.encode(pager.page_size);
    let mut bytes = bytes.ok_or_else(|| failed("the catalogue is too large"))?;
    let checksum = page::seal(&mut bytes, PageType::Catalog, pages[0]);
    pager.write_run(pages[0], &bytes).map_err(WriteError::Failed)?;
    let free_list = write_free_list(pager, &pages[1..], &extents).map_err(WriteError::Failed)?;
    Ok(RootPages {
        catalog: (pages[0], checksum),
        free_list,
        pages: pages_of_roots,
        page_count: end,
    })
}

/// Writes the list's pages, the last one first: each names the next.
fn write_free_list(
    pager: &Pager,
    pages: &[PageNo],
    extents: &[Extent],
) -> Result<(PageNo, Checksum)> {
    let chunks: Vec<&[Extent]> = extents.chunks(FreeListPage::capacity(pager.page_size)).collect();
    let mut next = (PageNo::NONE, Checksum::default());
    for (index, &list_page) in pages.iter().enumerate().rev() {
        let extents = chunks.get(index).map(|chunk| chunk.to_vec()).unwrap_or_default();
        let list = FreeListPage { next: next.0, next_checksum: next.1, extents };
        let mut bytes = list.encode(pager.page_size);
        let checksum = page::seal(&mut bytes, PageType::FreeList, list_page);
        pager.write_run(list_page, &bytes)?;
        next = (list_page, checksum);
    }
    Ok(next)
}

/// Reads the free list that a header names: its extents and its own pages.
pub(crate) fn read_free_list(pager: &Pager, header: &Header) -> Result<(Vec<Extent>, Vec<PageNo>)> {
    let first = first_page(pager.page_size);
    let (mut next, mut extents, mut pages) = (header.free_list, Vec::<Extent>::new(), Vec::new());
    while !next.0.is_none() {
        if pages.len() as u64 > header.page_count {
            return Err(pager.corrupt(next.0, "the free list has no end"));
        }
        let bytes = pager.read_page(next.0, PageType::FreeList, &next.1)?;
        let list = FreeListPage::decode(&bytes, first, header.page_count)
            .map_err(|what| pager.corrupt(next.0, what))?;
        if let (Some(last), Some(first)) = (extents.last(), list.extents.first())
            && last.start.0 + last.pages >= first.start.0
        {
            let what =
                format!("free pages from {} on follow those from {} on", first.start, last.start);
            return Err(pager.corrupt(next.0, what));
        }
        pages.push(next.0);
        extents.extend(list.extents);
        next = (list.next, list.next_checksum);
    }
    Ok((extents, pages))
}
